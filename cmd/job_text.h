/* The text of a job file: read, checked, and what messages show of it. */
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
    struct str text;   /* UTF-8 without control characters; a NUL is behind it */
    bool hides_values; /* it may hold a secret: the line below a message shows keys alone */
    bool has_fault;
    size_t fault_at; /* of the last job_fail(): the byte that it is about */
};

/* Reads the file into the arena. RC_USAGE: it cannot be read, is too large, or has bytes that no job file
 * may have; RC_NOMEM. `t->path` stays the caller's. */
enum rc job_text_read(struct job_text *t, const char *path, struct arena *memory, struct err *e);

/* The same for a text that is in memory already. */
enum rc job_text_check(struct job_text *t, const char *path, struct str text, struct err *e);

/* RC_USAGE with "PATH:LINE:COLUMN: " and the text. Lines and columns begin with 1; a column is a
 * character. */
enum rc job_fail(struct job_text *t, size_t at, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The byte at which a line and column (both from 0) are. */
size_t job_text_at(const struct job_text *t, size_t line, size_t column);

/* Appends two lines, safe for terminals: that of the fault, and a caret below it; nothing where the fault
 * is in no line. */
void job_text_put_caret(const struct job_text *t, struct buf *out);

#endif
