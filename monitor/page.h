/* Writes the HTML of a report: text from outside, which must never become markup, and numbers in a form for people.
 * Private to monitor.
 *
 * All text from outside goes through page_text(). It is redacted; truncated; made visible as on a terminal (control
 * characters, invisible ones and those that change the text direction become \x1b or \u202e); and last escaped, for
 * elements and for quoted attributes. */
#ifndef LEADPIPE_PAGE_H
#define LEADPIPE_PAGE_H

#include "core/base/buf.h"
#include "core/base/secrets.h"

struct page {
    struct buf *out; /* errors stick in it */
    struct secrets *secrets;
};

/* Appends our own markup, unchanged. */
#define page_raw(p, text) buf_adds((p)->out, text)

/* At most `max` bytes of the text, and "..." if it is longer. NULL: nothing. */
void page_text(struct page *p, const char *text, size_t max);
/* The same in a <bdi> element, so that right-to-left text does not affect what is around it. */
void page_bdi(struct page *p, const char *text, size_t max);

void page_count(struct page *p, uint64_t n);                                      /* "12,500" */
void page_counted(struct page *p, uint64_t n, const char *one, const char *many); /* "1 lead" */
void page_bytes(struct page *p, uint64_t bytes);                                  /* "1.5 MiB" */
void page_seconds(struct page *p, double seconds); /* "0.42 s", "3 min 20 s", "1 h 5 min" */
void page_rate(struct page *p, double per_s);      /* "0.42", "12.5", "1,250" */

/* part/whole * of, as a number for CSS and SVG, such as "12.5"; 0 if `whole` is 0. Returns `out`. */
const char *page_share(char out[16], double part, double whole, double of);

#endif
