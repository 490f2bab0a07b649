/* One CSV file: the rows of one table, under a header that covers them all.
 *
 * The header cannot be known before the last row, and the rows must not be kept in memory. So rows
 * are written as they come, each as wide as the columns known at that moment, behind a header that
 * hopes for the best. It is written late: the first 256 KiB of rows wait in memory, and columns
 * that appear there cost nothing. Where a column appears later, it is noted at which byte the rows
 * became wider. In the end, if there was none, the file is complete. Else it is written once more,
 * with the final header: the rows before the last change are padded, what follows is copied as it
 * is, compressed members too.
 *
 * The final bytes depend on the rows and the settings alone, not on how rows were split into batches, nor
 * on marks. One thread at a time. */
#ifndef LEADPIPE_CSV_FILE_H
#define LEADPIPE_CSV_FILE_H

#include "core/lead.h"
#include "core/provider/profile.h"
#include "sinks/extra_columns.h"
#include "sinks/csv/csv_encode.h"
#include "sinks/csv/csv_widen.h"
#include "sinks/run_columns.h"
#include "sinks/stream.h"

/* What all files of a sink have in common. */
struct csv_settings {
    const struct profile *profile;
    const struct run_columns *run;
    struct csv_dialect dialect;
    bool header, bom;
    unsigned level; /* of gzip; 0: none */
    bool want_sha256;
    const struct stop_timer *stop;
    const struct places *places;
};

struct csv_file {
    const struct csv_settings *settings;
    const struct table_spec *table;
    const char *path;
    struct stream *stream; /* what rows are written to; NULL: not open */
    struct stream *wide;   /* the whole once more, where columns appeared late */
    struct extra_columns columns;
    /* How many undocumented columns rows have. Counted from the first row, and once the file has
     * started from its first byte. One entry for each change. */
    struct csv_width *widths;
    size_t n_widths, cap_widths;
    struct buf ending; /* of every row, encoded: its run */
    struct buf rows;   /* encoded, not yet in the stream */
    struct buf scratch;
    bool started; /* the header is in the stream */
    uint64_t n_rows;
};

#define CSV_HOLD_BYTES ((size_t)256 * 1024) /* of rows, before the header is written */

/* `mark` is what csv_file_mark() gave in an earlier run, or absent. RC_SYNTAX: it is damaged; else
 * as stream_open(). `settings`, `table` and `path` must outlive the file. csv_file_close() is due
 * after a failure, too. */
enum rc csv_file_open(struct csv_file *f, const struct csv_settings *settings,
                      const struct table_spec *table, const char *path, struct str mark,
                      struct err *e);

/* Adds a row; `keys` are its fields in profile->key_columns, encoded. */
enum rc csv_file_put(struct csv_file *f, struct str keys, const struct row *row, struct err *e);

/* Behind a row that was appended to f->rows, encoded and with its end. */
enum rc csv_file_end_row(struct csv_file *f, struct err *e);

/* What was put is in the file, or in the text that is appended to `out`: one line, and its end. */
enum rc csv_file_mark(struct csv_file *f, struct buf *out, struct err *e);
/* What the last mark covers is on disk; as stream_sync(). */
enum rc csv_file_sync(struct csv_file *f, struct err *e);

/* As struct sink_ops's functions of these names. */
enum rc csv_file_prepare(struct csv_file *f, struct buf *text, struct err *e);
void csv_file_begin_commit(struct csv_file *f); /* as stream_begin_publish() */
enum rc csv_file_commit(struct csv_file *f, struct err *e);
enum rc csv_file_abort(struct csv_file *f, struct err *e);
/* Drops what was not committed; `keep` leaves what a mark needs. */
void csv_file_close(struct csv_file *f, bool keep);

/* What becomes visible under the name; its figures and digest are final after csv_file_prepare(). */
const struct stream *csv_file_stream(const struct csv_file *f);

#endif
