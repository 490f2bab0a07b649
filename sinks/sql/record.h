/* What a database keeps of the queue that a run's IDs come from: see `recorded` of struct sink_ops. */
#ifndef LEADPIPE_SINKS_SQL_RECORD_H
#define LEADPIPE_SINKS_SQL_RECORD_H

#include "core/sink.h"

/* In prepare(): a copy of what is committed with the rows; empty: nothing. */
enum rc sql_record_take(const struct sink_cfg *cfg, struct arena *memory, struct str *out,
                        struct err *e);

#endif
