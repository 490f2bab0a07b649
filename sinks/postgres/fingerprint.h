/* What identifies a lead, and the rows that it is staged as, in 16 bytes each: a lead whose rows were loaded before is
 * recognised by them. They withstand accidents, not an attacker: whoever makes two payloads with the same rows' fingerprint is
 * the provider itself, and a change of its own is not loaded. Pure. */
#ifndef LEADPIPE_SINKS_POSTGRES_FINGERPRINT_H
#define LEADPIPE_SINKS_POSTGRES_FINGERPRINT_H

#include "core/lead.h"
#include "core/provider/profile.h"

struct pg_fingerprint {
    uint64_t high, low;
};

/* The lead itself: its keys. */
struct pg_fingerprint pg_fingerprint_lead(const struct profile *p, const struct lead *lead);

/* What a column adds to the hashes of its values: `source` says where they come from, as in sql/relation.h. */
uint64_t pg_fingerprint_column(struct str source, enum column_type type);

/* Adds a value, as it is encoded, to those of a row, in any order. */
void pg_fingerprint_add(struct pg_fingerprint *row, uint64_t column, struct str value);

/* Adds a row to those of the lead, in their order. Zero *lead before the first. */
void pg_fingerprint_row(struct pg_fingerprint *lead, size_t table,
                        const struct pg_fingerprint *row);

#endif
