/* A file that appears under its name only when it is complete, here or elsewhere (place.h).
 *
 * It is written beside its final place under a name derived from it (".NAME.leadpipe-part"),
 * locked against a second run, flushed to disk and renamed. What was there before stays until
 * then. A path that exists and is no regular file (a pipe, /dev/null) is written to directly; "-"
 * is standard output, and a path that is a name of an open descriptor (descriptor.h) is that
 * descriptor: neither is truncated or replaced. A URL such as s3://BUCKET/KEY is for the place of its
 * scheme. One thread at a time.
 *
 * Write errors stick: outfile_write() after a failure does nothing; the first error is reported by
 * outfile_rc() and outfile_complete(). */
#ifndef LEADPIPE_OUTFILE_H
#define LEADPIPE_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/findings.h"

struct outfile;
struct places;
struct stop_timer;

/* Opens the unfinished file. `keep_bytes` 0 starts anew; else what an earlier run left is cut back
 * to that many bytes (RC_USAGE when it is shorter) and written on. RC_BUSY: another process writes
 * it. RC_USAGE: a directory, or a folder that does not exist or is not writable. */
enum rc outfile_open(struct outfile **out, const char *path, uint64_t keep_bytes, bool want_sha256,
                     struct err *e);

/* Of the unfinished name. Two files of different suffixes may be written for one path, and one of them
 * published. */
enum outfile_suffix {
    OUTFILE_PART, /* ".NAME.leadpipe-part" */
    OUTFILE_WIDE, /* ".NAME.leadpipe-wide": the whole once more, with columns that appeared late */
    /* ".NAME.leadpipe-row1", "-row2": rows that a mark covers and the file has not yet; never published */
    OUTFILE_ROWS_A,
    OUTFILE_ROWS_B,
    OUTFILE_SUFFIXES,
    OUTFILE_SCRATCH = OUTFILE_ROWS_A, /* from here on: never published, always on this machine */
};

struct outfile_cfg {
    const struct places *places; /* beyond this machine's own (places.h); NULL: none */
    const char *path;
    uint64_t keep_bytes;
    struct str mark; /* with `keep_bytes`: what outfile_mark() has appended; or absent */
    bool want_sha256;
    enum outfile_suffix suffix;
    /* Of the file; 0: as that of the file that it replaces, or by the umask. Nothing for streams. */
    unsigned mode;
    /* Descriptors, pipes and devices get nothing before outfile_publish(): until then it goes to an
     * unlinked temporary file in $TMPDIR (else /var/tmp). Standard error is always treated so: lines
     * must not be mixed with messages. */
    bool spool;
    bool reads_back; /* outfile_read() and outfile_copy() from it will be asked for */
    /* Ends waiting for the reader of a stream: RC_STOPPED. NULL: it is waited for, for ever. */
    const struct stop_timer *stop;
};

/* As outfile_open(). A named pipe without a reader is no error, and is not waited for: that comes with
 * the first write, or with outfile_complete(). A stream cannot be kept: RC_USAGE for `keep_bytes` there. */
enum rc outfile_open_cfg(struct outfile **out, const struct outfile_cfg *cfg, struct err *e);

void outfile_write(struct outfile *f, const void *p, size_t n);
enum rc outfile_rc(const struct outfile *f, struct err *e);
uint64_t outfile_bytes(const struct outfile *f); /* written so far, buffered ones included */

/* Reads back what was written: up to `n` bytes at `at` into `p`; *got is 0 at the end. RC_INTERNAL
 * for a stream that is not spooled. */
enum rc outfile_read(struct outfile *f, uint64_t at, void *p, size_t n, size_t *got, struct err *e);

/* Appends `n` bytes of another file, from `at` on, without passing them through memory where the
 * system can do that. Errors stick in `f`. */
void outfile_copy(struct outfile *f, struct outfile *from, uint64_t at, uint64_t n);

/* A descriptor, a pipe or a device: a later run cannot resume it. */
bool outfile_is_stream(const struct outfile *f);

/* The bytes that the reader of a stream already has, because it is not spooled: they cannot be taken back. 0: a file. */
uint64_t outfile_bytes_sent(const struct outfile *f);

/* Nothing that was written waits in memory; the system has it. */
enum rc outfile_flush(struct outfile *f, struct err *e);

