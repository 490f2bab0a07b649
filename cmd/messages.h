/* What leadpipe says on standard error: messages, and a live line that they do not tear up.
 *
 * Every message is one line: "leadpipe: subject: text", or a JSON object. Bytes from outside are
 * escaped here, and secrets redacted, so that callers need not think of it. Any thread. */
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
    struct secrets *secrets; /* what no message may show; NULL: nothing. Set before other threads */
    struct fd_writer writer;
    const struct clock *clock;
    pthread_mutex_t lock;
    struct buf out; /* under `lock`, as what follows: what is being written */
    char live[LIVE_LINE_BYTES_MAX];
    size_t live_len; /* 0: there is no live line */
};

/* Errors and warnings only, as text, until `format` and `hook.level` are set otherwise. */
void messages_init(struct messages *m, int fd, const struct clock *clock);
void messages_free(struct messages *m);

/* From now on what nobody reads is dropped once that time is over; NULL: readers are waited for. While no
 * other thread writes. */
void messages_set_stop(struct messages *m, const struct stop_timer *stop);

/* Whatever the level of `hook` is, redacted. `subject` may be NULL. */
void messages_write(struct messages *m, enum log_level level, const char *subject,
                    const char *text);
void messages_writef(struct messages *m, enum log_level level, const char *subject, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5)));

/* Lines that are ready, each with its line end, and escaped already. */
void messages_block(struct messages *m, struct str lines);

/* Shows `line` (ASCII; cut when too long) as the terminal's last line, in the place of the one
 * before; NULL takes it away. For terminals that know ECMA-48's ED. */
void messages_live(struct messages *m, const char *line);

/* As if there were none, without writing anything: the terminal is somebody else's now. */
void messages_forget_live(struct messages *m);

/* A mistake of the user: says so and returns the exit status for it. */
int messages_usage(struct messages *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Begins a JSON object with the members that every line has: `at`, `level`, `subject`, `message`.
 * The caller adds others, each with a comma before it, and the end of the object and line. */
void messages_json_begin(struct buf *out, const struct clock *clock, enum log_level level,
                         const char *subject, const char *text);

#endif
