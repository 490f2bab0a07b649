#include "core/run/ring.h"

#include "core/base/cache_line.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/run/run_lead.h"
#include "core/run/queue.h"

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct lead **slots; /* under `lock` */
    size_t n_slots;
    bool keep_input_order;
    bool taker_waits;  /* under `lock` */
    bool poked;        /* under `lock` */
    bool closed;       /* under `lock` */
    size_t last_taken; /* ring_take() only: how many it took the last time */
    CACHE_LINE_PADDING(before);
    /* Atomic, so that the loop needs no lock to see whether there is room. */
    atomic_uint_least64_t reserved; /* n_slots given out; written by ring_reserve() */
    CACHE_LINE_PADDING(after);
    atomic_uint_least64_t completed; /* written under `lock` */
    atomic_uint_least64_t taken;     /* written under `lock` */
};

enum rc ring_new(struct ring **out, size_t n_slots, bool keep_input_order)
{
    struct ring *r = calloc(1, sizeof *r);
    if (!r)
        return RC_NOMEM;
    r->slots = calloc(n_slots, sizeof(struct lead *));
    if (!r->slots || pthread_mutex_init(&r->lock, NULL))
        goto no_lock;
    if (pthread_cond_init(&r->ready, NULL))
        goto no_cond;
    r->n_slots = n_slots;
    r->keep_input_order = keep_input_order;
    *out = r;
    return RC_OK;

no_cond:
    pthread_mutex_destroy(&r->lock);
no_lock:
    free(r->slots);
    free(r);
    return RC_NOMEM;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_slots; i++)
        lead_free(r->slots[i]);
    pthread_cond_destroy(&r->ready);
    pthread_mutex_destroy(&r->lock);
    free(r->slots);
    free(r);
}

bool ring_has_room(struct ring *r)
{
    return atomic_load(&r->reserved) - atomic_load(&r->taken) < r->n_slots;
}

void ring_reserve(struct ring *r, struct lead *lead)
{
    lead->run->slot = atomic_fetch_add(&r->reserved, 1);
}

void ring_complete(struct ring *r, struct lead *const leads[], size_t n)
{
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = r->keep_input_order ? leads[i]->run->slot : r->completed;
        r->slots[at % r->n_slots] = leads[i];
        r->completed++;
    }
    bool wakes = r->taker_waits && r->slots[r->taken % r->n_slots];
    pthread_mutex_unlock(&r->lock);
    if (wakes) /* after unlocking, because the thread needs the lock as soon as it wakes */
        pthread_cond_signal(&r->ready);
}

bool ring_is_first(struct ring *r, const struct lead *lead)
{
    return r->keep_input_order && atomic_load(&r->taken) == lead->run->slot;
}

struct lead *ring_take_back(struct ring *r)
{
    struct lead *lead = NULL;
    pthread_mutex_lock(&r->lock);
    bool waits = r->keep_input_order && !r->slots[r->taken % r->n_slots];
    for (uint64_t end = r->reserved; waits && !lead && end > r->taken; end--) {
        struct lead **slot = &r->slots[(end - 1) % r->n_slots];
        if (!*slot || !(*slot)->run->ready)
            continue;
        lead = *slot;
        *slot = NULL;
        r->completed--;
    }
    pthread_mutex_unlock(&r->lock);
    return lead;
}

/* Under the lock. */
static size_t take_ready(struct ring *r, struct lead *leads[], size_t max)
{
    size_t n = 0;
    while (n < max && r->taken < r->reserved && r->slots[r->taken % r->n_slots]) {
        leads[n++] = r->slots[r->taken % r->n_slots];
        r->slots[r->taken % r->n_slots] = NULL;
        r->taken++;
    }
    return n;
}

bool ring_take(struct ring *r, struct lead *leads[], size_t max, size_t *n)
{
    pthread_mutex_lock(&r->lock);
    bool ended = false;
    while ((*n = take_ready(r, leads, max)) == 0 && !r->poked) {
        ended = r->closed && r->taken == r->completed;
        if (ended)
            break;
        r->taker_waits = true;
        pthread_cond_wait(&r->ready, &r->lock);
        r->taker_waits = false;
        pthread_mutex_unlock(&r->lock);
        queue_delay(r->last_taken);
        pthread_mutex_lock(&r->lock);
    }
    r->poked = false;
    pthread_mutex_unlock(&r->lock);
    r->last_taken = *n;
    return !ended;
}

void ring_poke(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->poked = true;
    pthread_cond_broadcast(&r->ready);
    pthread_mutex_unlock(&r->lock);
}

void ring_close(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->closed = true;
    pthread_cond_broadcast(&r->ready);
    pthread_mutex_unlock(&r->lock);
}

void ring_counts(struct ring *r, uint64_t *reserved, uint64_t *completed)
{
    /* In this order, so that `completed` is never more than `reserved`. */
    *completed = atomic_load(&r->completed);
    *reserved = atomic_load(&r->reserved);
}
