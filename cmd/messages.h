/* Writes messages to standard error, and keeps a live line below them.
 *
 * Every message is one line: "leadpipe: subject: text", or a JSON object. Bytes from outside are escaped here,
 * and secrets redacted, so callers need not do that. Any thread. */
#ifndef LEADPIPE_CMD_MESSAGES_H
#define LEADPIPE_CMD_MESSAGES_H

#include <pthread.h>
#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/file/fd_writer.h"
#include "core/base/log.h"
#include "core/base/secrets.h"

/* In the order of the choices of --log-format. */
enum message_format { MESSAGES_TEXT, MESSAGES_JSON };

#define LIVE_LINE_BYTES_MAX 256

struct messages {
    struct log_hook hook; /* for core: hands its messages to messages_write() */
    enum message_format format;
    struct secrets *secrets; /* to be redacted; NULL: none. Set before other threads are started */
    struct fd_writer writer;
    const struct clock *clock;
    pthread_mutex_t lock;
    struct buf out; /* what is being written; this and what follows: under `lock` */
    char live[LIVE_LINE_BYTES_MAX];
    size_t live_len; /* 0: there is no live line */
};

/* Errors and warnings only, as text, until `format` and `hook.level` are set otherwise. */
void messages_init(struct messages *m, int fd, const struct clock *clock);
void messages_free(struct messages *m);

/* From now on, if nobody reads standard error, messages are dropped once the timer has expired; NULL: wait for readers
 * without limit. Only while no other thread writes. */
void messages_set_stop(struct messages *m, const struct stop_timer *stop);

/* Writes a message, whatever the level of `hook`. `subject` may be NULL. */
void messages_write(struct messages *m, enum log_level level, const char *subject,
                    const char *text);
void messages_writef(struct messages *m, enum log_level level, const char *subject, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));

/* Writes lines that are complete, with their line ends, and have been escaped. */
void messages_block(struct messages *m, struct str lines);

/* Shows `line` (ASCII; truncated if too long) as the terminal's last line, instead of the previous one; NULL removes
 * it. For terminals that support ECMA-48's ED. */
void messages_live(struct messages *m, const char *line);

/* Forgets the live line without removing it from the terminal, which another program uses now. */
void messages_forget_live(struct messages *m);

/* Writes a message about a usage error, and returns the exit status for it. */
int messages_usage(struct messages *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Begins a JSON object with the members that every line has: `at`, `level`, `subject`, `message`. The caller
 * appends further members, each preceded by a comma, and ends the object and the line. */
void messages_json_begin(struct buf *out, const struct clock *clock, enum log_level level,
                         const char *subject, const char *text);

#endif
