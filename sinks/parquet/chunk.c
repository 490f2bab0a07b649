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
#define CHUNK_BYTES_MIN 256               /* what the buffers of a chunk with one value take */
#define INDEX_BYTES_HELD sizeof(uint32_t) /* what an index is counted as, whatever it takes */

void chunk_init(struct chunk *c, enum physical_type type, uint64_t seed,
                struct chunk_memory *memory)
{
    *c = (struct chunk){.type = type, .seed = seed};
    c->memory = memory;
    c->has_dictionary = type != PHYSICAL_BOOLEAN;
    c->index_bytes = 1;
    buf_init(&c->runs, SIZE_MAX / 2);
    buf_init(&c->data, CHUNK_DATA_BYTES_MAX);
    buf_init(&c->indexes, SIZE_MAX / 2);
}

/* Where row groups end depends on this, so it says nothing of capacities, which are others after a mark. What
 * chunk_put() adds to memory->held, piece by piece, comes to the same. */
static size_t chunk_held(const struct chunk *c)
{
    if (c->n_values == 0)
        return 0;
    size_t indexes = c->has_dictionary ? c->n_values * INDEX_BYTES_HELD : 0;
    return CHUNK_BYTES_MIN + c->runs.len + c->data.len + indexes + c->n_slots * sizeof *c->slots;
}

/* After a buffer has got more memory or less. */
static void count_taken(struct chunk *c)
{
    size_t taken = c->runs.cap + c->data.cap + c->indexes.cap + c->cap_slots * sizeof *c->slots;
    c->memory->taken += taken - c->taken;
    c->taken = taken;
}

static void free_slots(struct chunk *c)
{
    free(c->slots);
    c->slots = NULL;
    c->n_slots = c->cap_slots = 0;
    c->last = (struct dictionary_slot){0};
}

void chunk_free(struct chunk *c)
{
    buf_free(&c->runs);
    buf_free(&c->data);
    buf_free(&c->indexes);
    free_slots(c);
    count_taken(c);
}

void chunk_reset(struct chunk *c)
{
    if (c->n_values == 0)
        return;
    c->memory->held -= chunk_held(c);
    buf_clear(&c->runs);
    buf_clear(&c->data);
    buf_clear(&c->indexes);
    c->has_dictionary = c->type != PHYSICAL_BOOLEAN;
    c->index_bytes = 1;
    c->n_slots = 0;
    c->last = (struct dictionary_slot){0};
    c->n_rows = c->n_values = c->plain_bytes = 0;
    c->n_entries = c->run = 0;
}

static void trim_buf(struct buf *b)
{
    if (b->len == 0) {
        buf_free(b);
        return;
    }
    char *data = b->len < b->cap ? realloc(b->data, b->len) : NULL;
    if (data) { /* else it stays as it is */
        b->data = data;
        b->cap = b->len;
    }
}

void chunk_trim(struct chunk *c)
{
    trim_buf(&c->runs);
    trim_buf(&c->data);
    trim_buf(&c->indexes);
    if (c->n_slots == 0)
        free_slots(c);
    struct dictionary_slot *slots =
        c->n_slots < c->cap_slots ? realloc(c->slots, c->n_slots * sizeof *slots) : NULL;
    if (slots) {
        c->slots = slots;
        c->cap_slots = c->n_slots;
    }
    count_taken(c);
}

size_t chunk_idle(const struct chunk *c)
{
    size_t used = c->runs.len + c->data.len + c->indexes.len + c->n_slots * sizeof *c->slots;
    size_t expected = used + used / 8;
    return c->taken > expected ? c->taken - expected : 0;
}

static char *more_room_in(struct chunk *c, struct buf *b, size_t n)
{
    char *room = buf_reserve_more(b, n);
    count_taken(c);
    return room;
}

/* buf_reserve() of a buffer that has not failed: a column that has is not used any more. */
static inline char *room_in(struct chunk *c, struct buf *b, size_t n)
{
    return n <= b->cap - b->len ? b->data + b->len : more_room_in(c, b, n);
}

