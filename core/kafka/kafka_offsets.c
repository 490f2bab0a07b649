#include "core/kafka/kafka_offsets.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"

#define BITS_MIN ((size_t)1024)
#define FORGOTTEN SIZE_MAX

/* Messages of one partition whose offsets and numbers are both successive, or none. */
struct stretch {
    uint64_t first_number, n;
    size_t partition; /* FORGOTTEN: of none any more */
    int64_t first;
    int64_t after; /* where the partition continues */
};

struct kafka_offsets {
    size_t n_partitions;
    int64_t *places; /* of each partition, behind the stretches that are gone */
    struct stretch *stretches;
    size_t at, end, cap; /* those in use: from `at` */
    uint64_t read, done;
    unsigned char *bits; /* of message m: bit m modulo their number; of those after `done` */
    size_t n_bits;       /* a power of 2 */
};

enum rc kafka_offsets_new(struct kafka_offsets **out, size_t n_partitions)
{
    struct kafka_offsets *t = calloc(1, sizeof *t);
    if (!t)
        return RC_NOMEM;
    t->places = calloc(n_partitions + 1, sizeof *t->places);
    t->bits = calloc(BITS_MIN / 8, 1);
    t->n_bits = BITS_MIN;
    t->n_partitions = n_partitions;
    if (!t->places || !t->bits) {
        kafka_offsets_free(t);
        return RC_NOMEM;
    }
    for (size_t i = 0; i < n_partitions; i++)
        t->places[i] = KAFKA_OFFSET_NONE;
    *out = t;
    return RC_OK;
}

void kafka_offsets_free(struct kafka_offsets *t)
{
    if (!t)
        return;
    free(t->places);
    free(t->stretches);
    free(t->bits);
    free(t);
}

/* ---- bits ------------------------------------------------------------------------------------ */

static bool has_bit(const struct kafka_offsets *t, uint64_t n)
{
    size_t i = (size_t)(n & (t->n_bits - 1));
    return t->bits[i / 8] >> i % 8 & 1;
}

static void set_bit(unsigned char *bits, size_t n_bits, uint64_t n, bool value)
{
    size_t i = (size_t)(n & (n_bits - 1));
    unsigned char bit = (unsigned char)(1u << i % 8);
    bits[i / 8] = (unsigned char)(value ? bits[i / 8] | bit : bits[i / 8] & ~bit);
}

/* Room for one more message. */
static enum rc reserve_bit(struct kafka_offsets *t)
{
    if (t->read - t->done + 1 < t->n_bits)
        return RC_OK;
    if (t->n_bits > SIZE_MAX / 4)
        return RC_NOMEM;
    unsigned char *bits = calloc(t->n_bits * 2 / 8, 1);
    if (!bits)
        return RC_NOMEM;
    for (uint64_t n = t->done + 1; n <= t->read; n++)
        set_bit(bits, t->n_bits * 2, n, has_bit(t, n));
    free(t->bits);
    t->bits = bits;
    t->n_bits *= 2;
    return RC_OK;
}

/* ---- stretches ------------------------------------------------------------------------------- */

/* Where the partition continues when the first `n` messages are done; false: before the stretch. */
static bool stretch_place(const struct stretch *s, uint64_t n, int64_t *out)
{
    if (n + 1 >= s->first_number + s->n)
        *out = s->after;
    else if (n >= s->first_number)
        *out = s->first + (int64_t)(n - s->first_number + 1);
    else
        return false;
    return true;
}

/* Those that are done as a whole are not needed any more. */
static void drop_done(struct kafka_offsets *t)
{
    for (; t->at < t->end; t->at++) {
        const struct stretch *s = &t->stretches[t->at];
        if (t->done + 1 < s->first_number + s->n)
            break;
        if (s->partition != FORGOTTEN)
            t->places[s->partition] = s->after;
    }
}

