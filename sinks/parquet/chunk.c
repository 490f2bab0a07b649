#include "sinks/parquet/chunk.h"

#include <stdlib.h>

#include "sinks/parquet/little_endian.h"
#include "sinks/parquet/rle.h"

/* The dictionary is given up where it saves less than a quarter; considered at every power of two. */
#define CONSIDER_VALUES_MIN 1024
#define INDEX_BYTES_GUESS 2
/* What an entry takes besides its bytes: its start, and its slots in the hash index. */
#define ENTRY_BYTES (sizeof(uint32_t) + 3 * sizeof(struct hash_slot))

void chunk_init(struct chunk *c, enum physical_type type, uint64_t seed, size_t *held)
{
    *c = (struct chunk){.type = type, .seed = seed};
    c->held = held;
    c->has_dictionary = type != PHYSICAL_BOOLEAN;
    buf_init(&c->runs, SIZE_MAX / 2);
    buf_init(&c->data, CHUNK_DATA_BYTES_MAX);
    buf_init(&c->indexes, SIZE_MAX / 2);
    buf_init(&c->starts, SIZE_MAX / 2);
}

static size_t chunk_held(const struct chunk *c)
{
    return c->runs.len + c->data.len + c->indexes.len + c->n_entries * ENTRY_BYTES;
}

void chunk_free(struct chunk *c)
{
    buf_free(&c->runs);
    buf_free(&c->data);
    buf_free(&c->indexes);
    buf_free(&c->starts);
    hash_index_free(&c->entries);
}

void chunk_reset(struct chunk *c)
{
    if (c->n_values == 0)
        return;
    *c->held -= chunk_held(c);
    chunk_free(c);
    chunk_init(c, c->type, c->seed, c->held);
}

static void put_u32(struct buf *list, uint32_t value)
{
    buf_add(list, &value, sizeof value);
}

/* ---- null or not ---------------------------------------------------------------------------- */

static void set_last_run(struct chunk *c, uint32_t value)
{
    memcpy(c->runs.data + c->runs.len - sizeof value, &value, sizeof value);
}

/* A value after so many that are null. */
static void put_run(struct chunk *c, uint32_t n_null)
{
    if (n_null == 0 && c->runs.len > 0) {
        set_last_run(c, chunk_u32(&c->runs, chunk_u32_count(&c->runs) - 1) + 1);
    } else {
        put_u32(&c->runs, n_null);
        put_u32(&c->runs, 1);
    }
}

/* ---- the dictionary ------------------------------------------------------------------------- */

static size_t put_plain(struct chunk *c, struct str value)
{
    size_t before = c->data.len;
    if (c->type == PHYSICAL_BYTE_ARRAY) {
        char length[sizeof(uint32_t)];
        le32_put(length, (uint32_t)value.len);
        buf_add(&c->data, length, sizeof length);
    }
    buf_add_str(&c->data, value);
    return c->data.len - before;
}

static struct str entry(const struct chunk *c, uint32_t i)
{
    size_t at = chunk_u32(&c->starts, i);
    struct str value = STR_NONE;
    (void)chunk_next_value(c->type, buf_str(&c->data), &at, &value);
    return value;
}

static bool find_entry(const struct chunk *c, struct str value, uint64_t hash, uint32_t *out)
{
    size_t cursor = 0;
    while (hash_index_next(&c->entries, hash, &cursor, out)) {
        if (str_eq(entry(c, *out), value))
            return true;
    }
    return false;
}

static enum rc add_entry(struct chunk *c, struct str value, uint64_t hash)
{
    put_u32(&c->starts, (uint32_t)c->data.len);
    (void)put_plain(c, value);
    enum rc rc = hash_index_add(&c->entries, hash, c->n_entries);
    c->n_entries++;
    return rc;
}

