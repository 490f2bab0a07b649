#include "sinks/parquet/chunk.h"

#include <stdlib.h>

/* Its functions come with its header: that of a short text is a few instructions. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/base/copy.h"
#include "sinks/parquet/little_endian.h"
#include "sinks/parquet/rle.h"

/* The dictionary is given up where it saves less than a quarter; considered at every power of two. */
#define CONSIDER_VALUES_MIN 1024
#define INDEX_BYTES_GUESS 2
#define SLOTS_MIN 8
#define CHUNK_BYTES_MIN 256 /* what the buffers of a chunk with one value take */

void chunk_init(struct chunk *c, enum physical_type type, uint64_t seed, size_t *held)
{
    *c = (struct chunk){.type = type, .seed = seed};
    c->held = held;
    c->has_dictionary = type != PHYSICAL_BOOLEAN;
    buf_init(&c->runs, SIZE_MAX / 2);
    buf_init(&c->data, CHUNK_DATA_BYTES_MAX);
    buf_init(&c->indexes, SIZE_MAX / 2);
}

/* Where row groups end depends on this, so it says nothing of capacities, which are others after a mark. What
 * chunk_put() adds to *held, piece by piece, comes to the same. */
static size_t chunk_held(const struct chunk *c)
{
    return c->n_values == 0 ? 0
                            : CHUNK_BYTES_MIN + c->runs.len + c->data.len + c->indexes.len +
                                  c->n_slots * sizeof *c->slots;
}

static void free_slots(struct chunk *c)
{
    free(c->slots);
    c->slots = NULL;
    c->n_slots = 0;
    c->last = (struct dictionary_slot){0};
}

void chunk_free(struct chunk *c)
{
    buf_free(&c->runs);
    buf_free(&c->data);
    buf_free(&c->indexes);
    free_slots(c);
}

void chunk_reset(struct chunk *c)
{
    if (c->n_values == 0)
        return;
    *c->held -= chunk_held(c);
    chunk_free(c);
    chunk_init(c, c->type, c->seed, c->held);
}

/* buf_reserve() of a buffer that has not failed: a column that has is not used any more. */
static inline char *room_in(struct buf *b, size_t n)
{
    return n <= b->cap - b->len ? b->data + b->len : buf_reserve_more(b, n);
}

/* ---- null or not ---------------------------------------------------------------------------- */

/* Its count stands in the chunk, too: to read what is at the end of `runs` of every column would be to wait for memory. */
static enum rc begin_run(struct chunk *c, uint32_t n_null)
{
    const uint32_t run[] = {n_null, 1};
    char *room = room_in(&c->runs, sizeof run);
    if (!room)
        return c->runs.rc;
    memcpy(room, run, sizeof run);
    c->runs.len += sizeof run;
    c->run = 1;
    *c->held += sizeof run + (c->n_values == 0 ? CHUNK_BYTES_MIN : 0);
    return RC_OK;
}

/* A value after so many that are null. */
static inline enum rc put_run(struct chunk *c, uint32_t n_null)
{
    if (n_null > 0 || c->runs.len == 0)
        return begin_run(c, n_null);
    uint32_t run = ++c->run;
    memcpy(c->runs.data + c->runs.len - sizeof run, &run, sizeof run);
    return RC_OK;
}

/* ---- the dictionary ------------------------------------------------------------------------- */

static inline size_t plain_bytes(const struct chunk *c, struct str value)
{
    return value.len + (c->type == PHYSICAL_BYTE_ARRAY ? sizeof(uint32_t) : 0);
}

static inline enum rc put_plain(struct chunk *c, struct str value)
{
    size_t n = plain_bytes(c, value);
    char *room = room_in(&c->data, n);
    if (!room)
        return c->data.rc;
    if (n > value.len)
        le32_put(room, (uint32_t)value.len);
    if (value.len)
        copy_bytes(room + (n - value.len), value.ptr, value.len);
    c->data.len += n;
    *c->held += n;
    return RC_OK;
}

static inline enum rc put_index(struct chunk *c, uint32_t index)
{
    char *room = room_in(&c->indexes, sizeof index);
    if (!room)
        return c->indexes.rc;
    memcpy(room, &index, sizeof index);
    c->indexes.len += sizeof index;
    *c->held += sizeof index;
    return RC_OK;
}

static void put_slot(struct dictionary_slot *slots, size_t n_slots, struct dictionary_slot slot)
{
    size_t at = slot.hash & (n_slots - 1);
    while (slots[at].number)
        at = (at + 1) & (n_slots - 1);
    slots[at] = slot;
}

