/* A sink that writes records one after another into one file: what `ndjson` and `msgpack` share. */
#ifndef LEADPIPE_RECORD_FILE_H
#define LEADPIPE_RECORD_FILE_H

#include "core/sink.h"
#include "sinks/record/encoding.h"
#include "sinks/record/record.h"

struct record_file_opts {
    int layout;   /* enum record_layout */
    int64_t gzip; /* level, or OPTION_AUTO */
};

#define RECORD_FILE_LAYOUTS "lead|rows|raw" /* in the order of enum record_layout */

/* What an encoding settles before record_file_open(). */
struct record_file_kind {
    const struct sink_ops *ops;
    const struct encoding *encoding;
    unsigned level; /* of gzip; 0: none */
};

enum rc record_file_open(struct sink **out, const struct record_file_kind *kind,
                         const struct sink_cfg *cfg, const struct sink_mark *from, struct err *e);

/* The functions of struct sink_ops that need no more than that. */
enum rc record_file_check(const struct sink_cfg *cfg, struct err *e);
enum rc record_file_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e);
enum rc record_file_put(struct sink *s, struct lead *const leads[], size_t n, struct err *e);
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
