/* The IDs of a run that exports all leads of a provider: its list is read on the run's own HTTP engine, a page
 * ahead of the leads. Private to core/run; the event loop's thread. */
#ifndef LEADPIPE_LISTING_H
#define LEADPIPE_LISTING_H

#include "core/run/control.h"
#include "core/source/list_queue.h"
#include "core/source/lister.h"
#include "core/state/state.h"

struct listing { /* zero: the run does not list */
    struct control *control;
    struct lister *lister;      /* owned; NULL: there is none, or all lists have been read */
    struct list_queue *queue;   /* owned by the intake, as a part of its source */
    struct http_engine *engine; /* of the fetcher; set before the first request */
    size_t list;                /* of the page that is requested */
    bool
        may_lack_before; /* a list that an earlier part of the run has read, as listing_may_lack() */
    struct lister_result result;
};

/* `control` is set. RC_USAGE, RC_NOMEM. */
enum rc listing_open(struct listing *l, const struct lister_cfg *cfg,
                     const struct source_wait *wait, struct err *e);
/* Of a run that begins, after state_begin(): its state is to have the list. RC_NOMEM, or as state_list_begin(). */
enum rc listing_begin(const struct lister_cfg *cfg, struct state *state, struct err *e);
/* Before the first request, of a run that is resumed: continues behind what its state has of the lists. RC_USAGE: that
 * cannot be; else as the state's functions. */
enum rc listing_resume(struct listing *l, const struct lister_cfg *cfg, struct state *state,
                       struct err *e);
void listing_free(struct listing *l);

/* The provider may have leads that were not listed: a list did not end, or has elements that are no leads. */
bool listing_may_lack(const struct listing *l);

/* The request for a page, where one is wanted now; NULL: none. */
struct http_request *listing_next(struct listing *l);
/* No more is listed. */
void listing_stop(struct listing *l);

/* The end of a request of listing_next(); `done` of the lister's requests calls it. */
void listing_take(struct listing *l, struct http_request *http);

#endif
