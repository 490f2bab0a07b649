/* How far the messages of a topic's partitions are done: which offsets may be committed. Nothing but arithmetic.
 *
 * Messages get numbers from 1, in the order in which they are read. The first n of them are done when each of them is:
 * so a message that takes long holds back the offsets of all that were read after it, in every partition. That is what
 * makes "the first n" one place in the whole topic, which a checkpoint can name.
 *
 * Memory: some bytes for each stretch of successive offsets that is not done, and a bit for each message that is done out
 * of turn. One thread at a time. */
#ifndef LEADPIPE_KAFKA_OFFSETS_H
#define LEADPIPE_KAFKA_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define KAFKA_OFFSET_NONE INT64_C(-1)

struct kafka_offsets;

enum rc kafka_offsets_new(struct kafka_offsets **out, size_t n_partitions); /* RC_NOMEM */
void kafka_offsets_free(struct kafka_offsets *t);                           /* NULL, too */

/* A message was read; its number is kafka_offsets_read() then. It follows, in its partition, those before. RC_NOMEM. */
enum rc kafka_offsets_add(struct kafka_offsets *t, size_t partition, int64_t offset);

/* What follows in the partition, up to `position`, are no messages: markers, or what was deleted. It is done when all
 * messages so far are. RC_NOMEM. */
enum rc kafka_offsets_skip(struct kafka_offsets *t, size_t partition, int64_t position);

/* How many messages were read, and how many of the first of them are done. */
uint64_t kafka_offsets_read(const struct kafka_offsets *t);
uint64_t kafka_offsets_done(const struct kafka_offsets *t);

/* Message number `n` is done; or all up to `n` are. */
void kafka_offsets_settle(struct kafka_offsets *t, uint64_t n);
void kafka_offsets_settle_to(struct kafka_offsets *t, uint64_t n);

/* The highest number m, at least n, so that all messages after n and up to m are done. */
uint64_t kafka_offsets_extend(const struct kafka_offsets *t, uint64_t n);

/* What to commit when the first `n` messages are done, at least kafka_offsets_done(): into out[] the offset of each
 * partition's next message, KAFKA_OFFSET_NONE where none of it was read or skipped. */
void kafka_offsets_place(struct kafka_offsets *t, uint64_t n, int64_t out[]);

/* Does the partition have messages that are not among the first `n`? */
bool kafka_offsets_waits(const struct kafka_offsets *t, size_t partition, uint64_t n);

/* Nothing of the partition is committed any more: it belongs to somebody else. It may come back later. */
void kafka_offsets_forget(struct kafka_offsets *t, size_t partition);

#endif