/* Writes all values out in full. */
static enum rc give_up_dictionary(struct chunk *c)
{
    struct buf data;
    buf_init(&data, c->data.max);
    for (size_t i = 0; i < chunk_u32_count(&c->indexes); i++) {
        uint32_t which = chunk_u32(&c->indexes, i);
        size_t from = chunk_u32(&c->starts, which);
        size_t to = which + 1 < c->n_entries ? chunk_u32(&c->starts, which + 1) : c->data.len;
        buf_add(&data, c->data.data + from, to - from);
    }
    if (buf_rc(&data) != RC_OK) {
        enum rc rc = buf_rc(&data);
        buf_free(&data);
        return rc;
    }
    buf_free(&c->data);
    c->data = data;
    buf_free(&c->indexes);
    buf_free(&c->starts);
    hash_index_free(&c->entries);
    c->n_entries = 0;
    c->has_dictionary = false;
    return RC_OK;
}

static enum rc consider_dictionary(struct chunk *c)
{
    uint64_t n = c->n_values;
    if (n < CONSIDER_VALUES_MIN || (n & (n - 1)) != 0 ||
        c->data.len + n * INDEX_BYTES_GUESS < c->plain_bytes / 4 * 3)
        return RC_OK;
    return give_up_dictionary(c);
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

/* Rows of one lead follow each other, and much of them is the same. */
static bool is_last_value(const struct chunk *c, struct str value, uint32_t *which)
{
    if (c->n_values == 0)
        return false;
    *which = chunk_u32(&c->indexes, c->n_values - 1);
    return str_eq(entry(c, *which), value);
}

static enum rc put_indexed(struct chunk *c, struct str value)
{
    uint32_t which = 0;
    enum rc rc = RC_OK;
    if (!is_last_value(c, value, &which)) {
        uint64_t hash = str_hash(value, c->seed);
        if (!find_entry(c, value, hash, &which)) {
            which = c->n_entries;
            rc = add_entry(c, value, hash);
        }
    }
    put_u32(&c->indexes, which);
    return rc;
}

static enum rc first_failure(const struct chunk *c)
{
    if (c->data.rc != RC_OK)
        return c->data.rc;
    if (c->runs.rc != RC_OK)
        return c->runs.rc;
    return c->indexes.rc != RC_OK ? c->indexes.rc : c->starts.rc;
}

enum rc chunk_put(struct chunk *c, uint64_t row, struct str value)
{
    if (value.len > CHUNK_DATA_BYTES_MAX)
        return RC_LIMIT;
    size_t before = chunk_held(c);
    put_run(c, (uint32_t)(row - c->n_rows));
    enum rc rc = RC_OK;
    if (c->has_dictionary)
        rc = put_indexed(c, value);
    else
        (void)put_plain(c, value);
    if (rc == RC_OK)
        rc = first_failure(c);
    if (rc != RC_OK)
        return rc;
    c->n_rows = row + 1;
    c->n_values++;
    c->plain_bytes += value.len + (c->type == PHYSICAL_BYTE_ARRAY ? sizeof(uint32_t) : 0);
    if (c->has_dictionary)
        rc = consider_dictionary(c);
    *c->held += chunk_held(c) - before;
    return rc;
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
    for (size_t start = 0; chunk_next_value(c->type, buf_str(&c->data), &at, &value); start = at) {
        uint64_t hash = str_hash(value, c->seed);
        uint32_t which = 0;
        if (find_entry(c, value, hash, &which))
            return RC_SYNTAX;
        put_u32(&c->starts, (uint32_t)start);
        if (buf_rc(&c->starts) != RC_OK || hash_index_add(&c->entries, hash, c->n_entries) != RC_OK)
            return RC_NOMEM;
        c->n_entries++;
    }
    if (at != c->data.len || chunk_u32_count(&c->indexes) != c->n_values)
        return RC_SYNTAX;
    c->plain_bytes = 0;
    for (size_t i = 0; i < c->n_values; i++) {
        uint32_t which = chunk_u32(&c->indexes, i);
        if (which >= c->n_entries)
            return RC_SYNTAX;
        c->plain_bytes +=
            entry(c, which).len + (c->type == PHYSICAL_BYTE_ARRAY ? sizeof(uint32_t) : 0);
    }
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
    if (c->has_dictionary)
        rc = restore_entries(c);
    else if (!plain_fits(c))
        rc = RC_SYNTAX;
    *c->held += chunk_held(c);
    return rc;
}
