/* The values of one column in the row group at hand.
 *
 * They are kept in the form in which they are written: PLAIN, one behind the other, or each different one
 * once with an index for every value, while that is smaller. Rows without a value cost nothing where they
 * follow each other. What is kept depends on the values alone. A row group leaves its memory to the next one.
 * One thread at a time. */
#ifndef LEADPIPE_PARQUET_CHUNK_H
#define LEADPIPE_PARQUET_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "sinks/parquet/little_endian.h"

/* Parquet's numbers. */
enum physical_type {
    PHYSICAL_BOOLEAN = 0, /* kept as a byte each */
    PHYSICAL_INT64 = 2,
    PHYSICAL_DOUBLE = 5,
    PHYSICAL_BYTE_ARRAY = 6, /* kept with its length before it, four bytes */
};

/* An entry of the dictionary as it is found: where its bytes are, so that only `data` must be read, and
 * that only where hash and length are the same. */
struct dictionary_slot {
    uint32_t hash;
    uint32_t number;     /* of the entry, from 1; 0: the slot is empty */
    uint32_t start, len; /* in `data` */
};

/* Of all chunks of a file. */
struct chunk_memory {
    size_t held; /* bytes that the values of the row group at hand take */
    size_t
        taken; /* bytes of all buffers: also room for more, and what the row group before has left */
};

/* In the order in which a value needs them: the first 128 bytes are enough for most. */
struct chunk {
    enum physical_type type;
    bool has_dictionary; /* `indexes` and what follows it are used */
    uint8_t index_bytes; /* of each of `indexes`: 1, 2 or 4, as the number of entries needs it */
    uint32_t run;        /* the last one of `runs`: of values that are not null */
    struct chunk_memory *memory;
    uint64_t n_rows;    /* that `runs` covers; all later ones are null */
    uint64_t n_values;  /* of them, those that are not null */
    struct buf runs;    /* uint32_t: so many are null, so many are not, null, ... */
    struct buf data;    /* PLAIN: all values, or those of the dictionary */
    struct buf indexes; /* of its entry, for each value; the lowest byte first */
    struct dictionary_slot *slots;
    size_t n_slots;              /* 0 or a power of two */
    struct dictionary_slot last; /* the entry of the last value; empty: not known */
    uint64_t plain_bytes;        /* that `data` would have without */
    uint64_t seed;               /* of hashes; says nothing about what is written */
    uint32_t n_entries;
    size_t cap_slots; /* room in `slots` */
    size_t taken;     /* of memory->taken */
};

#define CHUNK_DATA_BYTES_MAX ((size_t)INT32_MAX - 65536) /* a page's length has 31 bits */

void chunk_init(struct chunk *c, enum physical_type type, uint64_t seed,
                struct chunk_memory *memory);
void chunk_free(struct chunk *c);
/* Begins the next row group. The memory stays for it. */
void chunk_reset(struct chunk *c);
/* Gives back all memory that is not in use. */
void chunk_trim(struct chunk *c);
/* How much that is, but for the room that buffers get as they grow, in bytes. */
size_t chunk_idle(const struct chunk *c);

#define CHUNK_AT_ONCE 0 /* of chunk_expect(): chunk_put() needs no other memory */

/* The value of a row: of PHYSICAL_BYTE_ARRAY the bytes, else its PLAIN form (a boolean: one byte, 0 or 1).
 * `hash` is what chunk_expect() gave for it. Rows are in order; those left out are null. RC_NOMEM; RC_LIMIT:
 * more than a page can have. */
enum rc chunk_put(struct chunk *c, uint64_t row, struct str value, uint32_t hash);

/* That is the value that will be put next. Where the dictionary has it is seldom in a cache: called for all
 * cells of a row before the first one is put, this has the memory on its way for all of them. */
uint32_t chunk_expect(const struct chunk *c, struct str value);

/* Makes the final choice between the two forms. RC_NOMEM. */
enum rc chunk_settle(struct chunk *c);

/* A chunk whose other members come from outside, `indexes` as uint32_t: is all of it as this file leaves it?
 * Makes `slots`. RC_SYNTAX: it is not; RC_NOMEM. */
enum rc chunk_restore(struct chunk *c, uint64_t n_rows_max);

/* Walks through PLAIN data: the value of `data` that is `*at`, which is moved behind it. False: there is
 * none, or it is cut off. */
static inline bool chunk_next_value(enum physical_type type, struct str data, size_t *at,
                                    struct str *out)
{
    size_t n = type == PHYSICAL_BOOLEAN ? 1 : 8;
    size_t left = data.len - *at;
    if (type == PHYSICAL_BYTE_ARRAY) {
        if (left < sizeof(uint32_t))
            return false;
        n = le32_get(data.ptr + *at);
        *at += sizeof(uint32_t);
        left -= sizeof(uint32_t);
    }
    if (left < n)
        return false;
    *out = (struct str){data.ptr + *at, n};
    *at += n;
    return true;
}

/* Of the values from the one that is `first` on: `n` indexes. */
void chunk_indexes(const struct chunk *c, uint64_t first, size_t n, uint32_t *out);

static inline uint32_t chunk_u32(const struct buf *list, size_t i)
{
    uint32_t value;
    memcpy(&value, list->data + i * sizeof value, sizeof value);
    return value;
}

static inline size_t chunk_u32_count(const struct buf *list)
{
    return list->len / sizeof(uint32_t);
}

#endif
