/* What the files of kafka_out.h share. Private to kafka_out.c and kafka_transaction.c. */
#ifndef LEADPIPE_SINKS_KAFKA_OUT_INTERNAL_H
#define LEADPIPE_SINKS_KAFKA_OUT_INTERNAL_H

#include "sinks/kafka/kafka_out.h"

#define KAFKA_PATIENCE_US INT64_C(5000000) /* for a last transaction, of a run that is stopped */

/* The sink is dead. The first error is the one that counts. */
void kafka_out_break(struct kafka_out *o, const struct err *why);

/* Has the run been stopped, so that nothing may be waited for any more? `least_us`: not before. */
bool kafka_out_is_over(const struct kafka_out *o, int64_t least_us);

/* Then: the sink is dead, RC_STOPPED. */
enum rc kafka_out_stopped(struct kafka_out *o, struct err *e);

/* Begins a transaction where there is to be one and none is open. */
enum rc kafka_out_begin_transaction(struct kafka_out *o, struct err *e);

#endif
