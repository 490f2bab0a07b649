/* What a Parquet file keeps in memory, in a file beside it for as long as the run is unfinished: the
 * columns, the values of the row group at hand, and what the footer will say of the others.
 *
 * Each mark writes the whole of it anew, not into the file of the mark before, which may still be
 * needed: there are two, in turn. A mark after which no rows came keeps the file that there is. */
#ifndef LEADPIPE_PARQUET_MARK_H
#define LEADPIPE_PARQUET_MARK_H

#include "sinks/parquet/parquet_file.h"

/* Writes the file and appends "ROWS SPOOL BYTES CRC " to `out`. Errors as outfile_open(); those of the
 * buffer stick in it. */
enum rc parquet_mark_put(struct parquet_file *f, struct buf *out, struct err *e);

/* Fills `f`, which has no table yet, from such words and the file that they name, and takes them from
 * `text`; without a text makes it empty. RC_SYNTAX: they are damaged; RC_USAGE: the file is, or is not
 * there. */
enum rc parquet_mark_take(struct parquet_file *f, struct str *text, struct err *e);

enum outfile_suffix parquet_mark_suffix(unsigned spool);

#endif
