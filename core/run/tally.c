#include "core/run/tally.h"

#include <stdlib.h>

#include "core/base/checked.h"

void tally_free(struct tally *t)
{
    free(t->holes);
    *t = (struct tally){0};
}

/* Room for `more` holes. */
static enum rc reserve(struct tally *t, uint64_t more)
{
    size_t n;
    size_t bytes;
    size_t cap = t->cap_holes ? t->cap_holes : 64;
    if (!size_add(t->n_holes, more, &n))
        return RC_NOMEM;
    if (n <= t->cap_holes)
        return RC_OK;
    while (cap < n) {
        if (!size_mul(cap, 2, &cap))
            return RC_NOMEM;
    }
    uint64_t *holes = size_mul(cap, sizeof *holes, &bytes) ? realloc(t->holes, bytes) : NULL;
    if (!holes)
        return RC_NOMEM;
    t->holes = holes;
    t->cap_holes = cap;
    return RC_OK;
}

enum rc tally_load(struct tally *t, const struct state_checkpoint *c)
{
    enum rc rc = reserve(t, c->n_holes);
    if (rc != RC_OK)
        return rc;
    t->sums = c->tally;
    t->n_holes = c->n_holes;
    if (c->n_holes)
        memcpy(t->holes, c->holes, c->n_holes * sizeof *c->holes);
    return RC_OK;
}

/* The first hole that is not below `place`. */
static size_t find_hole(const struct tally *t, uint64_t place)
{
    size_t low = 0;
    size_t high = t->n_holes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->holes[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool tally_is_done(const struct tally *t, uint64_t place)
{
    size_t i = find_hole(t, place);
    return place < t->sums.high && (i == t->n_holes || t->holes[i] != place);
}

void tally_add_key(struct state_tally *sums, uint64_t place,
                   const unsigned char key[LEAD_KEY_BYTES])
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, key, sizeof a);
    memcpy(&b, key + sizeof a, sizeof b);
    sums->key_a += a * (2 * place + 1);
    sums->key_b += (b ^ place) * UINT64_C(0x9E3779B97F4A7C15); /* odd: nothing is lost */
}

enum rc tally_note(struct tally *t, uint64_t place, const unsigned char key[LEAD_KEY_BYTES])
{
    struct state_tally *sums = &t->sums;
    if (place >= sums->high) {
        enum rc rc = reserve(t, place - sums->high);
        if (rc != RC_OK)
            return rc;
        while (sums->high < place)
            t->holes[t->n_holes++] = sums->high++;
        sums->high = place + 1;
    } else {
        size_t i = find_hole(t, place);
        if (i < t->n_holes && t->holes[i] == place) {
            t->n_holes--;
            memmove(t->holes + i, t->holes + i + 1, (t->n_holes - i) * sizeof *t->holes);
        }
    }
    tally_add_key(sums, place, key);
    return RC_OK;
}
