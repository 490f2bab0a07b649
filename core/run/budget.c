#include "core/run/budget.h"

void budget_init(struct budget *b, size_t limit)
{
    b->limit = limit;
    b->shared = limit / 2;
    atomic_init(&b->used, 0);
}

bool budget_fits(const struct budget *b, size_t others, size_t bytes, enum budget_who who)
{
    size_t limit = who == BUDGET_FIRST ? b->limit : b->shared;
    return others <= limit && bytes <= limit - others;
}

bool budget_take(struct budget *b, size_t bytes, enum budget_who who)
{
    size_t used = atomic_load(&b->used);
    do {
        if (!budget_fits(b, used, bytes, who))
            return false;
    } while (!atomic_compare_exchange_weak(&b->used, &used, used + bytes));
    return true;
}

void budget_add(struct budget *b, size_t bytes)
{
    atomic_fetch_add(&b->used, bytes);
}

void budget_give(struct budget *b, size_t bytes)
{
    atomic_fetch_sub(&b->used, bytes);
}
