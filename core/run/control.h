/* What the stages of a run share, and nothing else: the first error, stopping, and the wake-up of the
 * event loop. Private to core/run. Functions may be called from any thread where nothing else is said.
 *
 * No stage stops another one: it says that the run must stop, and each sees that for itself. */
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

/* After a signal, what is in flight may still end within this time. */
#define CONTROL_GRACE_MS 10000

struct control {
    const struct clock *clock; /* as the next three, of the run's configuration: constant */
    const struct log_hook *log;
    struct secrets *secrets;
    const struct stop_timer *stop_timer; /* or NULL */

    uv_async_t wake; /* of the loop, while that is open */
    /* Read for every lead. */
    CACHE_LINE_PADDING(before);
    atomic_bool loop_open;
    atomic_bool wants_wake; /* the loop found nothing to do and waits for a change */
    atomic_bool stopping;
    atomic_int signal_number; /* 0: none */
    CACHE_LINE_PADDING(after);

    pthread_mutex_t lock; /* of what follows, and of closing the loop */
    struct err error;     /* the first reason to stop; rc RC_OK: none */
    unsigned threads_running;
};

/* The four constant members are set; RC_NOMEM. */
enum rc control_init(struct control *c);
void control_free(struct control *c);

/* The main thread: `on_wake` is called on the loop's thread, with `data` as the handle's, once after any
 * number of wake-ups. RC_INTERNAL. */
enum rc control_open_loop(struct control *c, uv_loop_t *loop, uv_async_cb on_wake, void *data,
                          struct err *e);
/* The loop's thread: no wake-up comes after it. */
void control_close_loop(struct control *c);

/* Wakes the loop if it waits for a change of what it examined. */
void control_wake(struct control *c);
/* Wakes it in any case. Only while it cannot close: the loop's thread, or one that it waits for. */
void control_wake_always(struct control *c);
/* The loop's thread found nothing to do. It must check once more afterwards: what changed before this
 * wakes nobody. */
void control_want_wake(struct control *c);

/* The run must stop; the first error is kept. */
void control_fail(struct control *c, const struct err *e);
/* The same for want of memory. */
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

/* Starts a thread that no signal reaches, which calls control_thread_ended() as the last thing it
 * does. RC_NOMEM: it could not be started. */
enum rc control_start_thread(struct control *c, struct control_thread *thread,
                             void *(*main)(void *), void *arg);
/* Waits for its end, where it was started. */
void control_join_thread(struct control_thread *thread);
void control_thread_ended(struct control *c);
bool control_has_threads(struct control *c);

#endif
