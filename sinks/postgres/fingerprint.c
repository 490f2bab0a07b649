#define XXH_INLINE_ALL /* most values are short: the call would be a third of it */
#include "sinks/postgres/fingerprint.h"

#include <xxhash.h>

/* Another number, where rows are staged in another way: then those that were loaded before are not recognised. */
#define VERSION 1

static struct pg_fingerprint of(XXH128_hash_t hash)
{
    return (struct pg_fingerprint){.high = hash.high64, .low = hash.low64};
}

struct pg_fingerprint pg_fingerprint_lead(const struct profile *p, const struct lead *lead)
{
    XXH128_hash_t hash = {.low64 = VERSION, .high64 = 0};
    for (size_t i = 0; i < p->n_key_columns; i++) {
        const struct str key = row_key_value(p, lead, i);
        const XXH128_hash_t value = XXH3_128bits(key.ptr ? key.ptr : "", key.len);
        const uint64_t joined[] = {hash.high64, hash.low64, value.high64, value.low64};
        hash = XXH3_128bits(joined, sizeof joined);
    }
    return of(hash);
}

uint64_t pg_fingerprint_column(struct str source, enum column_type type)
{
    return XXH3_64bits_withSeed(source.ptr ? source.ptr : "", source.len,
                                ((uint64_t)type << 32) + VERSION);
}

void pg_fingerprint_add(struct pg_fingerprint *row, uint64_t column, struct str value)
{
    const XXH128_hash_t hash = XXH3_128bits_withSeed(value.ptr, value.len, column);
    row->high += hash.high64;
    row->low += hash.low64;
}

void pg_fingerprint_row(struct pg_fingerprint *lead, size_t table, const struct pg_fingerprint *row)
{
    const uint64_t joined[] = {lead->high, lead->low, table, row->high, row->low};
    *lead = of(XXH3_128bits(joined, sizeof joined));
}
