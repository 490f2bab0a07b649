#include "core/run/progress.h"

#include <stdlib.h>

#include "core/base/checked.h"

void progress_free(struct progress *t)
{
    free(t->gaps);
    *t = (struct progress){0};
}

/* Room for `more` gaps. */
static enum rc reserve(struct progress *t, uint64_t more)
{
    size_t n;
    size_t bytes;
    size_t cap = t->cap_gaps ? t->cap_gaps : 64;
    if (!size_add(t->n_gaps, more, &n))
        return RC_NOMEM;
    if (n <= t->cap_gaps)
        return RC_OK;
    while (cap < n) {
        if (!size_mul(cap, 2, &cap))
            return RC_NOMEM;
    }
    uint64_t *gaps = size_mul(cap, sizeof *gaps, &bytes) ? realloc(t->gaps, bytes) : NULL;
    if (!gaps)
        return RC_NOMEM;
    t->gaps = gaps;
    t->cap_gaps = cap;
    return RC_OK;
}

enum rc progress_load(struct progress *t, const struct state_checkpoint *c)
{
    enum rc rc = reserve(t, c->n_gaps);
    if (rc != RC_OK)
        return rc;
    t->sums = c->progress;
    t->n_gaps = c->n_gaps;
    if (c->n_gaps)
        memcpy(t->gaps, c->gaps, c->n_gaps * sizeof *c->gaps);
    return RC_OK;
}

/* The first gap that is not below `seq`. */
static size_t find_gaps(const struct progress *t, uint64_t seq)
{
    size_t low = 0;
    size_t high = t->n_gaps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->gaps[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool progress_is_done(const struct progress *t, uint64_t seq)
{
    size_t i = find_gaps(t, seq);
    return seq < t->sums.high && (i == t->n_gaps || t->gaps[i] != seq);
}

void progress_add_key(struct state_progress *sums, uint64_t number,
                      const unsigned char key[LEAD_KEY_BYTES])
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, key, sizeof a);
    memcpy(&b, key + sizeof a, sizeof b);
    sums->key_a += a * (2 * number + 1);
    sums->key_b += (b ^ number) * UINT64_C(0x9E3779B97F4A7C15); /* odd: nothing is lost */
}

enum rc progress_note(struct progress *t, uint64_t seq, uint64_t number,
                      const unsigned char key[LEAD_KEY_BYTES])
{
    struct state_progress *sums = &t->sums;
    if (seq >= sums->high) {
        enum rc rc = reserve(t, seq - sums->high);
        if (rc != RC_OK)
            return rc;
        while (sums->high < seq)
            t->gaps[t->n_gaps++] = sums->high++;
        sums->high = seq + 1;
    } else {
        size_t i = find_gaps(t, seq);
        if (i < t->n_gaps && t->gaps[i] == seq) {
            t->n_gaps--;
            memmove(t->gaps + i, t->gaps + i + 1, (t->n_gaps - i) * sizeof *t->gaps);
        }
    }
    progress_add_key(sums, number, key);
    return RC_OK;
}
