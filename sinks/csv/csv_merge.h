/* Rows of CSV files of shards into one file, as they are: only where a shard lacks columns, or has them in another
 * order, their fields are set apart, and never decoded. */
#ifndef LEADPIPE_CSV_MERGE_H
#define LEADPIPE_CSV_MERGE_H

#include "sinks/csv/csv_file.h"
#include "sinks/merge.h"

struct csv_fields { /* of the row at hand; zero is empty */
    struct str *items;
    size_t n, cap;
};

void csv_fields_free(struct csv_fields *fields);

/* The file has all columns of the table in the schema. Before the first row. RC_NOMEM. */
enum rc csv_merge_columns(struct csv_file *f, const struct schema *schema, size_t table,
                          struct err *e);
/* Takes what the file of a shard begins with. RC_SYNTAX: it is not that, or has other columns; RC_IO, RC_NOMEM. */
enum rc csv_merge_header(struct csv_file *f, struct shard_file *from,
                         const struct merge_columns *columns, struct err *e);
/* Takes a row, and appends it. RC_SYNTAX: there is none; RC_IO, RC_NOMEM. */
enum rc csv_merge_row(struct csv_file *f, struct shard_file *from,
                      const struct merge_columns *columns, struct csv_fields *fields,
                      struct err *e);

#endif
