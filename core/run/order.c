#include "core/run/order.h"

#include "core/base/cache_line.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/run/lead_fate.h"
#include "core/run/queue.h"

struct order {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct lead **slots; /* under `lock` */
    size_t places;
    bool keep_input_order;
    bool taker_waits; /* under `lock` */
    bool poked;       /* under `lock` */
    bool closed;      /* under `lock` */
    size_t came;      /* the taker's own: how many it took the last time */
    CACHE_LINE_PADDING(before);
    /* Read anywhere, so that the loop needs no lock to see whether there is room. */
    atomic_uint_least64_t reserved; /* places given out; written by the one who reserves */
    CACHE_LINE_PADDING(after);
    atomic_uint_least64_t completed; /* written under `lock` */
    atomic_uint_least64_t taken;     /* written under `lock` */
};

enum rc order_new(struct order **out, size_t places, bool keep_input_order)
{
    struct order *o = calloc(1, sizeof *o);
    if (!o)
        return RC_NOMEM;
    o->slots = calloc(places, sizeof(struct lead *));
    if (!o->slots || pthread_mutex_init(&o->lock, NULL))
        goto no_lock;
    if (pthread_cond_init(&o->ready, NULL))
        goto no_cond;
    o->places = places;
    o->keep_input_order = keep_input_order;
    *out = o;
    return RC_OK;

no_cond:
    pthread_mutex_destroy(&o->lock);
no_lock:
    free(o->slots);
    free(o);
    return RC_NOMEM;
}

void order_free(struct order *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->places; i++)
        lead_free(o->slots[i]);
    pthread_cond_destroy(&o->ready);
    pthread_mutex_destroy(&o->lock);
    free(o->slots);
    free(o);
}

bool order_has_room(struct order *o)
{
    return atomic_load(&o->reserved) - atomic_load(&o->taken) < o->places;
}

void order_reserve(struct order *o, struct lead *lead)
{
    lead->slot = atomic_fetch_add(&o->reserved, 1);
}

void order_complete(struct order *o, struct lead *const leads[], size_t n)
{
    pthread_mutex_lock(&o->lock);
    for (size_t i = 0; i < n; i++) {
        uint64_t place = o->keep_input_order ? leads[i]->slot : o->completed;
        o->slots[place % o->places] = leads[i];
        o->completed++;
    }
    bool wakes = o->taker_waits && o->slots[o->taken % o->places];
    pthread_mutex_unlock(&o->lock);
    if (wakes) /* not under the lock, which is what it asks for next */
        pthread_cond_signal(&o->ready);
}

bool order_is_first(struct order *o, const struct lead *lead)
{
    return o->keep_input_order && atomic_load(&o->taken) == lead->slot;
}

struct lead *order_take_back(struct order *o)
{
    struct lead *lead = NULL;
    pthread_mutex_lock(&o->lock);
    bool waits = o->keep_input_order && !o->slots[o->taken % o->places];
    for (uint64_t place = o->reserved; waits && !lead && place > o->taken; place--) {
        struct lead **slot = &o->slots[(place - 1) % o->places];
        if (!*slot || !(*slot)->fate->ready)
            continue;
        lead = *slot;
        *slot = NULL;
        o->completed--;
    }
    pthread_mutex_unlock(&o->lock);
    return lead;
}

/* Under the lock. */
static size_t take_ready(struct order *o, struct lead *leads[], size_t max)
{
    size_t n = 0;
    while (n < max && o->taken < o->reserved && o->slots[o->taken % o->places]) {
        leads[n++] = o->slots[o->taken % o->places];
        o->slots[o->taken % o->places] = NULL;
        o->taken++;
    }
    return n;
}

bool order_take(struct order *o, struct lead *leads[], size_t max, size_t *n)
{
    pthread_mutex_lock(&o->lock);
    bool ended = false;
    while ((*n = take_ready(o, leads, max)) == 0 && !o->poked) {
        ended = o->closed && o->taken == o->completed;
        if (ended)
            break;
        o->taker_waits = true;
        pthread_cond_wait(&o->ready, &o->lock);
        o->taker_waits = false;
        pthread_mutex_unlock(&o->lock);
        queue_delay(o->came);
        pthread_mutex_lock(&o->lock);
    }
    o->poked = false;
    pthread_mutex_unlock(&o->lock);
    o->came = *n;
    return !ended;
}

void order_poke(struct order *o)
{
    pthread_mutex_lock(&o->lock);
    o->poked = true;
    pthread_cond_broadcast(&o->ready);
    pthread_mutex_unlock(&o->lock);
}

void order_close(struct order *o)
{
    pthread_mutex_lock(&o->lock);
    o->closed = true;
    pthread_cond_broadcast(&o->ready);
    pthread_mutex_unlock(&o->lock);
}

void order_counts(struct order *o, uint64_t *reserved, uint64_t *completed)
{
    /* In this order: so completed is never more than reserved. */
    *completed = atomic_load(&o->completed);
    *reserved = atomic_load(&o->reserved);
}