/* As outfile_flush(), and appends to `out` what open() needs beside the length to continue from here: visible
 * ASCII without "@", often nothing. It holds once outfile_sync() has returned. RC_USAGE: a stream. */
enum rc outfile_mark(struct outfile *f, struct buf *out, struct err *e);

/* What was flushed is on disk, and so is the unfinished file's name. Any thread, but only one, also
 * while another one writes; not while it is published or closed. Nothing for streams. */
enum rc outfile_sync(struct outfile *f, struct err *e);

/* Nothing more comes: flushed, synced, still under its unfinished name. */
enum rc outfile_complete(struct outfile *f, struct err *e);
/* The same, also after outfile_complete(); and where `text` is not NULL, what outfile_publish() will
 * rename is appended to it (renames.h; nothing for streams) once the unfinished name is on disk, too.
 * From then on outfile_close() leaves the file, for outfile_recover(). Errors stick in `text`. */
enum rc outfile_prepare(struct outfile *f, struct buf *text, struct err *e);
/* Appends to `text`, behind what outfile_prepare() of another file for the same path has appended, that
 * this one is to be removed. Nothing for streams, or where `text` is NULL. */
void outfile_prepare_removal(struct outfile *f, struct buf *text);
/* Removes it, unless it was published, and gives its space back. Only outfile_close() may follow, and
 * what says its bytes and digest. RC_IO: it could not be removed. */
enum rc outfile_abort(struct outfile *f, struct err *e);
/* After outfile_complete(): renamed, and the folder synced. */
enum rc outfile_publish(struct outfile *f, struct err *e);
/* After outfile_complete(): begins outfile_publish() if that involves waiting, as it does for objects, so that several files can
 * be published at the same time. The file may appear from then on; outfile_publish() must follow, or outfile_abort() where
 * another file could not be published. */
void outfile_begin_publish(struct outfile *f);

/* Has outfile_publish() succeeded? */
bool outfile_is_published(const struct outfile *f);

/* Hexadecimal digest of the whole file, or "". After outfile_complete(). */
const char *outfile_sha256(const struct outfile *f);

/* Closes; removes what was not published (with `keep`, leaves it for a later run to resume). */
void outfile_close(struct outfile *f, bool keep);

/* Removes what a run that was killed left of an unfinished file with that suffix, unless another
 * run is writing it. */
void outfile_clear(const struct places *places, const char *path, enum outfile_suffix suffix);
/* The same for all that a run has left for that path, wherever it is: nobody will resume it. */
void outfile_discard(const struct places *places, const char *path);

/* Appends the names of all unfinished files that may be made for a path, each with a NUL behind it;
 * none for streams. RC_USAGE as outfile_check(). */
enum rc outfile_unfinished(const struct places *places, const char *path, struct buf *out,
                           struct err *e);

/* Is it, or will it be, a file or an object that is replaced? Descriptors, pipes and devices are not. */
bool outfile_is_file(const char *path);

/* Is it the URL of something ("s3://bucket/x")? Then it is no path; "./s3://bucket/x" is one. */
bool outfile_is_url(const char *path);

/* Would outfile_open() be able to, and outfile_publish() to rename? Touches nothing. RC_USAGE and a
 * text when not. */
enum rc outfile_check(const struct places *places, const char *path, struct err *e);

/* After outfile_check(), of a file that is read back (`reads_back`), or for which others with the suffixes of OUTFILE_SCRATCH are
 * written: could what is on this machine of it be written, too? RC_USAGE and a text when not. */
enum rc outfile_check_spool(const struct places *places, const char *path, struct err *e);

/* After outfile_check(): what can be known only where the file will be, as of an object's bucket: reports it as
 * `subject`, and leaves nothing behind. Returns whether there was anything to report. Blocks. */
bool outfile_probe(const struct places *places, const char *path, const char *subject,
                   const struct findings *f);

/* Of a folder that files are to be written to. Could outfile_make_dirs() make it, and files be made in it? Touches nothing. RC_USAGE. */
enum rc outfile_check_dirs(const struct places *places, const char *path, struct err *e);

/* As outfile_check(), of a file whose folder will be made if it is not there. */
enum rc outfile_check_new(const struct places *places, const char *path, struct err *e);

/* Makes a folder and its missing parents (mode 0777 less umask), where there are folders. */
enum rc outfile_make_dirs(const char *path, struct err *e);

#endif
