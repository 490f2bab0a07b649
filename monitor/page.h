/* HTML of a report: texts from outside that cannot be markup, figures as people read them. Private to monitor.
 *
 * Text from outside goes through page_text() only. It is redacted, then cut, then shown as on a terminal: control and
 * invisible characters and those that change the direction of others as \x1b or \u202e; and last escaped, for elements
 * and for attributes in quotes. */
#ifndef LEADPIPE_PAGE_H
#define LEADPIPE_PAGE_H

#include "core/base/buf.h"
#include "core/base/secrets.h"

struct page {
    struct buf *out; /* errors stick in it */
    struct secrets *secrets;
};

/* Markup of our own, as it is. */
#define page_raw(p, text) buf_adds((p)->out, text)

/* At most `max` bytes of it, with "..." where more was cut off. NULL: nothing. */
void page_text(struct page *p, const char *text, size_t max);
/* The same, in an element that keeps the direction of its text to itself. */
void page_bdi(struct page *p, const char *text, size_t max);

void page_count(struct page *p, uint64_t n);                                      /* "12,500" */
void page_counted(struct page *p, uint64_t n, const char *one, const char *many); /* "1 lead" */
void page_bytes(struct page *p, uint64_t bytes);                                  /* "1.5 MiB" */
void page_seconds(struct page *p, double seconds); /* "0.42 s", "3 min 20 s", "1 h 5 min" */
void page_rate(struct page *p, double per_s);      /* "0.42", "12.5", "1,250" */

/* A piece of a whole for CSS and SVG, such as "12.5"; 0 where the whole is 0. `out` has room for 16. */
const char *page_share(char out[16], double part, double whole, double of);

#endif
