/* A ceiling of memory: bytes to room or no room. Knows nothing of what the bytes are for. Any thread.
 * Private to core/run.
 *
 * There are two limits. What many ask for at a time goes up to the shared one, which is half of the
 * ceiling; so whoever is first in line, and may go up to the ceiling, finds as much again. One that
 * needs more than that has to wait until it is alone, and may then have all. */
#ifndef LEADPIPE_BUDGET_H
#define LEADPIPE_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    size_t limit, shared; /* bytes; constant */
    atomic_size_t used;
};

enum budget_who {
    BUDGET_ANYONE,
    BUDGET_FIRST, /* in line, or alone */
};

void budget_init(struct budget *b, size_t limit);

/* Charges `bytes`. False: no room, and nothing is charged. */
bool budget_take(struct budget *b, size_t bytes, enum budget_who who);

/* Charges what is there already, room or no room. */
void budget_add(struct budget *b, size_t bytes);

/* Gives back what was charged. */
void budget_give(struct budget *b, size_t bytes);

static inline size_t budget_used(const struct budget *b)
{
    return atomic_load(&b->used);
}

/* Would `bytes` fit beside `others`? */
bool budget_fits(const struct budget *b, size_t others, size_t bytes, enum budget_who who);

#endif
