/* Reads the Parquet files that this program writes, row by row, for leadpipe merge. Of other files it may say that they
 * are damaged: no nesting, pages of version 1, PLAIN and RLE_DICTIONARY.
 *
 * Memory: the row group at hand compressed, and of each column one page and the dictionary decompressed. */
#ifndef LEADPIPE_PARQUET_READ_H
#define LEADPIPE_PARQUET_READ_H

#include "sinks/parquet/chunk.h"
#include "sinks/shard_file.h"

struct parquet_reader;

/* Compares the file with its manifest (shard_file_verify()), and reads the footer. RC_SYNTAX: it is damaged; RC_IO,
 * RC_NOMEM. The file stays the caller's. */
enum rc parquet_reader_new(struct parquet_reader **out, struct shard_file *file, struct err *e);
void parquet_reader_free(struct parquet_reader *r); /* may be NULL */

size_t parquet_reader_columns(const struct parquet_reader *r);
enum physical_type parquet_reader_type(const struct parquet_reader *r, size_t column);

/* Begins the next row; RC_SYNTAX: there is none. Then each column's value, once: absent if it is null, else as chunk_put()
 * takes it; until the next row. */
enum rc parquet_reader_row(struct parquet_reader *r, struct err *e);
enum rc parquet_reader_value(struct parquet_reader *r, size_t column, struct str *out,
                             struct err *e);
/* All rows were read. */
bool parquet_reader_ended(const struct parquet_reader *r);

#endif
