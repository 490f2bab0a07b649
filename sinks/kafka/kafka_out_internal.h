/* What the files of kafka_out.h share. Private to kafka_out.c and kafka_transaction.c. */
#ifndef LEADPIPE_SINKS_KAFKA_OUT_INTERNAL_H
#define LEADPIPE_SINKS_KAFKA_OUT_INTERNAL_H

#include "sinks/kafka/kafka_out.h"

#define KAFKA_PATIENCE_US INT64_C(5000000) /* for the last transaction of a run that is stopped */

/* The sink has failed. Only the first error is kept. */
void kafka_out_break(struct kafka_out *o, const struct err *why);

/* Has the run been stopped and its grace period ended? Never true before `least_us` (monotonic clock). */
bool kafka_out_is_over(const struct kafka_out *o, int64_t least_us);

/* After that: breaks the sink with RC_STOPPED, and returns it. */
enum rc kafka_out_stopped(struct kafka_out *o, struct err *e);

/* With transactions: begins one unless one is open. */
enum rc kafka_out_begin_transaction(struct kafka_out *o, struct err *e);

#endif
