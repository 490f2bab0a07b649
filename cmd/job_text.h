/* The text of a job file: reads and checks it, and makes messages about a place in it. */
#ifndef LEADPIPE_CMD_JOB_TEXT_H
#define LEADPIPE_CMD_JOB_TEXT_H

#include <stdbool.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define JOB_BYTES_MAX ((size_t)1 << 20)

struct job_text {
    const char *path;
    struct str text;   /* UTF-8 without control characters; followed by a NUL */
    bool hides_values; /* it may contain a secret: job_text_put_caret() shows only keys */
    bool has_fault;
    size_t fault_at; /* offset of the byte that the last job_fail() was about */
};

/* Reads the file into the arena. RC_USAGE: it cannot be read, is too large, or has bytes that are not allowed in a job
 * file; RC_NOMEM. The caller keeps `path` alive. */
enum rc job_text_read(struct job_text *t, const char *path, struct arena *memory, struct err *e);

/* The same for a text in memory. */
enum rc job_text_check(struct job_text *t, const char *path, struct str text, struct err *e);

/* Sets `e` to RC_USAGE with "PATH:LINE:COLUMN: " and the formatted text, for the byte at offset `at`, and returns it.
 * Lines and columns begin with 1; columns are counted in characters. */
enum rc job_fail(struct job_text *t, size_t at, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The offset of a line and column (both from 0). */
size_t job_text_at(const struct job_text *t, size_t line, size_t column);

/* Appends two lines, safe for terminals: the line of the fault, and a caret below it. Appends nothing if the fault has no
 * place in the file. */
void job_text_put_caret(const struct job_text *t, struct buf *out);

#endif
