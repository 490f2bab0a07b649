/* How far a consumer group is behind the end of a topic. */
#ifndef LEADPIPE_KAFKA_LAG_H
#define LEADPIPE_KAFKA_LAG_H

#include "core/kafka_source/kafka_source.h"

struct kafka_lag_part {
    int64_t committed;  /* the offset of the next message; KAFKA_OFFSET_NONE: the group has none */
    int64_t first, end; /* of what the topic holds, as offsets */
    int64_t lag;        /* how many offsets a run would read now */
};

struct kafka_lag {
    struct kafka_lag_part *parts; /* from partition 0 */
    size_t n;
    int64_t total;
};

/* Does not join the group, so its members are not disturbed. Waits at most `wait_ms` milliseconds for each answer. Errors as
 * in kafka_source.h. */
enum rc kafka_lag_read(struct kafka_lag *out, const struct kafka_source_cfg *cfg, int64_t wait_ms,
                       struct err *e);
void kafka_lag_free(struct kafka_lag *l);

#endif
