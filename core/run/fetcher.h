/* From IDs to bodies: takes leads from the intake, requests each as the profile says, and decides what a
 * response means. Private to core/run. All functions are called on the event loop's thread, except for
 * fetcher_save() and fetcher_stats().
 *
 *   fetcher.c       makes requests for leads; owns the HTTP engine; the end
 *   fetch_answer.c  what a response means; leads that come back from the workers
 *   fetch_wait.c    leads that wait for memory */
#ifndef LEADPIPE_FETCHER_H
#define LEADPIPE_FETCHER_H

#include "core/http/auth_check.h"
#include "core/http/http.h"
#include "core/run/intake.h"
#include "core/run/listing.h"
#include "core/run/memory.h"
#include "core/run/ring.h"
#include "core/run/request_pool.h"
#include "core/run/resume.h"
#include "core/run/workers.h"

#define FETCHER_BATCH 64 /* maximum leads that are handed to the workers at once */

struct fetcher {
    /* Of the run, all constant. */
    const struct run_cfg *cfg;
    struct control *control;
    struct memory *memory;
    struct intake *intake;
    struct listing listing; /* zero: IDs do not come from the provider's list */
    struct ring *ring;
    struct workers *workers;
    struct request_pool *requests;
    struct resume_plan *resume;
    struct queue *back; /* from the workers: leads to be requested again, or waiting for memory */

    struct rng rng;
    struct http_engine *engine; /* owned */
    struct http_header key_header;
    struct buf key_value;                 /* secret */
    struct lead *answered[FETCHER_BATCH]; /* not yet handed to the workers */
    size_t n_answered;
    struct source_share share; /* by which the engine has its rate; zero: not set yet */
    uint64_t requested;        /* leads for which the engine was given a request */
    struct auth_check auth;
    struct lead *turned_away; /* they wait until it is known what is at fault; the newest first */
    uint64_t n_turned_away;
    struct lead *waiting;         /* for memory, in the order of their slots */
    struct http_stats last_stats; /* those of the engine when it was freed */
};

/* Makes the engine. RC_USAGE, RC_LIMIT, RC_NOMEM, or as from http_engine_new(). */
enum rc fetcher_open(struct fetcher *f, uv_loop_t *loop, struct err *e);
/* Before fetcher_open(), with cfg->listing: makes the provider's list the source of IDs. Errors as from
 * listing_open(). */
enum rc fetcher_open_listing(struct fetcher *f, const struct source_wait *wait, struct err *e);
/* After fetcher_open_listing(), if the run is resumed. Errors as from listing_resume(). */
enum rc fetcher_resume_listing(struct fetcher *f, struct err *e);
/* Ends and frees the engine. No request is under way afterwards. */
void fetcher_close(struct fetcher *f);
void fetcher_free(struct fetcher *f);

/* Takes the leads that come back from the workers. */
void fetch_take_back(struct fetcher *f);
/* Makes requests as long as there are leads to request, and room for them. */
void fetcher_kick(struct fetcher *f);
/* Hands the leads with a response to the workers. */
void fetcher_flush(struct fetcher *f);
/* No further requests are made; those in flight may take `grace_ms` to end. */
void fetcher_stop(struct fetcher *f, int64_t grace_ms);
/* Completes leads that wait for other leads if none of those are left. True: the fetcher has ended: it has nothing to do
 * and will get nothing, and no lead is between it and the ring. */
bool fetcher_try_end(struct fetcher *f);

/* All zero before fetcher_open(). Any thread. */
void fetcher_stats(const struct fetcher *f, struct http_stats *out);
/* Appends the engine's totals as a text for the state. Any thread. */
void fetcher_save(struct fetcher *f, struct buf *out);

/* ---- between its files ----------------------------------------------------------------------- */

/* fetcher.c */
enum rc fetcher_make_request(struct fetcher *f, struct lead *lead, struct err *e);
/* The lead's request, for the engine; counts it in `requested` if it is the lead's first. */
struct http_request *fetcher_count_request(struct fetcher *f, struct lead *lead);
void fetcher_to_workers(struct fetcher *f, struct lead *lead); /* the lead has a body */
void fetcher_complete(struct fetcher *f, struct lead *lead); /* decided, or pending; without rows */

/* fetch_answer.c */
void fetch_answered(void *fetcher, struct http_request *http); /* a request's done() */
/* Hands the body to a worker: the payload, or that of an error. */
void fetch_hand_over(struct fetcher *f, struct lead *lead);
void fetch_end_auth(struct fetcher *f); /* only leads that were turned away are left */

/* fetch_wait.c */
bool fetch_take_room(void *fetcher, struct http_request *http,
                     size_t bytes);                       /* a request's room() */
void fetch_no_room(struct fetcher *f, struct lead *lead); /* its response was discarded */
void fetch_wait(struct fetcher *f, struct lead *lead);
/* The next waiting lead that may continue. True with *http: its request is to be made; true with *lead: its body is
 * ready for the workers. */
bool fetch_next_waiting(struct fetcher *f, struct lead **lead, struct http_request **http);
bool fetch_must_pause(const struct fetcher *f); /* no other lead may be started now */
void fetch_drop_waiting(struct fetcher *f);     /* leads that wait become pending */

#endif
