/* The pages of one list of leads: what comes after each, and when the list has been read. Knows neither URLs
 * nor bodies. One thread at a time; memory grows by at most 80 bytes a lead.
 *
 * Rows move while pages are read: a lead that is deleted moves those behind it one place forward, to a page that
 * has been read already. There is no protection against that in an API of pages, but it shows: the total differs
 * from the leads that were there, or changes from page to page; pages between the first and the last differ in
 * size; a lead comes twice. Then the list is read again from its beginning. A reading is a pass. */
#ifndef LEADPIPE_LIST_PAGES_H
#define LEADPIPE_LIST_PAGES_H

#include "core/base/buf.h"
#include "core/lead.h"
#include "core/provider/profile.h"
#include "core/source/idset.h"

#define LIST_REPEATS_MAX 3        /* passes after the first one */
#define LIST_PAGES_NOTHING_NEW 20 /* in a row: the list does not end */

enum list_step {
    LIST_STEP_NEXT,  /* the next page */
    LIST_STEP_AGAIN, /* the first page: another pass begins */
    LIST_STEP_DONE,  /* `end` says how */
};

enum list_end {
    LIST_END_COMPLETE,
    LIST_END_TOTAL_DIFFERS, /* nothing new in the last pass, but its total is still another number */
    LIST_END_CHANGED,       /* the last pass that is allowed has brought new leads */
    LIST_END_TOKEN_REPEATED, /* where to continue was said before in this pass */
    LIST_END_PAGE_REPEATED,  /* a page with the same leads was there before in this pass */
    LIST_END_NOTHING_NEW,    /* LIST_PAGES_NOTHING_NEW pages */
};

/* What a page says beside its leads. */
struct list_page {
    uint64_t n_items; /* elements, also those that were not added because they have no valid ID */
    bool has_total;
    uint64_t total;
    bool is_last;      /* it says that there are no more */
    struct str cursor; /* where to continue; absent: not said. LIST_PAGE: has none */
};

struct list_pages {
    enum list_style style;
    struct idset all, pass; /* leads: all of them; those of this pass, unless they are the same */
    bool has_known;         /* some of them are not of these passes: list_pages_know() */
    struct idset tokens, pages; /* of this pass */
    struct buf page_keys;       /* of the leads of the page at hand */

    unsigned passes;            /* begun */
    uint64_t n_new_in_all;      /* of this pass: leads that no pass before had */
    uint64_t n_page_new;        /* of the page at hand: leads that this pass did not have before */
    uint64_t n_first_page;      /* elements of the first page */
    unsigned pages_nothing_new; /* in a row */
    bool was_odd_size; /* the page before had another number of elements than the first one */
    bool has_moved, has_total;
    uint64_t total;
    enum list_end end; /* once LIST_STEP_DONE */
};

void list_pages_init(struct list_pages *p, enum list_style style);
void list_pages_free(struct list_pages *p);

/* A lead that was listed before the first pass: it is not new, but belongs to no pass. Before all others. RC_NOMEM. */
enum rc list_pages_know(struct list_pages *p, const unsigned char key[LEAD_KEY_BYTES],
                        struct err *e);

/* A lead of the page at hand. *is_new: no page and no pass before had it. RC_NOMEM. */
enum rc list_pages_add(struct list_pages *p, const unsigned char key[LEAD_KEY_BYTES], bool *is_new,
                       struct err *e);

/* The page at hand ends. RC_NOMEM, RC_INTERNAL. */
enum rc list_pages_next(struct list_pages *p, const struct list_page *page, enum list_step *out,
                        struct err *e);

/* Has this pass had as many leads as the total says? Then there may be no further page to ask for. */
bool list_pages_has_total(const struct list_pages *p);

/* The page asked for does not exist: as if it had been empty. */
enum rc list_pages_none(struct list_pages *p, enum list_step *out, struct err *e);

uint64_t list_pages_leads(
    const struct list_pages *p); /* different ones, of all passes, and those that were known */

#endif
