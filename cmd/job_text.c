#include "cmd/job_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/job_secret.h"
#include "core/base/permission.h"
#include "core/base/read_full.h"
#include "core/base/unicode.h"

#define INDENT "    "
#define SHOWN_BEFORE 60 /* characters of a long line that are shown before the caret, ... */
#define SHOWN_CHARS 100 /* ... and altogether */
#define HIDDEN "***"

/* ---- where --------------------------------------------------------------------------------- */

static size_t char_bytes(struct str s, size_t at)
{
    size_t n = utf8_sequence((const unsigned char *)s.ptr + at, s.len - at);
    return n ? n : 1;
}

static size_t line_begin(struct str s, size_t at)
{
    while (at > 0 && s.ptr[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_end(struct str s, size_t at)
{
    while (at < s.len && s.ptr[at] != '\n' && s.ptr[at] != '\r')
        at++;
    return at;
}

static size_t count_chars(struct str s, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t at = from; at < to; at += char_bytes(s, at))
        n++;
    return n;
}

static size_t skip_chars(struct str s, size_t from, size_t end, size_t n)
{
    while (n-- > 0 && from < end)
        from += char_bytes(s, from);
    return from < end ? from : end;
}

size_t job_text_at(const struct job_text *t, size_t line, size_t column)
{
    size_t at = 0;
    for (; line > 0; line--) {
        const char *end = memchr(t->text.ptr + at, '\n', t->text.len - at);
        if (!end)
            return t->text.len;
        at = (size_t)(end - t->text.ptr) + 1;
    }
    return skip_chars(t->text, at, line_end(t->text, at), column);
}

enum rc job_fail(struct job_text *t, size_t at, struct err *e, const char *fmt, ...)
{
    char text[sizeof e->msg];
    size_t line = 1;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (at > t->text.len)
        at = t->text.len;
    for (size_t i = 0; i < at; i++)
        line += t->text.ptr[i] == '\n';
    t->has_fault = true;
    t->fault_at = at;
    return err_set(e, RC_USAGE, "%s:%zu:%zu: %s", t->path, line,
                   count_chars(t->text, line_begin(t->text, at), at) + 1, text);
}

/* ---- the caret ----------------------------------------------------------------------------- */

/* If values are hidden, where the visible part of a line ends: "  - key:". */
static size_t key_end(struct str s, size_t begin, size_t end)
{
    size_t at = begin;
    while (at < end && strchr(" -", s.ptr[at]))
        at++;
    size_t name = at;
    while (at < end && job_is_name_byte(s.ptr[at]))
        at++;
    bool is_key =
        at > name && at < end && s.ptr[at] == ':' && (at + 1 == end || s.ptr[at + 1] == ' ');
    return is_key ? at + 1 : begin;
}

static void put_shown(struct buf *out, struct str s, size_t from, size_t to)
{
    char shown[UNICODE_SHOWN_BYTES];
    while (from < to) {
        size_t taken;
        size_t n = unicode_show((struct str){s.ptr + from, to - from}, shown, &taken);
        if (n == taken)
            buf_add(out, shown, n);
        else
            buf_addc(out, '?'); /* one column for one character, so that the caret is below it */
        from += n == taken ? taken : char_bytes(s, from);
    }
}

void job_text_put_caret(const struct job_text *t, struct buf *out)
{
    if (!t->has_fault)
        return;
    struct str s = t->text;
    size_t begin = line_begin(s, t->fault_at), end = line_end(s, t->fault_at), at = t->fault_at;
    bool cut = false, hides = t->hides_values;
    if (at > end)
        at = end;
    size_t to = hides ? key_end(s, begin, end) : end;
    if (count_chars(s, begin, to) > SHOWN_CHARS) {
        size_t before = count_chars(s, begin, at < to ? at : to);
        size_t from = before > SHOWN_BEFORE ? before - SHOWN_BEFORE : 0;
        cut = from > 0;
        begin = skip_chars(s, begin, to, from);
        to = skip_chars(s, begin, to, SHOWN_CHARS);
    }
    buf_adds(out, INDENT);
    buf_adds(out, cut ? "..." : "");
    put_shown(out, s, begin, to);
    size_t column = count_chars(s, begin, at < to ? at : to) + (cut ? 3 : 0);
    if (hides && to < end) {
        buf_adds(out, to > begin ? " " HIDDEN : HIDDEN);
        column += to > begin && at > to;
    }
    buf_addf(out, "\n" INDENT "%*s^\n", (int)column, "");
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum rc check_byte(struct job_text *t, size_t at, struct err *e)
{
    unsigned char c = (unsigned char)t->text.ptr[at];
    if (c == '\t')
        return job_fail(t, at, e, "a tab; indent and separate with spaces");
    if (c == '\0')
        return job_fail(t, at, e, "a NUL byte; a job file is text");
    if (c == '\n' || (c == '\r' && at + 1 < t->text.len && t->text.ptr[at + 1] == '\n'))
        return RC_OK;
    if (c < ' ' || c == 0x7F)
        return job_fail(t, at, e, "a control character (0x%02x); a job file is text", c);
    return RC_OK;
}

enum rc job_text_check(struct job_text *t, const char *path, struct str text, struct err *e)
{
    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
        text = (struct str){text.ptr + 3, text.len - 3};
    *t = (struct job_text){.path = path, .text = text};
    t->hides_values = job_may_hold_secret(text);
    for (size_t at = 0; at < text.len;) {
        size_t n = utf8_sequence((const unsigned char *)text.ptr + at, text.len - at);
        if (n == 0)
            return job_fail(t, at, e, "is not UTF-8 from here on");
        enum rc rc = n == 1 ? check_byte(t, at, e) : RC_OK;
        if (rc != RC_OK)
            return rc;
        at += n;
    }
    return RC_OK;
}

static enum rc read_all(int fd, const char *path, char *bytes, size_t *len, struct err *e)
{
    ssize_t n = read_full(fd, bytes, JOB_BYTES_MAX + 1);
    if (n < 0)
        return err_sys(e, RC_USAGE, errno, "%s", path);
    if ((size_t)n > JOB_BYTES_MAX)
        return err_set(e, RC_USAGE, "%s: is larger than 1 MiB, the most that a job file may have",
                       path);
    *len = (size_t)n;
    return RC_OK;
}

enum rc job_text_read(struct job_text *t, const char *path, struct arena *memory, struct err *e)
{
    size_t len = 0;
    *t = (struct job_text){.path = path};
    char *bytes = arena_zalloc(memory, JOB_BYTES_MAX + 2);
    if (!bytes)
        return err_nomem(e);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return permission_failed(e, RC_USAGE, errno, path, PERMISSION_READ);
    enum rc rc = read_all(fd, path, bytes, &len, e);
    (void)close(fd); /* it was only read */
    if (rc != RC_OK)
        return rc;
    bytes[len] = '\0';
    return job_text_check(t, path, (struct str){bytes, len}, e);
}
