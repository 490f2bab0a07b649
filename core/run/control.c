#include "core/run/control.h"

#include "core/base/thread.h"

enum rc control_init(struct control *c)
{
    return pthread_mutex_init(&c->lock, NULL) ? RC_NOMEM : RC_OK;
}

void control_free(struct control *c)
{
    pthread_mutex_destroy(&c->lock);
}

/* ---- the loop ------------------------------------------------------------------------------- */

enum rc control_open_loop(struct control *c, uv_loop_t *loop, uv_async_cb on_wake, void *data,
                          struct err *e)
{
    int failed = uv_async_init(loop, &c->wake, on_wake);
    if (failed)
        return err_set(e, RC_INTERNAL, "event loop: %s", uv_strerror(failed));
    c->wake.data = data;
    atomic_store(&c->loop_open, true);
    return RC_OK;
}

void control_close_loop(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    bool was_open = atomic_exchange(&c->loop_open, false);
    pthread_mutex_unlock(&c->lock);
    if (was_open)
        uv_close((uv_handle_t *)&c->wake, NULL);
}

void control_wake_always(struct control *c)
{
    if (atomic_load(&c->loop_open))
        (void)uv_async_send(&c->wake); /* fails only on a handle that is closed */
}

void control_wake(struct control *c)
{
    /* Sequentially consistent with the change that is announced: the loop first says that it waits, and then checks for
     * changes. */
    if (!atomic_load(&c->wants_wake) || !atomic_exchange(&c->wants_wake, false))
        return;
    pthread_mutex_lock(
        &c->lock); /* a sink's own threads are not among those that the loop waits for */
    control_wake_always(c);
    pthread_mutex_unlock(&c->lock);
}

void control_want_wake(struct control *c)
{
    atomic_store(&c->wants_wake, true);
}

/* ---- stopping ------------------------------------------------------------------------------- */

void control_fail(struct control *c, const struct err *e)
{
    pthread_mutex_lock(&c->lock);
    if (c->error.rc == RC_OK)
        c->error = *e;
    atomic_store(&c->stopping, true);
    /* The loop closes under the lock, so it is open or closed as a whole: the state's thread may
     * fail at any time. */
    control_wake_always(c);
    pthread_mutex_unlock(&c->lock);
}

void control_fail_nomem(struct control *c)
{
    struct err e;
    (void)err_nomem(&e);
    control_fail(c, &e);
}

void control_stop(struct control *c, int signal_number)
{
    if (c->stop_timer && !atomic_load(&c->signal_number))
        stop_timer_start(c->stop_timer, CONTROL_GRACE_MS);
    atomic_store(&c->signal_number, signal_number);
    atomic_store(&c->stopping, true);
    control_wake_always(c); /* this is the thread that would close the loop */
}

struct err control_error(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    struct err error = c->error;
    pthread_mutex_unlock(&c->lock);
    return error;
}

/* ---- threads -------------------------------------------------------------------------------- */

enum rc control_start_thread(struct control *c, struct control_thread *thread,
                             void *(*main)(void *), void *arg)
{
    pthread_mutex_lock(&c->lock);
    thread->started = thread_start(&thread->id, main, arg) == 0;
    c->threads_running += thread->started; /* it cannot end before this: it needs the lock */
    pthread_mutex_unlock(&c->lock);
    return thread->started ? RC_OK : RC_NOMEM;
}

void control_join_thread(struct control_thread *thread)
{
    if (thread->started)
        (void)pthread_join(thread->id, NULL);
    thread->started = false;
}

void control_thread_ended(struct control *c)
{
    /* Both under the lock: the loop closes its handle once it sees that no thread is left, and must
     * not see that before the wake-up is out. */
    pthread_mutex_lock(&c->lock);
    c->threads_running--;
    control_wake_always(c);
    pthread_mutex_unlock(&c->lock);
}

bool control_has_threads(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    bool any = c->threads_running > 0;
    pthread_mutex_unlock(&c->lock);
    return any;
}
