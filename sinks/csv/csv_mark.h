/* A CSV file's own part of a mark: what it keeps in memory besides the stream. */
#ifndef LEADPIPE_CSV_MARK_H
#define LEADPIPE_CSV_MARK_H

#include "sinks/csv/csv_file.h"

/* Appends words of printable text and UTF-8, each with a blank behind it. Errors stick in `out`. */
void csv_mark_put(const struct csv_file *f, struct buf *out);

/* Fills `f`, which is zero but for its buffers, from such words and takes them from `text`.
 * RC_SYNTAX: they are damaged; RC_NOMEM. */
enum rc csv_mark_take(struct csv_file *f, struct str *text);

/* Notes that rows from byte `from` on have that many undocumented columns. RC_NOMEM. */
enum rc csv_widths_add(struct csv_file *f, uint64_t from, uint32_t columns);

#endif