/* ---- null or not ---------------------------------------------------------------------------- */

/* Its count stands in the chunk, too: to read what is at the end of `runs` of every column would be to wait for memory. */
static enum rc begin_run(struct chunk *c, uint32_t n_null)
{
    const uint32_t run[] = {n_null, 1};
    char *room = room_in(c, &c->runs, sizeof run);
    if (!room)
        return c->runs.rc;
    memcpy(room, run, sizeof run);
    c->runs.len += sizeof run;
    c->run = 1;
    c->memory->held += sizeof run + (c->n_values == 0 ? CHUNK_BYTES_MIN : 0);
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

/* ---- values in full ------------------------------------------------------------------------- */

static inline size_t plain_bytes(const struct chunk *c, struct str value)
{
    return value.len + (c->type == PHYSICAL_BYTE_ARRAY ? sizeof(uint32_t) : 0);
}

static inline enum rc put_plain(struct chunk *c, struct str value)
{
    size_t n = plain_bytes(c, value);
    char *room = room_in(c, &c->data, n);
    if (!room)
        return c->data.rc;
    if (n > value.len)
        le32_put(room, (uint32_t)value.len);
    if (value.len)
        copy_bytes(room + (n - value.len), value.ptr, value.len);
    c->data.len += n;
    c->memory->held += n;
    return RC_OK;
}

/* ---- indexes -------------------------------------------------------------------------------- */

static inline uint32_t index_get(const char *p, unsigned n_bytes)
{
    const unsigned char *b = (const unsigned char *)p;
    if (n_bytes == 1)
        return b[0];
    return n_bytes == 2 ? (uint32_t)b[0] | (uint32_t)b[1] << 8 : le32_get(p);
}

static inline void index_set(char *p, unsigned n_bytes, uint32_t index)
{
    char bytes[sizeof index];
    le32_put(bytes, index);
    memcpy(p, bytes, n_bytes);
}

void chunk_indexes(const struct chunk *c, uint64_t first, size_t n, uint32_t *out)
{
    const char *from = c->indexes.data + first * c->index_bytes;
    for (size_t i = 0; i < n; i++)
        out[i] = index_get(from + i * c->index_bytes, c->index_bytes);
}

static unsigned index_bytes_for(uint32_t n_entries)
{
    return n_entries <= 1U << 8 ? 1 : n_entries <= 1U << 16 ? 2 : 4;
}

/* The bytes that are too many are overwritten by the next index. */
static inline enum rc put_index(struct chunk *c, uint32_t index)
{
    char *room = room_in(c, &c->indexes, sizeof index);
    if (!room)
        return c->indexes.rc;
    le32_put(room, index);
    c->indexes.len += c->index_bytes;
    c->memory->held += INDEX_BYTES_HELD;
    return RC_OK;
}

static enum rc widen_indexes(struct chunk *c)
{
    unsigned before = c->index_bytes;
    unsigned now = index_bytes_for(c->n_entries);
    size_t n = c->indexes.len / before;
    if (!room_in(c, &c->indexes, n * now - c->indexes.len))
        return c->indexes.rc;
    for (size_t i = n; i-- > 0;)
        index_set(c->indexes.data + i * now, now, index_get(c->indexes.data + i * before, before));
    c->indexes.len = n * now;
    c->index_bytes = (uint8_t)now;
    return RC_OK;
}

/* ---- the dictionary ------------------------------------------------------------------------- */

static void put_slot(struct dictionary_slot *slots, size_t n_slots, struct dictionary_slot slot)
{
    size_t at = slot.hash & (n_slots - 1);
    while (slots[at].number)
        at = (at + 1) & (n_slots - 1);
    slots[at] = slot;
}

static inline uint32_t hash_of(const struct chunk *c, struct str value)
{
    uint32_t hash = (uint32_t)XXH3_64bits_withSeed(value.ptr, value.len, c->seed);
    return hash == CHUNK_AT_ONCE ? 1 : hash;
}

/* All entries but the last, which has no slot yet, anew. */
static void put_slots(struct chunk *c)
{
    struct str value = STR_NONE;
    size_t at = 0;
    for (uint32_t i = 0; i < c->n_entries; i++) {
        (void)chunk_next_value(c->type, buf_str(&c->data), &at, &value);
        put_slot(c->slots, c->n_slots,
                 (struct dictionary_slot){hash_of(c, value), i + 1, (uint32_t)(at - value.len),
                                          (uint32_t)value.len});
    }
}

/* At most half of them are used. */
static enum rc grow_slots(struct chunk *c)
{
    size_t n_slots = c->n_slots ? c->n_slots * 2 : SLOTS_MIN;
    if (n_slots > c->cap_slots) {
        struct dictionary_slot *slots = realloc(c->slots, n_slots * sizeof *slots);
        if (!slots)
            return RC_NOMEM;
        c->slots = slots;
        c->cap_slots = n_slots;
        count_taken(c);
    }
    memset(c->slots, 0, n_slots * sizeof *c->slots);
    c->n_slots = n_slots;
    put_slots(c);
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
    return index_bytes_for(c->n_entries) > c->index_bytes ? widen_indexes(c) : RC_OK;
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

/* `entries` is what `data` has. */
static enum rc write_in_full(struct chunk *c, const char *entries, const uint32_t *starts)
{
    c->data.len = 0;
    char *to = buf_reserve(&c->data, (size_t)c->plain_bytes);
    if (!to)
        return buf_rc(&c->data);
    const char *index = c->indexes.data;
    for (const char *end = index + c->indexes.len; index < end; index += c->index_bytes) {
        const uint32_t *start = &starts[index_get(index, c->index_bytes)];
        size_t n = start[1] - start[0];
        if (n > 0)
            copy_bytes(to, entries + start[0], n);
        to += n;
    }
    c->data.len = (size_t)c->plain_bytes;
    return RC_OK;
}

/* Writes all values out in full. */
static enum rc give_up_dictionary(struct chunk *c)
{
    uint32_t *starts = entry_starts(c);
    char *entries = malloc(c->data.len);
    enum rc rc = starts && entries ? RC_OK : RC_NOMEM;
    if (rc == RC_OK) {
        memcpy(entries, c->data.data, c->data.len);
        rc = write_in_full(c, entries, starts);
    }
    free(starts);
    free(entries);
    if (rc != RC_OK)
        return rc;
    buf_free(&c->indexes);
    free_slots(c);
    count_taken(c);
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
    c->memory->held += chunk_held(c) - before;
    return rc;
}

enum rc chunk_settle(struct chunk *c)
{
    if (!c->has_dictionary || c->n_values == 0)
        return RC_OK;
    size_t before = chunk_held(c);
    uint64_t index_bytes = c->n_values * rle_width(c->n_entries - 1) / 8;
    enum rc rc = c->data.len + index_bytes < c->plain_bytes ? RC_OK : give_up_dictionary(c);
    c->memory->held += chunk_held(c) - before;
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
    c->memory->held += (c->n_slots - n_slots) * sizeof *c->slots;
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

/* From uint32_t, as marks have them, in as many bytes as the entries need. */
static void narrow_indexes(struct chunk *c)
{
    unsigned n_bytes = index_bytes_for(c->n_entries);
    for (size_t i = 0; i < c->n_values; i++)
        index_set(c->indexes.data + i * n_bytes, n_bytes, chunk_u32(&c->indexes, i));
    c->indexes.len = c->n_values * n_bytes;
    c->index_bytes = (uint8_t)n_bytes;
}

static enum rc restore_entries(struct chunk *c)
{
    c->index_bytes = sizeof(uint32_t);
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
    if (!is_ours || seen != c->n_entries)
        return RC_SYNTAX;
    narrow_indexes(c);
    return RC_OK;
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
    c->memory->held += chunk_held(c);
    count_taken(c);
    return rc;
}
