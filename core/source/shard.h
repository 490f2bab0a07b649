/* Which part of the leads a run does: shard `index` of `of`. Runs with the same list of IDs, one for each shard,
 * do every lead exactly once between them, wherever and by whatever version they are run.
 *
 * docs/scale.md describes the hash, so that others can compute it: the first eight bytes of a lead's key as a
 * big-endian number, modulo `of`. The key is the SHA-256 of the ID and of each parameter in the order of the
 * profile, each with its length before it (32 bits, little-endian). */
#ifndef LEADPIPE_SHARD_H
#define LEADPIPE_SHARD_H

#include "core/lead.h"

#define SHARDS_MAX 1000000

struct shard {
    uint32_t index; /* from 0 */
    uint32_t of;    /* 0: the run does all leads */
};

/* "I/N". RC_USAGE: the text says what is allowed. */
enum rc shard_parse(struct shard *out, const char *text, struct err *e);

/* Does it have the lead of that key? `of` is not 0. */
bool shard_has(const struct shard *s, const unsigned char key[LEAD_KEY_BYTES]);

/* A line that is no ID has no key: it belongs to a shard by its number in the list, from 0. */
bool shard_has_line(const struct shard *s, uint64_t number);

#endif
