#include "core/run/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define DELAY_NS 150000 /* for each item of the last time */
#define DELAY_NS_MAX 1000000

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    /* all below: under `lock` */
    void **items;
    size_t capacity, head, len;
    size_t popped;           /* by the last queue_pop() */
    size_t poppers, pushers; /* threads that wait */
    bool closed;
};

enum rc queue_new(struct queue **out, size_t capacity)
{
    struct queue *q = calloc(1, sizeof *q);
    if (!q)
        return RC_NOMEM;
    q->items = calloc(capacity, sizeof *q->items);
    if (!q->items)
        goto no_items;
    q->capacity = capacity;
    if (pthread_mutex_init(&q->lock, NULL))
        goto no_lock;
    if (pthread_cond_init(&q->not_empty, NULL))
        goto no_not_empty;
    if (pthread_cond_init(&q->not_full, NULL))
        goto no_not_full;
    *out = q;
    return RC_OK;

no_not_full:
    pthread_cond_destroy(&q->not_empty);
no_not_empty:
    pthread_mutex_destroy(&q->lock);
no_lock:
    free(q->items);
no_items:
    free(q);
    return RC_NOMEM;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    pthread_cond_destroy(&q->not_full);
    pthread_cond_destroy(&q->not_empty);
    pthread_mutex_destroy(&q->lock);
    free(q->items);
    free(q);
}

/* Under the lock: moves as many as fit. */
static size_t put_some(struct queue *q, void *const items[], size_t n)
{
    size_t room = q->capacity - q->len;
    if (n > room)
        n = room;
    for (size_t i = 0; i < n; i++)
        q->items[(q->head + q->len + i) % q->capacity] = items[i];
    q->len += n;
    return n;
}

enum rc queue_push(struct queue *q, void *const items[], size_t n, size_t *done)
{
    size_t put = 0;
    bool wakes = false;
    pthread_mutex_lock(&q->lock);
    while (put < n && !q->closed) {
        size_t some = put_some(q, items + put, n - put);
        put += some;
        wakes = some && q->poppers;
        if (put == n)
            break;
        if (wakes)
            pthread_cond_signal(&q->not_empty);
        wakes = false;
        q->pushers++;
        pthread_cond_wait(&q->not_full, &q->lock);
        q->pushers--;
    }
    pthread_mutex_unlock(&q->lock);
    if (wakes) /* after unlocking, because the thread needs the lock as soon as it wakes */
        pthread_cond_signal(&q->not_empty);
    if (done)
        *done = put;
    return put == n ? RC_OK : RC_CLOSED;
}

/* Under the lock. */
static size_t take_some(struct queue *q, void *items[], size_t max)
{
    size_t n = q->len < max ? q->len : max;
    for (size_t i = 0; i < n; i++)
        items[i] = q->items[(q->head + i) % q->capacity];
    q->head = (q->head + n) % q->capacity;
    q->len -= n;
    if (n && q->pushers)
        pthread_cond_broadcast(&q->not_full);
    if (q->len && q->poppers)
        pthread_cond_signal(&q->not_empty); /* one wakes the next */
    return n;
}

void queue_delay(size_t n)
{
    size_t most = DELAY_NS_MAX / DELAY_NS;
    long ns = n > most ? DELAY_NS_MAX : n > 1 ? (long)n * DELAY_NS : DELAY_NS;
    const struct timespec while_others_work = {.tv_nsec = ns};
    (void)nanosleep(&while_others_work, NULL); /* a shorter sleep does no harm */
}

/* Waits for items, until `until` (NULL: for ever). Under the lock, which is released meanwhile. 0 or ETIMEDOUT. */
static int wait_for_items(struct queue *q, size_t max, const struct timespec *until)
{
    q->poppers++;
    int error = until ? pthread_cond_timedwait(&q->not_empty, &q->lock, until)
                      : pthread_cond_wait(&q->not_empty, &q->lock);
    q->poppers--;
    if (error || q->closed || q->len == 0 || q->len >= max)
        return error;
    size_t n = q->popped;
    pthread_mutex_unlock(&q->lock);
    queue_delay(n);
    pthread_mutex_lock(&q->lock);
    return 0;
}

size_t queue_pop(struct queue *q, void *items[], size_t max)
{
    pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->closed)
        (void)wait_for_items(q, max, NULL);
    size_t n = take_some(q, items, max);
    q->popped = n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

static struct timespec time_in(int64_t ms)
{
    struct timespec t;
    /* The clock of pthread_cond_timedwait(). If it is set meanwhile, the wait is longer or shorter. */
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    return t;
}

size_t queue_pop_within(struct queue *q, void *items[], size_t max, int64_t ms, bool *timed_out)
{
    const struct timespec until = time_in(ms);
    int error = 0;
    pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->closed && !error)
        error = wait_for_items(q, max, &until);
    *timed_out = q->len == 0 && !q->closed;
    size_t n = take_some(q, items, max);
    q->popped = n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

size_t queue_try_pop(struct queue *q, void *items[], size_t max)
{
    pthread_mutex_lock(&q->lock);
    size_t n = take_some(q, items, max);
    pthread_mutex_unlock(&q->lock);
    return n;
}

void queue_close(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_cond_broadcast(&q->not_full);
    pthread_mutex_unlock(&q->lock);
}

bool queue_ended(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool ended = q->closed && q->len == 0;
    pthread_mutex_unlock(&q->lock);
    return ended;
}
