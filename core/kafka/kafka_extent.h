/* Which messages a run has read, as text that a database keeps beside the run's rows: "0:0-20 2:5-9" means that of partition
 * 0 the offsets from 0 up to 20 were read (without it), and of partition 2 those from 5 up to 9. Pure. */
#ifndef LEADPIPE_KAFKA_EXTENT_H
#define LEADPIPE_KAFKA_EXTENT_H

#include "core/base/buf.h"
#include "core/base/str.h"

#define KAFKA_EXTENTS_BYTES_MAX ((size_t)1 << 20)

struct kafka_extent {
    int32_t partition;
    int64_t from; /* what the group had committed */
    int64_t to;   /* the next message; above `from` */
};

/* Appends; partitions must ascend. */
void kafka_extent_put(struct buf *out, const struct kafka_extent *x);

/* Is it such a text? Empty is not. */
bool kafka_extents_are_valid(struct str text);
/* Takes the first one off a valid text; false: there are no more. */
bool kafka_extent_take(struct str *rest, struct kafka_extent *out);

/* Do they have messages in common? */
bool kafka_extents_overlap(const struct kafka_extent *a, const struct kafka_extent *b);

#endif
