/* A sink that writes records one after another into one file: what `ndjson` and `msgpack` share. */
#ifndef LEADPIPE_RECORD_FILE_H
#define LEADPIPE_RECORD_FILE_H

#include "core/sink.h"
#include "sinks/record/encoding.h"
#include "sinks/record/record.h"
#include "sinks/stream.h"

struct record_file_opts {
    int layout;   /* enum record_layout */
    int64_t gzip; /* level, or OPTION_AUTO */
};

/* The options of such a sink. `raw`: what layout=raw writes; `automatic`: what gzip=auto is. */
#define RECORD_FILE_OPTIONS(raw, automatic)                                                        \
    {.name = "layout",                                                                             \
     OPTION_AT(struct record_file_opts, CHOICE, layout),                                           \
     .choices = "lead|rows|raw", /* in the order of enum record_layout */                          \
     .default_text = "lead",                                                                       \
     .help = "one object per lead, one per row, or " raw},                                         \
        STREAM_OPTION_GZIP(OPTION_AT(struct record_file_opts, NUMBER, gzip), automatic),           \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* The functions of struct sink_ops that are the same for each. */
#define RECORD_FILE_OPS                                                                            \
    .opts_size = sizeof(struct record_file_opts), .check = record_file_check,                      \
    .paths = record_file_paths, .put = record_file_put, .mark = record_file_mark,                  \
    .sync = record_file_sync, .prepare = record_file_prepare, .commit = record_file_commit,        \
    .abort = record_file_abort, .recover = record_file_recover, .on_stop = SINK_STOP_KEEP,         \
    .result = record_file_result, .close = record_file_close

/* What an encoding settles before record_file_open(). */
struct record_file_kind {
    const struct sink_ops *ops;
    const struct encoding *encoding;
    unsigned level; /* of gzip; 0: none */
};

unsigned record_file_needs(const struct sink_cfg *cfg, const struct encoding *encoding);
enum rc record_file_open(struct sink **out, const struct record_file_kind *kind,
                         const struct sink_cfg *cfg, const struct sink_mark *from, struct err *e);

/* As struct sink_ops has them. */
enum rc record_file_check(const struct sink_cfg *cfg, struct err *e);
enum rc record_file_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e);
enum rc record_file_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e);
enum rc record_file_mark(struct sink *s, struct sink_mark *out, struct err *e);
enum rc record_file_sync(struct sink *s, struct err *e);
enum rc record_file_prepare(struct sink *s, struct buf *text, struct err *e);
enum rc record_file_commit(struct sink *s, struct err *e);
enum rc record_file_abort(struct sink *s, struct err *e);
enum rc record_file_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,
                            struct err *e);
void record_file_result(const struct sink *s, struct sink_result *out);
void record_file_close(struct sink *s);

#endif
