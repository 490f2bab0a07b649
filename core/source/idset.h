/* A set of 128-bit digests. Private to core/source; one thread at a time.
 *
 * Open addressing with 16 bytes per digest. The table is split into shards that grow one at a time, so that the set takes
 * at most 40 bytes per digest from 10,000 on, even while it grows. */
#ifndef LEADPIPE_IDSET_H
#define LEADPIPE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define IDSET_KEY_BYTES 16
#define IDSET_SHARDS 64

struct idset_key {
    uint64_t a, b; /* both 0: a free slot */
};

struct idset_shard {
    struct idset_key *keys;
    size_t n, cap;
};

struct idset {
    struct idset_shard shards[IDSET_SHARDS];
    uint64_t n;
    size_t held_bytes, peak_bytes; /* of all shards: now, and at most so far */
};

void idset_init(struct idset *s);
void idset_free(struct idset *s);

/* *added: it was not in the set before. RC_NOMEM: nothing has changed. */
enum rc idset_add(struct idset *s, const unsigned char digest[IDSET_KEY_BYTES], bool *added);

#endif