/* At most half of them are used. */
static enum rc grow_slots(struct chunk *c)
{
    size_t n_slots = c->n_slots ? c->n_slots * 2 : SLOTS_MIN;
    struct dictionary_slot *slots = calloc(n_slots, sizeof *slots);
    if (!slots)
        return RC_NOMEM;
    for (size_t i = 0; i < c->n_slots; i++) {
        if (c->slots[i].number)
            put_slot(slots, n_slots, c->slots[i]);
    }
    free(c->slots);
    c->slots = slots;
    c->n_slots = n_slots;
    return RC_OK;
}

static inline bool is_value(const struct chunk *c, const struct dictionary_slot *slot,
                            struct str value)
{
    return slot->len == value.len &&
           (value.len == 0 || str_same_bytes(c->data.data + slot->start, value.ptr, value.len));
}

/* NULL: it has none. */
static const struct dictionary_slot *find_entry(const struct chunk *c, struct str value,
                                                uint32_t hash)
{
    if (c->n_slots == 0)
        return NULL;
    for (size_t at = hash & (c->n_slots - 1); c->slots[at].number;
         at = (at + 1) & (c->n_slots - 1)) {
        if (c->slots[at].hash == hash && is_value(c, &c->slots[at], value))
            return &c->slots[at];
    }
    return NULL;
}

/* The next entry, whose bytes are in `data` already. */
static enum rc add_slot(struct chunk *c, uint32_t hash, size_t start, size_t len)
{
    if (c->n_entries >= c->n_slots / 2 && grow_slots(c) != RC_OK)
        return RC_NOMEM;
    c->last = (struct dictionary_slot){hash, ++c->n_entries, (uint32_t)start, (uint32_t)len};
    put_slot(c->slots, c->n_slots, c->last);
    return RC_OK;
}

static inline uint32_t hash_of(const struct chunk *c, struct str value)
{
    uint32_t hash = (uint32_t)XXH3_64bits_withSeed(value.ptr, value.len, c->seed);
    return hash == CHUNK_AT_ONCE ? 1 : hash;
}

/* Where each entry is in `data`, and behind these its end; NULL: out of memory. */
static uint32_t *entry_starts(const struct chunk *c)
{
    uint32_t *starts = malloc(((size_t)c->n_entries + 1) * sizeof *starts);
    struct str value;
    size_t at = 0;
    for (uint32_t i = 0; starts && i <= c->n_entries; i++) {
        starts[i] = (uint32_t)at;
        (void)chunk_next_value(c->type, buf_str(&c->data), &at, &value);
    }
    return starts;
}

/* Writes all values out in full. */
static enum rc give_up_dictionary(struct chunk *c)
{
    struct buf data;
    uint32_t *starts = entry_starts(c);
    if (!starts)
        return RC_NOMEM;
    buf_init(&data, c->data.max);
    for (size_t i = 0; i < chunk_u32_count(&c->indexes); i++) {
        uint32_t which = chunk_u32(&c->indexes, i);
        buf_add(&data, c->data.data + starts[which], starts[which + 1] - starts[which]);
    }
    free(starts);
    if (buf_rc(&data) != RC_OK) {
        enum rc rc = buf_rc(&data);
        buf_free(&data);
        return rc;
    }
    buf_free(&c->data);
    c->data = data;
    buf_free(&c->indexes);
    free_slots(c);
    c->n_entries = 0;
    c->has_dictionary = false;
    return RC_OK;
}

static enum rc consider_dictionary(struct chunk *c)
{
    if (c->n_values < CONSIDER_VALUES_MIN ||
        c->data.len + c->n_values * INDEX_BYTES_GUESS < c->plain_bytes / 4 * 3)
        return RC_OK;
    size_t before = chunk_held(c);
    enum rc rc = give_up_dictionary(c);
    *c->held += chunk_held(c) - before;
    return rc;
}

enum rc chunk_settle(struct chunk *c)
{
    if (!c->has_dictionary || c->n_values == 0)
        return RC_OK;
    size_t before = chunk_held(c);
    uint64_t index_bytes = c->n_values * rle_width(c->n_entries - 1) / 8;
    enum rc rc = c->data.len + index_bytes < c->plain_bytes ? RC_OK : give_up_dictionary(c);
    *c->held += chunk_held(c) - before;
    return rc;
}

/* ---- values --------------------------------------------------------------------------------- */

uint32_t chunk_expect(const struct chunk *c, struct str value)
{
    /* Rows of one lead follow each other, and much of them is the same. */
    if (!c->has_dictionary || (c->last.number && is_value(c, &c->last, value)))
        return CHUNK_AT_ONCE;
    uint32_t hash = hash_of(c, value);
    if (c->n_slots)
        __builtin_prefetch(&c->slots[hash & (c->n_slots - 1)]);
    return hash;
}

