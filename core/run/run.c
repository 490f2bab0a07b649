/* The run: makes the stages, lets them run, stops them, and says how it went. */
#include "core/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/run/checkpoint.h"
#include "core/base/stop_timer.h"
#include "core/base/thread.h"

/* ---- threads -------------------------------------------------------------------------------- */

void run_wake(struct run *r)
{
    /* In one order with the change that is told of: the loop first says that it wants to hear, then
     * looks for changes. */
    if (atomic_load(&r->wants_wake) && atomic_exchange(&r->wants_wake, false))
        (void)uv_async_send(&r->wake); /* fails only on a handle that is closed */
}

void run_fatal(struct run *r, const struct err *e)
{
    pthread_mutex_lock(&r->lock);
    if (r->fatal.rc == RC_OK)
        r->fatal = *e;
    atomic_store(&r->stopping, true);
    /* The loop closes under the lock, so it is open or closed as a whole: the state's thread may
     * fail at any time. */
    if (atomic_load(&r->loop_open))
        (void)uv_async_send(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

void run_stop(struct run *r, int signal_number)
{
    if (r->cfg->stop && !atomic_load(&r->signal_number))
        stop_timer_start(r->cfg->stop, RUN_STOP_GRACE_MS);
    atomic_store(&r->signal_number, signal_number);
    atomic_store(&r->stopping, true);
    /* Signals come on the loop's own thread only (run_thread()), so it cannot close meanwhile. */
    if (atomic_load(&r->loop_open))
        (void)uv_async_send(&r->wake);
}

void run_weigh(struct run *r, struct lead *lead, size_t bytes)
{
    if (bytes > lead->weight)
        atomic_fetch_add(&r->held_bytes, bytes - lead->weight);
    else
        atomic_fetch_sub(&r->held_bytes, lead->weight - bytes);
    lead->weight = bytes;
}

enum rc run_thread(struct run *r, pthread_t *thread, void *(*main)(void *), void *arg)
{
    pthread_mutex_lock(&r->lock);
    int failed = thread_start(thread, main, arg);
    r->threads_running += failed == 0; /* it cannot end before this: it needs the lock */
    pthread_mutex_unlock(&r->lock);
    return failed ? RC_NOMEM : RC_OK;
}

void run_thread_ended(struct run *r)
{
    /* Both under the lock: the loop closes its handle once it sees that no thread is left, and must
     * not see that before the wake-up is out. */
    pthread_mutex_lock(&r->lock);
    r->threads_running--;
    (void)uv_async_send(&r->wake);
    pthread_mutex_unlock(&r->lock);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void begin_stop(struct run *r)
{
    int64_t grace_ms = atomic_load(&r->signal_number) ? RUN_STOP_GRACE_MS : 0;
    if (grace_ms && r->cfg->stop) /* this thread may have waited for a reader of its messages */
        grace_ms = stop_timer_left_ms(r->cfg->stop);
    r->stop_begun = true;
    queue_close(r->ids_queue);
    if (write(r->cancel_pipe[1], "", 1) < 0) {
        /* Only a full pipe: then the reader has been told. */
    }
    http_engine_stop(r->engine, grace_ms);
    memory_stop(r);
    for (size_t i = 0; i < r->n_outlets; i++) {
        if (r->outlets[i].ops->stop)
            r->outlets[i].ops->stop(r->outlets[i].sink, grace_ms);
    }
}

/* No lead is under way and none will come: lets the stages behind end, one after the other. */
static void begin_drain(struct run *r)
{
    uint64_t reserved, completed;
    if (r->draining)
        return;
    bool no_more =
        atomic_load(&r->stopping) ||
        (atomic_load(&r->ids_ended) && r->next_taken == r->n_taken && queue_ended(r->ids_queue));
    order_counts(r->order, &reserved, &completed);
    if (no_more && r->n_turned_away && reserved == completed + r->n_turned_away) {
        fetch_judge_end(r);
        order_counts(r->order, &reserved, &completed);
    }
    if (!no_more || reserved != completed)
        return;
    r->draining = true;
    queue_close(r->work_queue);
    order_close(r->order);
}

void run_close_loop(struct run *r)
{
    if (r->engine) {
        http_engine_stats(r->engine, &r->last_stats);
        http_engine_free(r->engine);
        r->engine = NULL;
    }
    pthread_mutex_lock(&r->lock);
    atomic_store(&r->loop_open, false);
    pthread_mutex_unlock(&r->lock);
    uv_close((uv_handle_t *)&r->wake, NULL);
    uv_close((uv_handle_t *)&r->progress_timer, NULL);
    uv_close((uv_handle_t *)&r->checkpoint_timer, NULL);
    uv_close((uv_handle_t *)&r->before_io, NULL);
}

static bool no_thread_left(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    bool none = r->threads_running == 0;
    pthread_mutex_unlock(&r->lock);
    return none;
}

/* What came in one round goes to the workers at once: one hand-over instead of many. */
void run_before_io(uv_prepare_t *before_io)
{
    fetch_flush(before_io->data);
}

void run_on_wake(uv_async_t *wake)
{
    struct run *r = wake->data;
    if (!atomic_load(&r->loop_open))
        return;
    atomic_store(&r->wants_wake, true);
    fetch_take_retries(r);
    if (atomic_load(&r->stopping) && !r->stop_begun)
        begin_stop(r);
    http_engine_kick(r->engine);
    begin_drain(r);
    if (r->draining && no_thread_left(r))
        run_close_loop(r);
}

void run_on_fatal(void *ctx, const struct err *e)
{
    run_fatal(ctx, e);
}

void run_on_stopped(void *ctx)
{
    struct run *r = ctx;
    (void)uv_async_send(&r->wake);
}

static void on_progress(uv_timer_t *timer)
{
    struct run *r = timer->data;
    struct run_progress p = {0};
    p.ids.read = atomic_load_explicit(&r->ids_read, memory_order_relaxed);
    p.ids.unique = atomic_load_explicit(&r->ids_unique, memory_order_relaxed);
    p.ids.duplicates = p.ids.read - p.ids.unique;
    p.ids_ended = atomic_load(&r->ids_ended);
    p.ledger = ledger_counts(r->ledger, p.ids.unique);
    if (r->engine)
        http_engine_stats(r->engine, &p.http);
    p.seconds = (double)(clock_mono_us(r->cfg->clock) - r->started_us) / 1e6;
    p.done_before = r->done_before;
    r->cfg->progress(r->cfg->progress_ctx, &p);
}

/* ---- running -------------------------------------------------------------------------------- */

static unsigned worker_count(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus <= 2)
        return 1;
    return cpus - 1 < RUN_WORKERS_MAX ? (unsigned)cpus - 1 : RUN_WORKERS_MAX;
}

static enum rc start_threads(struct run *r)
{
    enum rc rc = RC_OK;
    if (r->checkpoint)
        rc = run_thread(r, &r->checkpoint_thread, checkpoint_main, r->checkpoint);
    r->checkpoint_started = r->checkpoint && rc == RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_outlets; i++) {
        rc = run_thread(r, &r->outlets[i].thread, outlet_main, &r->outlets[i]);
        r->outlets[i].started = rc == RC_OK;
    }
    if (rc == RC_OK)
        rc = run_thread(r, &r->order_thread, order_main, r);
    r->order_started = rc == RC_OK;
    unsigned workers = worker_count();
    while (rc == RC_OK && r->n_workers < workers) {
        rc = run_thread(r, &r->workers[r->n_workers], work_main, r);
        r->n_workers += rc == RC_OK;
    }
    if (rc == RC_OK)
        rc = run_thread(r, &r->ids_thread, fetch_ids_main, r);
    r->ids_started = rc == RC_OK;
    return rc;
}

static void join_threads(struct run *r)
{
    if (r->ids_started)
        (void)pthread_join(r->ids_thread, NULL);
    for (unsigned i = 0; i < r->n_workers; i++)
        (void)pthread_join(r->workers[i], NULL);
    if (r->order_started)
        (void)pthread_join(r->order_thread, NULL);
    for (size_t i = 0; i < r->n_outlets; i++) {
        if (r->outlets[i].started)
            (void)pthread_join(r->outlets[i].thread, NULL);
    }
    if (r->checkpoint_started)
        (void)pthread_join(r->checkpoint_thread, NULL);
}

/* A thread could not be made: those that were end as if the input had ended at once. */
static void stop_unstarted(struct run *r)
{
    struct err e;
    (void)err_set(&e, RC_NOMEM, "a thread could not be started");
    run_fatal(r, &e);
    for (size_t i = 0; i < r->n_outlets; i++) { /* before they see the end of their queues */
        if (r->outlets[i].ops->stop)
            r->outlets[i].ops->stop(r->outlets[i].sink, 0);
    }
    if (r->order_started)
        return;
    for (size_t i = 0; i < r->n_outlets; i++)
        queue_close(r->outlets[i].queue);
    if (r->checkpoint)
        checkpoint_end(r->checkpoint, false);
}

/* A provider that is silent for long must not keep what is done from becoming durable. */
static void on_checkpoint_time(uv_timer_t *timer)
{
    struct run *r = timer->data;
    order_poke(r->order);
}

static void run_loop(struct run *r)
{
    unsigned interval_ms = r->cfg->progress_interval_ms;
    if (r->cfg->progress && interval_ms)
        (void)uv_timer_start(&r->progress_timer, on_progress, interval_ms, interval_ms);
    if (r->checkpoint)
        (void)uv_timer_start(&r->checkpoint_timer, on_checkpoint_time, CHECKPOINT_LOOK_MS,
                             CHECKPOINT_LOOK_MS);
    (void)uv_async_send(&r->wake);
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
}

/* ---- the end ------------------------------------------------------------------------------- */

void run_make_id(char out[33])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

int64_t run_active_ms(const struct run *r)
{
    return r->active_before_ms + (clock_mono_us(r->cfg->clock) - r->started_us) / 1000;
}

static void execute(struct run *r, struct run_result *out)
{
    if (start_threads(r) != RC_OK)
        stop_unstarted(r);
    run_loop(r);
    join_threads(r);
    out->http = r->last_stats;
    run_publish(r, out);
}

void run_execute(struct run *r, struct run_result *out)
{
    *out = (struct run_result){
        .started_wall_ms = r->started_wall_ms, .first_failure = "", .sinks = r->results};
    memcpy(out->run_id, r->run_id, sizeof out->run_id);
    out->resumed = r->resume.loaded;
    out->done_before = r->done_before = tally_done(&r->tally);
    r->started_us = clock_mono_us(r->cfg->clock);
    if (r->republish)
        run_republish(r, out);
    else
        execute(r, out);
}
