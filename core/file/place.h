/* A place is a kind of where a file can be written to. What all that write files use is outfile.h; it
 * buffers, keeps the first error and makes the digest, and does not know which place has the bytes. What
 * a path leads to is found in target.c: a place of this machine, or one of a list (places.h).
 *
 * For those who make places; who writes files needs outfile.h only.
 *
 * The life of a file, in the order of calls; `!` may fail for want of space, `=` must not any more:
 *
 *     open  write!...  [mark  sync!]...  complete!  prepare  commit=  close
 *
 * or abort and close in any phase. A later run resumes with open() from a mark, or with recover() from
 * what prepare() appended. One thread at a time, but for sync(). */
#ifndef LEADPIPE_PLACE_H
#define LEADPIPE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/findings.h"
#include "core/file/outfile.h"
#include "core/file/outfile_recover.h"
#include "core/file/target.h"

/* A file that is open at its place; the first member of the place's own struct. */
struct place {
    const struct place_ops *ops;
    struct target target; /* the outfile's, until close() */
    const char *label;    /* what messages call it */
    int back_fd;          /* what was written can be read back from here; -1: it cannot */
    bool published;       /* commit() has made it visible */
};

struct place_ops {
    /* It appears under its name when it is complete, so a later run can resume or finish it. Else
     * what is written is gone: mark(), sync(), prepare() and recover() are never called. */
    bool is_replaced;

    /* Would open() be able to, and commit() too? Touches nothing. RC_USAGE and a text when not. */
    enum rc (*check)(const struct target *t, struct err *e);
    /* Could what is written be kept in a local file as well, from which it is read back? RC_USAGE and a text when not. NULL: it
     * is a local file anyway. */
    enum rc (*check_spool)(const struct target *t, struct err *e);
    /* After check(): reports as `subject` whether a file could be written there, and leaves nothing behind. Blocks.
     * NULL: check() finds all that can be known. */
    void (*probe)(const struct target *t, const char *subject, const struct findings *f);
    /* Appends the names of all unfinished files that may be made for a target, each with a NUL behind it.
     * NULL: there are none. */
    enum rc (*unfinished)(const struct target *t, struct buf *out, struct err *e);
    /* Removes what a run that was killed left unfinished, unless another run is writing it. NULL: there
     * cannot be any. */
    void (*clear)(const struct target *t);
    /* Removes all that a run has left for a target that no other one will resume. NULL: there cannot
     * be any. */
    void (*discard)(const struct target *t);

    /* As outfile_open_cfg(), but for `cfg->mark`, which is mark()'s. `t` stays the caller's, until after
     * close(). */
    enum rc (*open)(struct place **out, const struct target *t, const struct outfile_cfg *cfg,
                    struct err *e);
    enum rc (*write)(struct place *p, const char *data, size_t n, struct err *e);
    /* Appends `n` bytes that another file has at `at`. Returns how many: all, or fewer where the system
     * cannot or meets an error, which shows when the rest is read and written. NULL: none. */
    uint64_t (*copy)(struct place *p, int from_fd, uint64_t at, uint64_t n);
    /* Appends what open() needs beside the length, as outfile_mark(). NULL: nothing. */
    enum rc (*mark)(struct place *p, struct buf *text, struct err *e);
    /* What was written, or the last mark covers, is durable. Any thread, also while another one writes. */
    enum rc (*sync)(struct place *p, struct err *e);
    /* Nothing more comes. Complete and durable, still not visible. */
    enum rc (*complete)(struct place *p, struct err *e);
    /* After complete(): how to finish it is appended to `text`, as three texts with a NUL behind each
     * (renames.h), and close() leaves the file from then on, for recover(). */
    enum rc (*prepare)(struct place *p, struct buf *text, struct err *e);
    /* Appended to `text` behind what prepare() of another file for the same path has appended: that this
     * one is to be removed. */
    void (*prepare_removal)(const struct place *p, struct buf *text);
    /* Begins commit() and does not wait for its end, so that several files can be committed at the same time. commit()
     * follows, which says what has gone wrong, or does what could not be begun; or abort(). NULL: commit() has
     * nothing to wait for. */
    void (*begin_commit)(struct place *p);
    /* After complete(): it gets its name, durably. Sets `published` once it has it. */
    enum rc (*commit)(struct place *p, struct err *e);
    /* Removes it, unless it was published or a commit that was begun has succeeded, and gives its space
     * back. Only close() may follow. NULL: what was written cannot be taken back. */
    enum rc (*abort)(struct place *p, struct err *e);
    /* Frees it; removes what was neither published nor prepared (with `keep`, leaves it). */
    void (*close)(struct place *p, bool keep);

    /* As outfile_recover(), with the paths and the text of this place only. */
    enum rc (*recover)(const struct outfile_recovery *r, struct err *e);
};

/* Beside its final place under a name derived from it, locked against a second run, and renamed. */
extern const struct place_ops place_local;
/* Descriptors that were inherited, pipes and devices: written to directly, neither truncated nor
 * replaced; or, spooled, from a temporary file when it is committed. */
extern const struct place_ops place_descriptor;

#endif
