/* For --all: reads the provider's list on the run's own HTTP engine, ahead of the leads. Private to core/run; the event
 * loop's thread. */
#ifndef LEADPIPE_LISTING_H
#define LEADPIPE_LISTING_H

#include "core/run/control.h"
#include "core/source/list_queue.h"
#include "core/source/lister.h"
#include "core/state/state.h"

struct listing { /* zero: the run does not list */
    struct control *control;
    struct lister *lister;      /* owned; NULL: none, or all lists have been read */
    struct list_queue *queue;   /* owned by the intake, as a part of its source */
    struct http_engine *engine; /* the fetcher's; set before the first request */
    size_t list;                /* the one whose page is requested */
    bool may_lack_before; /* listing_may_lack(), for what an earlier part of the run has read */
    struct lister_result result;
};

/* The caller has set `control`. RC_USAGE, RC_NOMEM. */
enum rc listing_open(struct listing *l, const struct lister_cfg *cfg,
                     const struct source_wait *wait, struct err *e);
/* For a new run, after state_begin(): prepares its state for the list. RC_NOMEM, or as from state_list_begin(). */
enum rc listing_begin(const struct lister_cfg *cfg, struct state *state, struct err *e);
/* For a resumed run, before the first request: continues after what its state has of the lists. RC_USAGE: that is
 * impossible; otherwise as from the state's functions. */
enum rc listing_resume(struct listing *l, const struct lister_cfg *cfg, struct state *state,
                       struct err *e);
void listing_free(struct listing *l);

/* May the provider have leads that were not listed? True if a list was not read to its end, or has elements without a
 * valid ID. */
bool listing_may_lack(const struct listing *l);

/* The request for the next page, if one is due; else NULL. */
struct http_request *listing_next(struct listing *l);
/* Requests no further pages. */
void listing_stop(struct listing *l);

/* A request of listing_next() has ended. Called by `done` of the lister's requests. */
void listing_take(struct listing *l, struct http_request *http);

#endif
