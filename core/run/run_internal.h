/* What the stages of a run share. Private to core/run. */
#ifndef LEADPIPE_RUN_INTERNAL_H
#define LEADPIPE_RUN_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "core/base/arena_pool.h"
#include "core/run/budget.h"
#include "core/run/order.h"
#include "core/run/queue.h"
#include "core/run/request_pool.h"
#include "core/run/run.h"
#include "core/run/run_resume.h"
#include "core/flatten/schema.h"
#include "core/run/tally.h"

#define RUN_BATCH 64         /* leads that go from stage to stage at once */
#define RUN_PLACES_MIN 1024  /* of the ring; more with more requests in flight */
#define RUN_IDS_AHEAD 512    /* IDs read ahead */
#define RUN_OUTLET_LEADS 256 /* in front of each sink */
#define RUN_WORKERS_MAX 8
#define RUN_STOP_GRACE_MS 10000

/* The loop hears of a batch of IDs when all of it is in the queue. */
_Static_assert(RUN_BATCH <= RUN_IDS_AHEAD, "a batch of IDs that does not fit is never told of");

/* Bytes of payloads and rows between the network and the sinks: no request is started once these are
 * reached. While nothing is held, RUN_UNDER_WAY_BYTES_MAX is the limit instead, for many small leads
 * on their way; a lead of any size is started when nothing else is there. */
#define RUN_HELD_BYTES_MAX ((size_t)12 << 20)
#define RUN_UNDER_WAY_BYTES_MAX ((size_t)16 << 20)
#define RUN_WORKED_BYTES_MAX ((size_t)4 << 20) /* a lead of so many is all counted beforehand */
#define RUN_BODY_LARGE_BYTES ((size_t)1 << 20)
#define RUN_BODY_KEPT_BYTES ((size_t)64 << 10) /* of one that is of no use, for the next */
#define RUN_BODY_BYTES ((size_t)512 * 1024)    /* what one is taken for before the first has come */

/* A sink and the thread that serves it. */
struct outlet {
    struct run *run;
    unsigned index; /* its bit in lead->verdicts */
    const struct sink_ops *ops;
    struct sink_cfg cfg;
    struct sink *sink;
    struct queue *queue;
    pthread_t thread;
    bool started;
    bool dead; /* its thread only: put() failed */
};

struct checkpoint;

struct run {
    const struct run_cfg *cfg;
    char run_id[33];
    int64_t started_wall_ms;
    struct state *state;       /* NULL: none */
    struct arena record_arena; /* what run_record_read() needs */
    bool republish;            /* an earlier part came to its end: it is only made visible */
    bool notes_accepted;       /* fingerprints go into the state */
    int64_t active_before_ms;
    uint64_t done_before;
    struct resume resume;
    struct checkpoint *checkpoint; /* NULL: no state */
    unsigned needs;                /* of enum sink_wants, of all sinks */
    unsigned json_want;            /* of enum json_want */
    struct flatten_plan *plan;
    struct arena_pool *arenas;
    struct request_pool *requests;
    struct schema *schema; /* the order thread's, until it has ended */
    struct order *order;
    struct ledger *ledger;
    struct ids *ids;
    struct outlet outlets[RUN_SINKS_MAX];
    size_t n_outlets;
    struct rng rng;

    struct queue *ids_queue;   /* from the IDs' thread to the loop */
    struct queue *work_queue;  /* from the loop to the workers: leads with a body */
    struct queue *retry_queue; /* from the workers back: bodies that were not JSON */

    /* the loop's thread only */
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t progress_timer, checkpoint_timer;
    uv_prepare_t before_io; /* in each round of the loop, before it waits */
    struct http_engine *engine;
    struct http_header key_header;
    struct buf key_value;          /* secret */
    struct lead *taken[RUN_BATCH]; /* popped from ids_queue */
    size_t n_taken, next_taken;
    struct lead *answered[RUN_BATCH]; /* not yet handed to the workers */
    size_t n_answered;
    uint64_t requested; /* leads that a request was made for */
    uint64_t
        first_turned_away;    /* of the first AUTH_LEADS that got an answer: 401, 403, redirected */
    uint64_t unanswered;      /* before the last of these */
    struct lead *turned_away; /* all that were, until it is clear whose fault it is */
    uint64_t n_turned_away;
    bool accepted; /* one was answered otherwise */
    uint64_t bodies;
    double average_body_bytes;
    struct lead *waiting; /* for memory, in order of their places */
    bool stop_begun, draining;
    int64_t started_us;

    /* the IDs' thread only */
    struct lead *read[RUN_BATCH]; /* not yet handed to the loop */
    size_t n_read;
    uint64_t next_place; /* of the next ID */
    uint64_t bad_lines;  /* that this run has read */

    /* the order's thread only, once it runs */
    struct tally tally;
    struct beyond beyond;
    bool gap; /* a lead was not answered, and those behind it cannot go to the sinks */

    pthread_t ids_thread, order_thread, checkpoint_thread, workers[RUN_WORKERS_MAX];
    unsigned n_workers;
    bool ids_started, order_started, checkpoint_started;
    int cancel_pipe[2]; /* ends a blocking read of IDs */

    /* any thread */
    atomic_bool loop_open;
    atomic_bool wants_wake; /* the loop found nothing to do and would like to hear of changes */
    atomic_bool ids_ended;
    atomic_bool ids_sure; /* those that were done before are the same */
    atomic_bool stopping;
    atomic_int signal_number;
    struct budget budget;
    atomic_int exclusive; /* of enum exclusive: is there a lead that has more rights than others? */
    unsigned sink_eighths; /* constant; see sink_ops.eighths, of all sinks */
    atomic_size_t held_bytes;
    atomic_size_t worked_bytes; /* of a lead when the workers are done with it, on average */
    atomic_uint_least64_t ids_read, ids_unique;
    atomic_uint
        other_ids_in_a_row; /* payloads with another ID of their own, verified; see run_work.c */

