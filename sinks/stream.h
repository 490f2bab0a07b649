/* A byte stream into an outfile, as it is or as gzip; what every sink that writes files writes to.
 *
 * Bytes in, file out: the file's bytes depend on the bytes written and the level alone, never on
 * how they were cut into calls, on time, or on marks. As gzip the file is a chain of members of
 * STREAM_MEMBER_BYTES of input each (RFC 1952 allows that, every decoder reads it as one stream);
 * each has the same header: no name, no time. So a run that is resumed gives the same bytes, and a
 * part of a file can be copied without inflating it.
 *
 * Write errors stick: stream_write() after a failure does nothing; stream_rc() returns it, and so do
 * stream_mark() and stream_complete(). Texts name the file. One thread at a time. */
#ifndef LEADPIPE_STREAM_H
#define LEADPIPE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/file/outfile.h"
#include "core/base/str.h"

#define STREAM_MEMBER_BYTES ((size_t)1 << 20) /* of input in one gzip member; held in memory */
#define STREAM_LEVEL_DEFAULT 6

/* Of the sinks' option `gzip=0..9`, whose default is "auto". */
#define STREAM_OPTION_GZIP(at, automatic)                                                          \
    {                                                                                              \
        .name = "gzip", at, .min = 0, .max = 9, .choices = "auto", .default_text = "auto",         \
        .flags = OPTION_PACKING,                                                                   \
        .help = "compress: 1 is fast, 9 is small, 0 is off; auto is " automatic                    \
    }
#define STREAM_GZIP_BY_NAME "6 if the file name ends in .gz"

struct sink_cfg;
struct sink_recovery;
struct stream;

struct stream_cfg {
    const struct places *places; /* as in struct outfile_cfg */
    const char *path;            /* final name, "-" for standard output */
    unsigned level;              /* 0: as it is; 1 to 9: gzip */
    bool want_sha256;
    /* Standard output, pipes and devices get nothing before stream_publish(): until then it is in
     * an unlinked temporary file. Without it they are written as the bytes come. */
    bool spool;
    bool reads_back;            /* stream_replay() and stream_append() from it will be asked for */
    enum outfile_suffix suffix; /* of the unfinished name */
    const struct stop_timer *stop; /* see outfile.h */
    struct str mark; /* what stream_mark() gave in an earlier run, to resume there; or absent */
};

/* The level for an option value: OPTION_AUTO is STREAM_LEVEL_DEFAULT where `path` ends in ".gz", else
 * 0. */
unsigned stream_level(int64_t option, const char *path);

/* Does `path` end in ".gz"? */
bool stream_is_gz(const char *path);

/* Errors as outfile_open(); RC_SYNTAX: a damaged mark. */
enum rc stream_open(struct stream **out, const struct stream_cfg *cfg, struct err *e);

void stream_write(struct stream *s, const void *p, size_t n);
enum rc stream_rc(const struct stream *s, struct err *e);
uint64_t stream_bytes(const struct stream *s);      /* written so far, before compression */
uint64_t stream_file_bytes(const struct stream *s); /* of the file; all of them once complete */
uint64_t stream_bytes_sent(const struct stream *s); /* as outfile_bytes_sent() */

/* Appends a text to `out` (printable ASCII without blanks) with which stream_open() can resume from
 * here. It holds once stream_sync() has returned. It changes nothing about the bytes of the file. The
 * input of the member at hand is in the text, compressed: usually a few hundred KiB, never much more
 * than STREAM_MEMBER_BYTES * 4 / 3. RC_USAGE: it is standard output, a pipe or a device. */
enum rc stream_mark(struct stream *s, struct buf *out, struct err *e);

/* What the last mark covers is on disk. Any thread, but only one, also while another one writes; not
 * while it is published or closed. */
enum rc stream_sync(struct stream *s, struct err *e);

/* Nothing more comes: flushed, synced, still under the unfinished name. With a `text` (or NULL) that it
 * says how to finish: as outfile_prepare(). */
enum rc stream_prepare(struct stream *s, struct buf *text, struct err *e);
/* As outfile_prepare_removal(). */
void stream_prepare_removal(struct stream *s, struct buf *text);
/* After stream_prepare(): visible under its name. */
enum rc stream_publish(struct stream *s, struct err *e);
/* As outfile_begin_publish(). */
void stream_begin_publish(struct stream *s);
/* Removed, unless it was published: as outfile_abort(). */
enum rc stream_abort(struct stream *s, struct err *e);
/* Hexadecimal digest of the file, or "". After stream_prepare(). */
const char *stream_sha256(const struct stream *s);

/* Drops what was not published; with `keep` the unfinished file stays, for a run that resumes from a
 * mark, as it does with a text. `s` may be NULL. */
void stream_close(struct stream *s, bool keep);

/* struct sink_ops's recover() of a sink all of whose files are streams, or pairs of them with the two
 * suffixes: `paths` is the sink's own function. */
enum rc stream_recover(enum rc (*paths)(const struct sink_cfg *cfg, struct buf *out, struct err *e),
                       const struct sink_cfg *cfg, const struct sink_recovery *r, struct err *e);

/* ---- copying without inflating ---------------------------------------------------------------
 *
 * For a file whose beginning must be written anew and whose end must not: note where the end
 * begins, read the beginning back, write it to another stream, append the end as it is. */

/* A place where the stream can be cut in two. */
struct stream_cut {
    uint64_t bytes;      /* before compression */
    uint64_t file_bytes; /* in the file */
};

/* From now on stream_cut() gives the first cut at or after `bytes`, which must not lie before
 * stream_bytes(). */
void stream_watch(struct stream *s, uint64_t bytes);

/* Ends the member at hand, so that all that was written can be read back from the file. */
void stream_end_member(struct stream *s);

/* The cut for the last stream_watch(). Where nothing after it was written yet, or no member began
 * there, the end. After stream_end_member(). */
struct stream_cut stream_cut(const struct stream *s);

/* Calls `fn` with the content up to the cut, in pieces; stops with its first error. After
 * stream_end_member(). */
enum rc stream_replay(struct stream *s, struct stream_cut until,
                      enum rc (*fn)(void *ctx, const char *p, size_t n, struct err *e), void *ctx,
                      struct err *e);

/* Ends the member at hand, then appends the content of `from` after the cut as it is; both of the
 * same level. After stream_end_member(from). Errors stick in `s`. */
void stream_append(struct stream *s, struct stream *from, struct stream_cut after);

#endif
