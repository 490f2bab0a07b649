/* Which part of the leads a run does: shard `index` of `of`. The runs of all shards of one list do every lead exactly once
 * between them, on any machine and with any version of leadpipe.
 *
 * docs/scale.md describes the hash, so that other programs can compute it: the first eight bytes of a lead's key as a
 * big-endian number, modulo `of`. The key is the SHA-256 of the ID and of each parameter in the order of the profile, each
 * preceded by its length (32 bits, little-endian). */
#ifndef LEADPIPE_SHARD_H
#define LEADPIPE_SHARD_H

#include "core/lead.h"

#define SHARDS_MAX 1000000

struct shard {
    uint32_t index; /* from 0 */
    uint32_t of;    /* 0: the run does all leads */
};

/* Parses "I/N". RC_USAGE: the message says what is allowed. */
enum rc shard_parse(struct shard *out, const char *text, struct err *e);

/* Does the lead with this key belong to the shard? `of` must not be 0. */
bool shard_has(const struct shard *s, const unsigned char key[LEAD_KEY_BYTES]);

/* The same for a bad line, which has no key: it belongs to a shard by its number in the list, from 0. */
bool shard_has_line(const struct shard *s, uint64_t number);

#endif
