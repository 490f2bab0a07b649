/* Tracks how far the messages of a topic's partitions are done, and so which offsets may be committed. Pure.
 *
 * Messages are numbered from 1, in the order in which they are read. "The first n messages are done" means that each of them
 * is. So a message that takes long holds back the offsets of all messages that were read after it, in every partition; in
 * return, n alone is a position in the whole topic, which a checkpoint can store.
 *
 * Memory: some bytes for each range of consecutive offsets that is not done, and a bit for each message that is done out of
 * order. One thread at a time. */
#ifndef LEADPIPE_KAFKA_OFFSETS_H
#define LEADPIPE_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define KAFKA_OFFSET_NONE INT64_C(-1)

struct kafka_offsets;

enum rc kafka_offsets_new(struct kafka_offsets **out, size_t n_partitions); /* RC_NOMEM */
void kafka_offsets_free(struct kafka_offsets *t);                           /* may be NULL */

/* A message was read; afterwards kafka_offsets_read() is its number. Offsets of a partition must ascend. RC_NOMEM. */
enum rc kafka_offsets_add(struct kafka_offsets *t, size_t partition, int64_t offset);

/* The next offsets of the partition, up to `position`, have no messages (but control records, or deleted ones). They count as
 * done when all messages so far are. RC_NOMEM. */
enum rc kafka_offsets_skip(struct kafka_offsets *t, size_t partition, int64_t position);

/* The number of messages that were read; and the largest n so that the first n of them are done. */
uint64_t kafka_offsets_read(const struct kafka_offsets *t);
uint64_t kafka_offsets_done(const struct kafka_offsets *t);

/* Message number `n` is done; all messages up to `n` are done. */
void kafka_offsets_settle(struct kafka_offsets *t, uint64_t n);
void kafka_offsets_settle_to(struct kafka_offsets *t, uint64_t n);

/* The largest m, at least n, so that all messages after n and up to m are done. */
uint64_t kafka_offsets_extend(const struct kafka_offsets *t, uint64_t n);

/* What to commit when the first `n` messages are done; n must be at least kafka_offsets_done(). out[]: the offset of each
 * partition's next message; KAFKA_OFFSET_NONE: nothing of it was read or skipped. */
void kafka_offsets_place(struct kafka_offsets *t, uint64_t n, int64_t out[]);

/* Does the partition have messages that are not among the first `n`? */
bool kafka_offsets_waits(const struct kafka_offsets *t, size_t partition, uint64_t n);

/* The partition belongs to another member now, so nothing of it is committed any more. It may come back later. */
void kafka_offsets_forget(struct kafka_offsets *t, size_t partition);

#endif