    pthread_mutex_t lock;
    struct err fatal;         /* under `lock`: the first reason to stop; rc RC_OK: none */
    unsigned threads_running; /* under `lock` */

    struct http_stats last_stats; /* when the engine was freed */
    struct sink_result results[RUN_SINKS_MAX];
};

/* run_check.c: what can be refused without touching anything */
enum rc run_check(const struct run_cfg *cfg, const struct outlet *outlets, struct err *e);

/* run.c */
void run_on_wake(uv_async_t *wake);
void run_before_io(uv_prepare_t *before_io);
void run_on_fatal(void *ctx, const struct err *e);
void run_on_stopped(void *ctx);
void run_close_loop(struct run *r);
void run_make_id(char out[33]);
int64_t run_active_ms(const struct run *r); /* of all parts of the run; any thread */
void run_wake(struct run *r);               /* if the loop wants to hear; any thread */
void run_weigh(struct run *r, struct lead *lead, size_t bytes); /* its share of held_bytes */
void run_fatal(struct run *r, const struct err *e);             /* stops the run; any thread */
enum rc run_thread(struct run *r, pthread_t *thread, void *(*main)(void *), void *arg);
void run_thread_ended(struct run *r); /* the last thing a thread calls */

/* run_memory.c: what leads may take. A lead is one thread's at a time. */
enum exclusive { EXCLUSIVE_NONE, EXCLUSIVE_FIRST, EXCLUSIVE_ALONE };
/* Makes the lead's charge `bytes`; false: there is no room for more, and nothing changed. */
bool run_charge(struct run *r, struct lead *lead, size_t bytes);
/* As run_charge(), for memory that is there already, or is no more. */
void run_charge_as(struct run *r, struct lead *lead, size_t bytes);
/* Room for parsing and flattening lead->body. False: not now; run_must_wait(). */
bool run_take_arena(struct run *r, struct lead *lead);
/* The rows are made: settles what the lead has, with what sinks will need to write it. False: not
 * now; run_must_wait(). */
bool run_settle_arena(struct run *r, struct lead *lead);
/* There was no room, or the arena was too small. Empties the arena. True: the lead waits until it may
 * try again; false: even alone it cannot. */
bool run_must_wait(struct run *r, struct lead *lead);
void run_fail_memory(struct run *r, struct lead *lead, enum stage stage); /* ... and has failed */
void run_end_exclusive(struct run *r, struct lead *lead); /* it needs no more memory; any thread */
/* The loop's thread: */
bool memory_room(void *run, struct http_request *http, size_t bytes);
void memory_no_room(struct run *r, struct lead *lead); /* its answer is given up */
void memory_wait(struct run *r, struct lead *lead);
/* The next of those that wait and may go on: a request to be made (true and *http), or a body that is
 * ready for the workers (true and *lead). */
bool memory_next(struct run *r, struct lead **lead, struct http_request **http);
bool memory_blocks(const struct run *r); /* no other lead is begun now */
void memory_stop(struct run *r);         /* those that wait are pending */

/* run_fetch.c: IDs to bodies, on the loop's thread */
void *fetch_ids_main(void *run);
struct http_request *fetch_next(void *run);
void fetch_done(void *run, struct http_request *http);
void fetch_before_wait(void *run); /* the IDs' thread is about to wait for its input */
void fetch_flush(struct run *r);   /* hands what was answered to the workers */
void fetch_take_retries(struct run *r);
void fetch_complete(struct run *r, struct lead *lead); /* decided, or pending, without rows */
enum rc fetch_make_request(struct run *r, struct lead *lead, struct err *e);
void fetch_judge_end(struct run *r);  /* nothing but refused leads is left: whose fault is it? */
void fetch_drop_taken(struct run *r); /* frees what was read and never requested */

/* run_work.c: bodies to rows */
void *work_main(void *run);

/* Takes the key out of the texts of a failed lead: a provider may repeat what it was sent. */
void run_redact_failure(const struct run *r, struct lead *lead);

/* run_outlet.c: rows to sinks, and the verdicts back */
void *order_main(void *run);
void *outlet_main(void *outlet);
void outlet_settle(void *outlet, struct sink *sink, struct lead *lead, const struct verdict *v);
void outlet_holds(void *outlet, size_t bytes);
void outlet_releases(void *outlet, size_t bytes);
void lead_finish(struct run *r, struct lead *lead); /* its outcome is decided: counts and frees */

/* run_publish.c: the end, and what becomes visible */
void run_publish(struct run *r, struct run_result *out);
/* The manifest of a run that could not even begin, for the reason given. */
void run_tell_unopened(struct run *r, const struct err *why);
/* run_republish.c: the end of an earlier run that was cut off after all was complete */
void run_republish(struct run *r, struct run_result *out);
/* Could it be? Changes nothing. RC_USAGE: the state is damaged, or its outputs are not this command's. */
enum rc run_republish_check(struct run *r, struct err *e);

/* manifest.c: complete and on disk, to be published by the caller */
struct outfile;
enum rc manifest_write(struct outfile **out, const struct run_cfg *cfg,
                       const struct run_result *result, struct err *e);

/* run_record.c: a result as a text, so that a run whose end was cut off can be told of. Texts of
 * the result that comes back lie in `arena`; its `sinks` are r->results. RC_USAGE: it is damaged. */
void run_record_write(struct buf *out, const struct run_cfg *cfg, const struct run_result *result);
enum rc run_record_read(struct run *r, struct str record, struct arena *arena,
                        struct run_result *out, struct err *e);

#endif
