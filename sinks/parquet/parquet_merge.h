/* Rows of Parquet files of shards into one file: values are taken out of the shards' pages and put into new row groups,
 * which end where those of one run would. */
#ifndef LEADPIPE_PARQUET_MERGE_H
#define LEADPIPE_PARQUET_MERGE_H

#include "sinks/merge.h"
#include "sinks/parquet/parquet_file.h"

struct parquet_merge;

/* `tables`: of each of the files, in the profile. RC_SYNTAX: a file of a shard is damaged; RC_IO, RC_NOMEM. */
enum rc parquet_merge_new(struct parquet_merge **out, const struct sink_merge *in,
                          struct parquet_file *files, const size_t *tables, struct err *e);
void parquet_merge_free(struct parquet_merge *m); /* may be NULL */

/* The rows of a lead. Errors as above. */
enum rc parquet_merge_put(struct parquet_merge *m, const struct merge_lead *lead, struct err *e);
/* No lead is left. RC_SYNTAX: of a shard's file there are rows. */
enum rc parquet_merge_end(const struct parquet_merge *m, struct err *e);

#endif
