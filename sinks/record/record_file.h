/* A sink that writes records one after another, into one file or into one for each table: what `ndjson`
 * and `msgpack` share. */
#ifndef LEADPIPE_RECORD_FILE_H
#define LEADPIPE_RECORD_FILE_H

#include "core/sink.h"
#include "sinks/record/encoding.h"
#include "sinks/record/record.h"
#include "sinks/run_columns.h"
#include "sinks/stream.h"

struct record_file_opts {
    int layout;   /* enum record_layout, or OPTION_AUTO */
    int64_t gzip; /* level, or OPTION_AUTO */
    bool run_columns;
};

/* The options of such a sink. `raw`: what layout=raw writes; `automatic`: what gzip=auto is. */
#define RECORD_FILE_OPTIONS(raw, automatic)                                                        \
    {.name = "layout",                                                                             \
     OPTION_AT(struct record_file_opts, CHOICE, layout),                                           \
     .choices = "lead|rows|raw", /* in the order of enum record_layout */                          \
     .default_note = "lead; in a directory rows, without _table",                                  \
     .help = "one object per lead, one per row, or " raw},                                         \
        STREAM_OPTION_GZIP(OPTION_AT(struct record_file_opts, NUMBER, gzip), automatic),           \
        RUN_COLUMNS_OPTION(OPTION_AT(struct record_file_opts, FLAG, run_columns)),                 \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* What distinguishes one such sink from another. */
struct record_file_kind {
    const struct sink_ops *ops;
    const struct encoding *encoding;
    const char *suffix; /* of files in a directory: ".ndjson" */
    bool is_compressed; /* with gzip=auto, whatever the file is called */
};

/* As struct sink_ops has them, with the kind first. */
unsigned record_file_needs(const struct record_file_kind *kind, const struct sink_cfg *cfg);
enum rc record_file_check(const struct record_file_kind *kind, const struct sink_cfg *cfg,
                          struct err *e);
enum rc record_file_paths(const struct record_file_kind *kind, const struct sink_cfg *cfg,
                          struct buf *out, struct err *e);
enum rc record_file_open(const struct record_file_kind *kind, struct sink **out,
                         const struct sink_cfg *cfg, const struct sink_mark *from, struct err *e);

extern const struct sink_merge_ops record_file_merge;

/* As struct sink_ops has them. */
enum rc record_file_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e);
enum rc record_file_mark(struct sink *s, struct sink_mark *out, struct err *e);
enum rc record_file_sync(struct sink *s, struct err *e);
enum rc record_file_prepare(struct sink *s, struct buf *text, struct err *e);
enum rc record_file_commit(struct sink *s, struct err *e);
enum rc record_file_abort(struct sink *s, struct err *e);
void record_file_result(const struct sink *s, struct sink_result *out);
void record_file_close(struct sink *s);

/* The functions of the sink `name`, whose kind is `kind`. */
#define RECORD_FILE_FUNCTIONS(name)                                                                \
    static unsigned name##_needs(const struct sink_cfg *cfg)                                       \
    {                                                                                              \
        return record_file_needs(&kind, cfg);                                                      \
    }                                                                                              \
    static enum rc name##_check(const struct sink_cfg *cfg, struct err *e)                         \
    {                                                                                              \
        return record_file_check(&kind, cfg, e);                                                   \
    }                                                                                              \
    static enum rc name##_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)        \
    {                                                                                              \
        return record_file_paths(&kind, cfg, out, e);                                              \
    }                                                                                              \
    static enum rc name##_open(struct sink **out, const struct sink_cfg *cfg,                      \
                               const struct sink_mark *from, struct err *e)                        \
    {                                                                                              \
        return record_file_open(&kind, out, cfg, from, e);                                         \
    }                                                                                              \
    static enum rc name##_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,       \
                                  struct err *e)                                                   \
    {                                                                                              \
        return stream_recover(name##_paths, cfg, r, e);                                            \
    }

#define RECORD_FILE_OPS(name)                                                                      \
    .opts_size = sizeof(struct record_file_opts), .target = NAMES_FILES,                           \
    .merge = &record_file_merge, .needs = name##_needs, .check = name##_check,                     \
    .paths = name##_paths, .open = name##_open, .put = record_file_put, .mark = record_file_mark,  \
    .sync = record_file_sync, .prepare = record_file_prepare, .commit = record_file_commit,        \
    .abort = record_file_abort, .recover = name##_recover, .on_stop = SINK_STOP_KEEP,              \
    .result = record_file_result, .close = record_file_close

#endif
