#include "delay_timers.h"

#include <stdlib.h>

static void put(struct timers *h, size_t place, struct timer *t)
{
    h->heap[place] = t;
    t->place = place;
}

static void move_up(struct timers *h, size_t place)
{
    struct timer *t = h->heap[place];
    while (place > 1 && h->heap[place / 2]->due_us > t->due_us) {
        put(h, place, h->heap[place / 2]);
        place /= 2;
    }
    put(h, place, t);
}

static void move_down(struct timers *h, size_t place)
{
    struct timer *t = h->heap[place];
    for (;;) {
        size_t child = place * 2;
        if (child > h->n)
            break;
        if (child < h->n && h->heap[child + 1]->due_us < h->heap[child]->due_us)
            child++;
        if (h->heap[child]->due_us >= t->due_us)
            break;
        put(h, place, h->heap[child]);
        place = child;
    }
    put(h, place, t);
}

int timers_add(struct timers *h, struct timer *t)
{
    if (h->n + 1 >= h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        struct timer **heap = realloc(h->heap, cap * sizeof(struct timer *));
        if (!heap)
            return -1;
        h->heap = heap;
        h->cap = cap;
    }
    put(h, ++h->n, t);
    move_up(h, h->n);
    return 0;
}

void timers_remove(struct timers *h, struct timer *t)
{
    size_t place = t->place;
    if (place == 0)
        return;
    t->place = 0;
    struct timer *last = h->heap[h->n--];
    if (last == t)
        return;
    put(h, place, last);
    move_up(h, place);
    move_down(h, last->place);
}

struct timer *timers_first(const struct timers *h)
{
    return h->n ? h->heap[1] : NULL;
}

void timers_free(struct timers *h)
{
    free(h->heap);
    *h = (struct timers){0};
}