static enum rc add_entry(struct chunk *c, struct str value, uint32_t hash)
{
    size_t n_slots = c->n_slots;
    enum rc rc = put_plain(c, value);
    if (rc == RC_OK)
        rc = add_slot(c, hash, c->data.len - value.len, value.len);
    *c->held += (c->n_slots - n_slots) * sizeof *c->slots;
    return rc;
}

/* The entry becomes c->last. */
static enum rc find_or_add(struct chunk *c, struct str value, uint32_t hash)
{
    const struct dictionary_slot *slot = find_entry(c, value, hash);
    if (!slot)
        return add_entry(c, value, hash);
    c->last = *slot;
    return RC_OK;
}

static inline bool is_power_of_two(uint64_t n)
{
    return (n & (n - 1)) == 0;
}

static enum rc put_indexed(struct chunk *c, struct str value, uint32_t hash)
{
    enum rc rc = hash == CHUNK_AT_ONCE ? RC_OK : find_or_add(c, value, hash);
    if (rc == RC_OK)
        rc = put_index(c, c->last.number - 1);
    if (rc != RC_OK)
        return rc;
    c->plain_bytes += plain_bytes(c, value);
    c->n_values++;
    return is_power_of_two(c->n_values) ? consider_dictionary(c) : RC_OK;
}

enum rc chunk_put(struct chunk *c, uint64_t row, struct str value, uint32_t hash)
{
    if (value.len > CHUNK_DATA_BYTES_MAX)
        return RC_LIMIT;
    enum rc rc = put_run(c, (uint32_t)(row - c->n_rows));
    if (rc != RC_OK)
        return rc;
    c->n_rows = row + 1;
    if (c->has_dictionary)
        return put_indexed(c, value, hash);
    c->n_values++;
    return put_plain(c, value);
}

/* ---- from outside --------------------------------------------------------------------------- */

/* Later runs have a null row before them, and all of them a value. */
static bool runs_fit(const struct chunk *c, uint64_t n_rows_max)
{
    uint64_t n_values = 0;
    uint64_t n_rows = 0;
    for (size_t i = 0; i < chunk_u32_count(&c->runs); i++) {
        uint32_t n = chunk_u32(&c->runs, i);
        n_rows += n;
        n_values += i % 2 ? n : 0;
        if (i > 0 && n == 0)
            return false;
    }
    return c->runs.len % (2 * sizeof(uint32_t)) == 0 && n_values == c->n_values &&
           n_rows == c->n_rows && n_rows <= n_rows_max;
}

static enum rc restore_entries(struct chunk *c)
{
    size_t at = 0;
    struct str value = STR_NONE;
    while (chunk_next_value(c->type, buf_str(&c->data), &at, &value)) {
        uint32_t hash = hash_of(c, value);
        if (find_entry(c, value, hash))
            return RC_SYNTAX;
        if (add_slot(c, hash, at - value.len, value.len) != RC_OK)
            return RC_NOMEM;
    }
    c->last = (struct dictionary_slot){0};
    if (at != c->data.len || chunk_u32_count(&c->indexes) != c->n_values)
        return RC_SYNTAX;
    uint32_t *starts = entry_starts(c);
    if (!starts)
        return RC_NOMEM;
    uint32_t seen = 0; /* entries are in the order in which values have them first */
    bool is_ours = true;
    for (size_t i = 0; is_ours && i < c->n_values; i++) {
        uint32_t which = chunk_u32(&c->indexes, i);
        is_ours = which < c->n_entries && which <= seen;
        if (is_ours)
            c->plain_bytes += starts[which + 1] - starts[which];
        seen += which == seen;
    }
    free(starts);
    return is_ours && seen == c->n_entries ? RC_OK : RC_SYNTAX;
}

static bool plain_fits(const struct chunk *c)
{
    size_t at = 0;
    uint64_t n = 0;
    struct str value = STR_NONE;
    while (chunk_next_value(c->type, buf_str(&c->data), &at, &value)) {
        if (c->type == PHYSICAL_BOOLEAN && (unsigned char)*value.ptr > 1)
            return false;
        n++;
    }
    return at == c->data.len && n == c->n_values && c->indexes.len == 0;
}

enum rc chunk_restore(struct chunk *c, uint64_t n_rows_max)
{
    if (!runs_fit(c, n_rows_max) || c->indexes.len % sizeof(uint32_t) != 0 ||
        (c->has_dictionary && c->type == PHYSICAL_BOOLEAN))
        return RC_SYNTAX;
    enum rc rc = RC_OK;
    if (c->runs.len > 0)
        c->run = chunk_u32(&c->runs, chunk_u32_count(&c->runs) - 1);
    if (c->has_dictionary)
        rc = restore_entries(c);
    else if (!plain_fits(c))
        rc = RC_SYNTAX;
    *c->held += chunk_held(c);
    return rc;
}
