/* What sinks share that write the rows of each table to a file of its own (csv, parquet): the files,
 * their marks, and the calls of struct sink_ops that go to each file in turn.
 *
 * A sink's instance begins with a struct table_sink and has its files in an array of its own. In its
 * struct sink_ops stand the functions below of the same names; open, prepare, result and close are its
 * own and use the others. Threads: as struct sink_ops has them. */
#ifndef LEADPIPE_TABLE_SINK_H
#define LEADPIPE_TABLE_SINK_H

#include "core/sink.h"
#include "sinks/column_names.h"
#include "sinks/stream.h"
#include "sinks/table_files.h"

struct table_sink;

/* Of the file of targets.items[i]. */
struct table_sink_ops {
    /* `mark` is what mark() appended in an earlier run; absent: the file begins anew. RC_SYNTAX: it is
     * damaged. */
    enum rc (*open)(struct table_sink *s, size_t i, struct str mark, struct err *e);
    enum rc (*put)(struct table_sink *s, const struct lead *lead, struct err *e); /* to all files */
    /* Appends one line, and its end. */
    enum rc (*mark)(struct table_sink *s, size_t i, struct buf *out, struct err *e);
    enum rc (*sync)(struct table_sink *s, size_t i, struct err *e);
    void (*begin_commit)(struct table_sink *s, size_t i); /* commit() or abort() follows */
    enum rc (*commit)(struct table_sink *s, size_t i, struct err *e);
    enum rc (*abort)(struct table_sink *s, size_t i, struct err *e);
};

struct table_sink {
    struct sink sink; /* first */
    const struct table_sink_ops *ops;
    struct sink_cfg cfg;
    struct table_files targets;
    struct sink_file *results; /* one for each target */
    struct buf mark;
    bool marked; /* there is a mark that needs the unfinished files */
};

/* Opening has three steps: this one, which cannot fail, ... */
void table_sink_init(struct table_sink *s, const struct sink_ops *sink,
                     const struct table_sink_ops *ops, const struct sink_cfg *cfg,
                     const struct sink_mark *from);
/* ... `targets`, with the directory that they are in, after which the sink allocates its files; RC_USAGE,
 * RC_IO, RC_NOMEM ... */
enum rc table_sink_make_targets(struct table_sink *s, const struct table_files_cfg *files,
                                struct err *e);
/* ... and opening each. RC_SYNTAX: the mark is not one of this sink's. */
enum rc table_sink_open_files(struct table_sink *s, const struct sink_mark *from, struct err *e);
/* All but the sink's own; after any of the three. */
void table_sink_free(struct table_sink *s);

/* Each lead is accepted once its rows are taken. */
enum rc table_sink_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e);
enum rc table_sink_mark(struct sink *s, struct sink_mark *out, struct err *e);
enum rc table_sink_sync(struct sink *s, struct err *e);
enum rc table_sink_commit(struct sink *s, struct err *e);
enum rc table_sink_abort(struct sink *s, struct err *e);

/* For result(): sets results[i]. */
void table_sink_describe(const struct table_sink *s, size_t i, uint64_t rows,
                         const struct stream *stream, const struct column_names *columns);

#endif