static enum rc add_stretch(struct kafka_offsets *t, const struct stretch *s)
{
    if (t->stretches && t->end == t->cap) {
        drop_done(t);
        t->end -= t->at;
        memmove(t->stretches, t->stretches + t->at, t->end * sizeof *t->stretches);
        t->at = 0;
    }
    /* Where more than half is in use, they would be moved again soon. */
    if (!t->stretches || (t->at == 0 && t->end > t->cap / 2)) {
        struct stretch *more = list_grow(t->stretches, t->cap, &t->cap, sizeof *more);
        if (!more)
            return RC_NOMEM;
        t->stretches = more;
    }
    t->stretches[t->end++] = *s;
    return RC_OK;
}

enum rc kafka_offsets_add(struct kafka_offsets *t, size_t partition, int64_t offset)
{
    struct stretch *last = t->at < t->end ? &t->stretches[t->end - 1] : NULL;
    if (reserve_bit(t) != RC_OK)
        return RC_NOMEM;
    bool follows = last && last->partition == partition && last->after == offset &&
                   last->after == last->first + (int64_t)last->n;
    if (follows) {
        last->n++;
        last->after++;
    } else {
        const struct stretch s = {t->read + 1, 1, partition, offset, offset + 1};
        if (add_stretch(t, &s) != RC_OK)
            return RC_NOMEM;
    }
    t->read++;
    set_bit(t->bits, t->n_bits, t->read, false);
    return RC_OK;
}

enum rc kafka_offsets_skip(struct kafka_offsets *t, size_t partition, int64_t position)
{
    struct stretch *last = t->at < t->end ? &t->stretches[t->end - 1] : NULL;
    if (last && last->partition == partition) {
        last->after = position > last->after ? position : last->after;
        return RC_OK;
    }
    const struct stretch s = {t->read + 1, 0, partition, position, position};
    return add_stretch(t, &s);
}

void kafka_offsets_forget(struct kafka_offsets *t, size_t partition)
{
    t->places[partition] = KAFKA_OFFSET_NONE;
    for (size_t i = t->at; i < t->end; i++) {
        if (t->stretches[i].partition == partition)
            t->stretches[i].partition = FORGOTTEN;
    }
}

/* ---- what is done ---------------------------------------------------------------------------- */

uint64_t kafka_offsets_read(const struct kafka_offsets *t)
{
    return t->read;
}

uint64_t kafka_offsets_done(const struct kafka_offsets *t)
{
    return t->done;
}

uint64_t kafka_offsets_extend(const struct kafka_offsets *t, uint64_t n)
{
    if (n < t->done)
        n = t->done;
    while (n < t->read && has_bit(t, n + 1))
        n++;
    return n;
}

void kafka_offsets_settle(struct kafka_offsets *t, uint64_t n)
{
    if (n <= t->done || n > t->read)
        return;
    set_bit(t->bits, t->n_bits, n, true);
    t->done = kafka_offsets_extend(t, t->done);
}

void kafka_offsets_settle_to(struct kafka_offsets *t, uint64_t n)
{
    if (n > t->read)
        n = t->read;
    t->done = kafka_offsets_extend(t, n);
}

void kafka_offsets_place(struct kafka_offsets *t, uint64_t n, int64_t out[])
{
    drop_done(t);
    memcpy(out, t->places, t->n_partitions * sizeof *out);
    for (size_t i = t->at; i < t->end; i++) {
        int64_t place;
        if (!stretch_place(&t->stretches[i], n, &place))
            break;
        if (t->stretches[i].partition != FORGOTTEN)
            out[t->stretches[i].partition] = place;
    }
}

bool kafka_offsets_waits(const struct kafka_offsets *t, size_t partition, uint64_t n)
{
    for (size_t i = t->end; i > t->at; i--) {
        const struct stretch *s = &t->stretches[i - 1];
        if (n + 1 >= s->first_number + s->n)
            break;
        if (s->partition == partition)
            return true;
    }
    return false;
}
