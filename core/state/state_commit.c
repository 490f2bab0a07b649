#include "core/state/state_internal.h"

#include "core/base/thread.h"

/* What nobody waits for may wait this long for company: a commit is an fsync. */
#define COMMIT_SOON_MS 50

/* ---- the lock ------------------------------------------------------------------------------- */

void state_hold(struct state *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->depth++;
}

void state_release(struct state *s)
{
    bool reports = s->depth == 1 && s->failed.rc != RC_OK && !s->failure_reported;
    struct err failed;
    if (reports) {
        failed = s->failed;
        s->failure_reported = true;
    }
    s->depth--;
    (void)pthread_mutex_unlock(&s->lock);
    if (reports && s->on_failed)
        s->on_failed(s->ctx, &failed);
}

enum rc state_enter(struct state *s, struct err *e)
{
    state_hold(s);
    if (s->failed.rc == RC_OK)
        return RC_OK;
    enum rc rc = s->failed.rc;
    if (e)
        *e = s->failed;
    state_release(s);
    return rc;
}

enum rc state_enter_write(struct state *s, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc == RC_OK && (rc = state_begin_transaction(s, e)) != RC_OK)
        state_release(s);
    return rc;
}

enum rc state_leave(struct state *s, enum rc rc)
{
    state_release(s);
    return rc;
}

/* ---- commits -------------------------------------------------------------------------------- */

enum rc state_begin_transaction(struct state *s, struct err *e)
{
    return sqlite3_get_autocommit(s->db) ? state_run_sql(s, SQL_BEGIN, e) : RC_OK;
}

static void append(struct state_waiters *list, struct state_waiter *w)
{
    w->next = NULL;
    *list->end = w;
    list->end = &w->next;
}

static struct state_waiter *take_all(struct state_waiters *list)
{
    struct state_waiter *first = list->first;
    list->first = NULL;
    list->end = &list->first;
    return first;
}

enum rc state_commit(struct state *s, struct err *e)
{
    enum rc rc = state_flush_notes(s, e);
    if (rc == RC_OK && !sqlite3_get_autocommit(s->db))
        rc = state_run_sql(s, SQL_COMMIT, e);
    if (rc != RC_OK)
        return rc;
    s->commit_due = false;
    if (s->waiting.first) { /* they are called by the state's own thread */
        *s->durable.end = s->waiting.first;
        s->durable.end = s->waiting.end;
        (void)take_all(&s->waiting);
        state_wake(s);
    }
    return RC_OK;
}

/* ---- the thread ----------------------------------------------------------------------------- */

void state_wake(struct state *s)
{
    (void)pthread_cond_signal(&s->wake);
}

/* Outside of the lock: they may do anything. They are their owners' again once they are called. */
static void call_all(struct state *s, struct state_waiter *w, enum rc rc)
{
    state_release(s);
    while (w) {
        struct state_waiter *next = w->next;
        w->fn(w, rc);
        w = next;
    }
    state_hold(s);
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static bool is_past(const struct timespec *t)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return !is_before(&now, t);
}

static bool wants_commit(const struct state *s)
{
    return s->failed.rc == RC_OK &&
           (s->waiting.first || (s->commit_due && (s->quitting || is_past(&s->commit_at))));
}

/* One thing at a time, then it checks again; false: there is nothing to do. */
static bool commit_step(struct state *s)
{
    if (s->durable.first)
        call_all(s, take_all(&s->durable), RC_OK);
    else if (s->failed.rc != RC_OK && s->waiting.first)
        call_all(s, take_all(&s->waiting), s->failed.rc);
    else if (wants_commit(s))
        (void)state_commit(s, NULL); /* an error sticks */
    else
        return false;
    return true;
}

static void *commit_main(void *state)
{
    struct state *s = state;
    state_hold(s);
    for (;;) {
        if (commit_step(s)) {
            state_release(
                s); /* whoever waits for the lock comes first; and failures are reported */
            state_hold(s);
        } else if (s->quitting) {
            break;
        } else if (s->commit_due && s->failed.rc == RC_OK) {
            s->depth--; /* others have the lock meanwhile */
            (void)pthread_cond_timedwait(&s->wake, &s->lock, &s->commit_at);
            s->depth++;
        } else {
            s->depth--;
            (void)pthread_cond_wait(&s->wake, &s->lock);
            s->depth++;
        }
    }
    state_release(s);
    return NULL;
}

static enum rc start_thread(struct state *s, struct err *e)
{
    if (s->has_thread)
        return RC_OK;
    int failed = thread_start(&s->thread, commit_main, s);
    if (failed) {
        struct err why;
        (void)err_sys(&why, RC_NOMEM, failed, "%s: cannot start a thread for its commits", s->path);
        return state_stick(s, &why, e);
    }
    s->has_thread = true;
    return RC_OK;
}

enum rc state_commit_within(struct state *s, int64_t ms, struct err *e)
{
    struct timespec at;
    enum rc rc = start_thread(s, e);
    if (rc != RC_OK)
        return rc;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    if (s->commit_due && is_before(&s->commit_at, &at))
        return RC_OK;
    s->commit_at = at;
    s->commit_due = true;
    state_wake(s);
    return RC_OK;
}

enum rc state_commit_soon(struct state *s, struct err *e)
{
    return state_commit_within(s, COMMIT_SOON_MS, e);
}

void state_when_durable(struct state *s, struct state_waiter *w)
{
    state_hold(s);
    enum rc rc = s->failed.rc;
    if (rc == RC_OK)
        rc = start_thread(s, NULL);
    if (rc == RC_OK) {
        append(&s->waiting, w);
        state_wake(s);
    }
    state_release(s);
    if (rc != RC_OK)
        w->fn(w, rc);
}

/* ---- setting up, taking down ---------------------------------------------------------------- */

static int make_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    int failed = pthread_mutexattr_init(&attr);
    if (failed)
        return failed;
    failed = pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    if (!failed)
        failed = pthread_mutex_init(lock, &attr);
    (void)pthread_mutexattr_destroy(&attr);
    return failed;
}

static int make_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    if (failed)
        return failed;
    failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (!failed)
        failed = pthread_cond_init(wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    return failed;
}

bool state_commit_init(struct state *s)
{
    (void)take_all(&s->waiting);
    (void)take_all(&s->durable);
    if (make_lock(&s->lock) != 0)
        return false;
    if (make_wake(&s->wake) == 0)
        return true;
    (void)pthread_mutex_destroy(&s->lock);
    return false;
}

void state_commit_stop(struct state *s)
{
    state_hold(s);
    s->quitting = true;
    state_wake(s);
    state_release(s);
    if (s->has_thread)
        (void)pthread_join(s->thread, NULL);
    s->has_thread = false;
}

void state_commit_destroy(struct state *s)
{
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
}
