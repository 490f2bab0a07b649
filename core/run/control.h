/* What the stages of a run share, and nothing else: the first error, stopping, and the wake-up of the
 * event loop. Private to core/run. Unless stated otherwise, functions may be called from any thread.
 *
 * A stage does not stop other stages: it sets a flag here, and each stage checks it. */
#ifndef LEADPIPE_CONTROL_H
#define LEADPIPE_CONTROL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#include "core/base/cache_line.h"
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/log.h"
#include "core/base/secrets.h"
#include "core/base/stop_timer.h"

/* After a signal, requests in flight may take this long to end. */
#define CONTROL_GRACE_MS 10000

struct control {
    const struct clock *clock; /* this and the next three: from the run's configuration, constant */
    const struct log_hook *log;
    struct secrets *secrets;
    const struct stop_timer *stop_timer; /* or NULL */

    uv_async_t wake; /* of the loop, while that is open */
    /* Read for every lead, so on cache lines of their own. */
    CACHE_LINE_PADDING(before);
    atomic_bool loop_open;
    atomic_bool wants_wake; /* the loop found nothing to do and waits for a change */
    atomic_bool stopping;
    atomic_int signal_number; /* 0: none */
    CACHE_LINE_PADDING(after);

    pthread_mutex_t lock; /* protects what follows, and the closing of the loop */
    struct err error;     /* the first reason to stop; rc RC_OK: none */
    unsigned threads_running;
};

/* The four constant members are set; RC_NOMEM. */
enum rc control_init(struct control *c);
void control_free(struct control *c);

/* The main thread. `on_wake` is called on the loop's thread; several wake-ups may cause one call. `data` becomes
 * the handle's `data`. RC_INTERNAL. */
enum rc control_open_loop(struct control *c, uv_loop_t *loop, uv_async_cb on_wake, void *data,
                          struct err *e);
/* The loop's thread: no wake-up comes after it. */
void control_close_loop(struct control *c);

/* Wakes the loop if it has called control_want_wake(). */
void control_wake(struct control *c);
/* Wakes the loop in any case. Only on the loop's thread, or on a thread for whose end the loop waits before it closes. */
void control_wake_always(struct control *c);
/* The loop's thread has found nothing to do. It must check once more after this call, because changes before it cause
 * no wake-up. */
void control_want_wake(struct control *c);

/* The run must stop; the first error is kept. */
void control_fail(struct control *c, const struct err *e);
/* The same, because memory has run out. */
void control_fail_nomem(struct control *c);
/* The run must stop because of a signal. The loop's thread only, signal handlers there included. */
void control_stop(struct control *c, int signal_number);

static inline bool control_is_stopping(const struct control *c)
{
    return atomic_load_explicit(&c->stopping, memory_order_acquire);
}

/* The first error so far; rc RC_OK: none. */
struct err control_error(struct control *c);

struct control_thread { /* zero: not started */
    pthread_t id;
    bool started;
};

/* Starts a thread with all signals blocked. As its last action it must call control_thread_ended(). RC_NOMEM: it could
 * not be started. */
enum rc control_start_thread(struct control *c, struct control_thread *thread,
                             void *(*main)(void *), void *arg);
/* Waits for its end; does nothing if it was not started. */
void control_join_thread(struct control_thread *thread);
void control_thread_ended(struct control *c);
bool control_has_threads(struct control *c);

#endif
