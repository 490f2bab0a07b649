/* IDs to bodies: takes leads from the intake, requests each by the profile, and decides what an answer
 * means. Private to core/run; all of it on the event loop's thread, but for fetcher_save() and
 * fetcher_stats().
 *
 *   fetcher.c       from a lead to its request, the HTTP engine, and its end
 *   fetch_answer.c  what an answer means, and leads that come back from the workers
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

#define FETCHER_BATCH 64 /* leads that go to the workers at once */

struct fetcher {
    /* Of the run, all constant. */
    const struct run_cfg *cfg;
    struct control *control;
    struct memory *memory;
    struct intake *intake;
    struct listing listing; /* zero: IDs are not listed */
    struct ring *ring;
    struct workers *workers;
    struct request_pool *requests;
    struct resume_plan *resume;
    struct queue *back; /* from the workers: leads to be requested again, or that wait */

    struct rng rng;
    struct http_engine *engine; /* owned */
    struct http_header key_header;
    struct buf key_value;                 /* secret */
    struct lead *answered[FETCHER_BATCH]; /* not yet handed to the workers */
    size_t n_answered;
    uint64_t requested; /* leads that the engine was given a request for */
    struct auth_check auth;
    struct lead *turned_away; /* who wait until it is known what is at fault; the newest first */
    uint64_t n_turned_away;
    struct lead *waiting;         /* for memory, in order of their slots */
    struct http_stats last_stats; /* when the engine was freed */
};

/* Makes the engine. RC_USAGE, RC_LIMIT, RC_NOMEM, or as http_engine_new(). */
enum rc fetcher_open(struct fetcher *f, uv_loop_t *loop, struct err *e);
/* Before that, with cfg->listing: the source of IDs is its list. As listing_open(). */
enum rc fetcher_open_listing(struct fetcher *f, const struct source_wait *wait, struct err *e);
/* And then, of a run that is resumed. As listing_resume(). */
enum rc fetcher_resume_listing(struct fetcher *f, struct err *e);
/* Ends and frees the engine: no request is under way any more. */
void fetcher_close(struct fetcher *f);
void fetcher_free(struct fetcher *f);

/* Takes what comes back from the workers. */
void fetch_take_back(struct fetcher *f);
/* Makes requests as long as there is something to request, and room. */
void fetcher_kick(struct fetcher *f);
/* Hands what was answered to the workers. */
void fetcher_flush(struct fetcher *f);
/* No request is made any more; what is in flight may end within `grace_ms`. */
void fetcher_stop(struct fetcher *f, int64_t grace_ms);
/* Ends what waits for other leads, where none are left. True: it has nothing to do, nor will it ever
 * have, and no lead is between it and the ring. */
bool fetcher_try_end(struct fetcher *f);

/* Zero before it is open. */
void fetcher_stats(const struct fetcher *f, struct http_stats *out);
/* What the engine's totals are, as a text for a state; any thread. */
void fetcher_save(struct fetcher *f, struct buf *out);

/* ---- between its files ----------------------------------------------------------------------- */

/* fetcher.c */
enum rc fetcher_make_request(struct fetcher *f, struct lead *lead, struct err *e);
/* The engine is given the lead's request: the first time, it is counted. */
struct http_request *fetcher_count_request(struct fetcher *f, struct lead *lead);
void fetcher_to_workers(struct fetcher *f, struct lead *lead); /* with a body */
void fetcher_complete(struct fetcher *f, struct lead *lead); /* decided, or pending, without rows */

/* fetch_answer.c */
void fetch_answered(void *fetcher, struct http_request *http); /* a request's done() */
/* The body goes to a worker: the payload, or the text of an error. */
void fetch_hand_over(struct fetcher *f, struct lead *lead);
void fetch_end_auth(struct fetcher *f); /* nothing but leads that were turned away is left */

/* fetch_wait.c */
bool fetch_take_room(void *fetcher, struct http_request *http,
                     size_t bytes);                       /* a request's room() */
void fetch_no_room(struct fetcher *f, struct lead *lead); /* its answer was given up */
void fetch_wait(struct fetcher *f, struct lead *lead);
/* The next of those that wait and may continue: a request to be made (true and *http), or a body that is
 * ready for the workers (true and *lead). */
bool fetch_next_waiting(struct fetcher *f, struct lead **lead, struct http_request **http);
bool fetch_must_pause(const struct fetcher *f); /* no other lead is begun now */
void fetch_drop_waiting(struct fetcher *f);     /* those that wait are pending */

#endif
