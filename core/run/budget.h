/* A memory budget: says whether there is room for a number of bytes, whatever they are for. Any thread.
 * Private to core/run.
 *
 * There are two limits. Ordinary requests together may use up to the shared limit, which is half of the
 * budget. Whoever is first in line may use the whole budget, so there is always at least half of it left
 * for that one. One that needs more has to wait until it is alone; then it may have all. */
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

/* Charges `bytes` whether there is room or not: for memory that is in use already. */
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
