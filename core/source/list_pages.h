/* The pages of one list of leads: decides what to request after each page, and when the list has been read. Knows neither
 * URLs nor bodies. One thread at a time; memory grows by at most 80 bytes per lead.
 *
 * Rows may move while pages are read: if a lead is deleted, the later ones move forward by one, possibly to a page that has
 * been read already. A paged API cannot prevent that, but it can be noticed: the total differs from the number of leads, or
 * changes from page to page; a page before the last has another size than the first; or a lead appears twice. Then the
 * list is read again from the beginning. Each such reading is called a pass. */
#ifndef LEADPIPE_LIST_PAGES_H
#define LEADPIPE_LIST_PAGES_H

#include "core/base/buf.h"
#include "core/lead.h"
#include "core/provider/profile.h"
#include "core/source/idset.h"

#define LIST_REPEATS_MAX 3        /* passes after the first one */
#define LIST_PAGES_NOTHING_NEW 20 /* in a row: the list does not end */

enum list_step {
    LIST_STEP_NEXT,  /* request the next page */
    LIST_STEP_AGAIN, /* request the first page: another pass begins */
    LIST_STEP_DONE,  /* the list has been read; `end` says how */
};

enum list_end {
    LIST_END_COMPLETE,
    LIST_END_TOTAL_DIFFERS, /* the last pass found nothing new, but the total is still another number */
    LIST_END_CHANGED,       /* the last allowed pass still found new leads */
    LIST_END_TOKEN_REPEATED, /* a token appeared twice in this pass */
    LIST_END_PAGE_REPEATED,  /* a page with the same leads appeared twice in this pass */
    LIST_END_NOTHING_NEW,    /* LIST_PAGES_NOTHING_NEW pages in a row had no new lead */
};

/* What a page says besides its leads. */
struct list_page {
    uint64_t n_items; /* elements, including those without a valid ID, which were not added */
    bool has_total;
    uint64_t total;
    bool is_last;      /* the page says that it is the last one */
    struct str cursor; /* token or URL of the next page; absent: none. LIST_PAGE: always absent */
};

struct list_pages {
    enum list_style style;
    struct idset all, pass;     /* leads of all passes; of this pass, unless both are the same */
    bool has_known;             /* `all` also has leads from list_pages_know() */
    struct idset tokens, pages; /* of this pass */
    struct buf page_keys;       /* keys of the leads of the current page */

    unsigned passes;            /* begun */
    uint64_t n_new_in_all;      /* leads of this pass that no earlier pass had */
    uint64_t n_page_new;        /* leads of the current page that this pass did not have before */
    uint64_t n_first_page;      /* elements of the first page */
    unsigned pages_nothing_new; /* in a row */
    bool was_odd_size; /* the previous page had another number of elements than the first one */
    bool has_moved, has_total;
    uint64_t total;
    enum list_end end; /* once LIST_STEP_DONE */
};

void list_pages_init(struct list_pages *p, enum list_style style);
void list_pages_free(struct list_pages *p);

/* Adds a lead that was known before the first pass: it is not new, but belongs to no pass. Call it before all other
 * functions. RC_NOMEM. */
enum rc list_pages_know(struct list_pages *p, const unsigned char key[LEAD_KEY_BYTES],
                        struct err *e);

/* Adds a lead of the current page. *is_new: no earlier page or pass had it. RC_NOMEM. */
enum rc list_pages_add(struct list_pages *p, const unsigned char key[LEAD_KEY_BYTES], bool *is_new,
                       struct err *e);

/* Ends the current page, and decides what to do next. RC_NOMEM, RC_INTERNAL. */
enum rc list_pages_next(struct list_pages *p, const struct list_page *page, enum list_step *out,
                        struct err *e);

/* Has this pass had as many leads as the total says? Then the next page may not exist. */
bool list_pages_has_total(const struct list_pages *p);

/* The requested page does not exist: treated as an empty one. */
enum rc list_pages_none(struct list_pages *p, enum list_step *out, struct err *e);

/* The number of different leads of all passes, including those from list_pages_know(). */
uint64_t list_pages_leads(const struct list_pages *p);

#endif
