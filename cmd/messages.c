#include "cmd/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "core/json/json.h"
#include "cmd/escape.h"

/* A message has at most 1 KiB from core, and every byte may become four. */
#define OUT_BYTES_MAX ((size_t)1 << 20)

static void hook_write(void *ctx, enum log_level level, const char *subject, const char *text)
{
    messages_write(ctx, level, subject, text);
}

void messages_init(struct messages *m, int fd, const struct clock *clock)
{
    *m = (struct messages){.clock = clock};
    fd_writer_init(&m->writer, fd, false, NULL);
    m->hook = (struct log_hook){.write = hook_write, .ctx = m, .level = LOG_LEVEL_WARN};
    (void)pthread_mutex_init(&m->lock, NULL); /* with default attributes it cannot fail */
    buf_init(&m->out, OUT_BYTES_MAX);
}

void messages_set_stop(struct messages *m, const struct stop_timer *stop)
{
    m->writer.stop = stop;
}

void messages_free(struct messages *m)
{
    fd_writer_end(&m->writer);
    buf_free(&m->out);
    pthread_mutex_destroy(&m->lock);
}

/* ---- writing, under the lock ---------------------------------------------------------------- */

/* If standard error cannot be written, there is nowhere to report that. */
static void write_all(struct messages *m, const char *p, size_t n)
{
    (void)fd_writer_write(&m->writer, p, n);
}

/* Erases from the cursor to the end of the screen (ECMA-48, ED). Not from the first column of the
 * first row: there tmux takes it for a new page, and keeps the old one. */
#define ERASE "\r \x1b[J\r"

/* The cursor stays at the beginning of the live line. If the terminal has become narrower and has wrapped the line, that is
 * still its first row, and all of the line is erased. */
static void begin(struct messages *m)
{
    buf_clear(&m->out);
    if (m->live_len)
        buf_adds(&m->out, ERASE);
}

static void flush(struct messages *m)
{
    if (m->live_len) {
        buf_add(&m->out, m->live, m->live_len);
        buf_addc(&m->out, '\r');
    }
    if (buf_rc(&m->out) == RC_OK)
        write_all(m, m->out.data, m->out.len);
    else
        write_all(m, "leadpipe: out of memory\n", 24);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static const char *level_text(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN_ALWAYS:
    case LOG_LEVEL_WARN:
        return "warning";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "";
}

/* The escaped form as a JSON string, because a log may be shown on a terminal, too. */
static void add_json_text(struct buf *out, const char *text)
{
    struct buf escaped;
    buf_init(&escaped, OUT_BYTES_MAX);
    text_escape(&escaped, text);
    json_write_string(out, buf_str(&escaped));
    buf_free(&escaped);
}

void messages_json_begin(struct buf *out, const struct clock *clock, enum log_level level,
                         const char *subject, const char *text)
{
    char at[25];
    clock_format(clock_wall_ms(clock), at);
    buf_addf(out, "{\"at\":\"%s\",\"level\":\"%s\",\"subject\":", at, level_text(level));
    if (subject)
        add_json_text(out, subject);
    else
        buf_adds(out, "null");
    buf_adds(out, ",\"message\":");
    add_json_text(out, text);
}

static void add_text_line(struct buf *out, enum log_level level, const char *subject,
                          const char *text)
{
    buf_adds(out, "leadpipe: ");
    if (level != LOG_LEVEL_ERROR && level != LOG_LEVEL_INFO)
        buf_addf(out, "%s: ", level_text(level));
    if (subject) {
        text_escape(out, subject);
        buf_adds(out, ": ");
    }
    text_escape(out, text);
    buf_addc(out, '\n');
}

static void write_redacted(struct messages *m, enum log_level level, const char *subject,
                           const char *text)
{
    pthread_mutex_lock(&m->lock);
    begin(m);
    if (m->format == MESSAGES_JSON) {
        messages_json_begin(&m->out, m->clock, level, subject, text);
        buf_adds(&m->out, "}\n");
    } else {
        add_text_line(&m->out, level, subject, text);
    }
    flush(m);
    pthread_mutex_unlock(&m->lock);
}

void messages_write(struct messages *m, enum log_level level, const char *subject, const char *text)
{
    if (!m->secrets) {
        write_redacted(m, level, subject, text);
        return;
    }
    char *own_subject = subject ? strdup(subject) : NULL, *own_text = strdup(text);
    if (own_subject)
        secrets_redact(m->secrets, own_subject, strlen(own_subject) + 1);
    if (own_text)
        secrets_redact(m->secrets, own_text, strlen(own_text) + 1);
    /* Without memory for redaction: better no text than one with a secret. */
    write_redacted(m, level, own_subject, own_text ? own_text : SECRETS_LEFT_OUT);
    free(own_subject);
    free(own_text);
}

void messages_writef(struct messages *m, enum log_level level, const char *subject, const char *fmt,
                     ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* a truncated message is still useful */
    va_end(args);
    messages_write(m, level, subject, text);
}

void messages_block(struct messages *m, struct str lines)
{
    pthread_mutex_lock(&m->lock);
    begin(m);
    buf_add_str(&m->out, lines);
    flush(m);
    pthread_mutex_unlock(&m->lock);
}

void messages_live(struct messages *m, const char *line)
{
    pthread_mutex_lock(&m->lock);
    size_t len = line ? strnlen(line, sizeof m->live - 1) : 0;
    begin(m);
    if (len)
        memcpy(m->live, line, len);
    m->live_len = len;
    flush(m);
    pthread_mutex_unlock(&m->lock);
}

void messages_forget_live(struct messages *m)
{
    pthread_mutex_lock(&m->lock);
    m->live_len = 0;
    pthread_mutex_unlock(&m->lock);
}

int messages_usage(struct messages *m, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    messages_write(m, LOG_LEVEL_ERROR, NULL, text);
    return EXIT_STATUS_USAGE;
}
