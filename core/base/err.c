#include "core/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rc_text(enum rc rc)
{
    static const char *const texts[] = {
#define X(name, text) [RC_##name] = text,
        RC_LIST(X)
#undef X
    };
    size_t i = (size_t)rc;
    return i < sizeof texts / sizeof *texts ? texts[i] : "unknown error";
}

/* Paths have up to 4 KiB. */
#define LONG_TEXT_BYTES 8192

/* Of a text that is too long the middle is left out: who it is about stands at its beginning, and why
 * at its end. */
static void take_text(struct err *e, const char *text)
{
    static const char gap[] = " ... ";
    size_t n = strlen(text), room = sizeof e->msg - 1;
    if (n <= room) {
        memcpy(e->msg, text, n + 1);
        return;
    }
    size_t tail = (room - strlen(gap)) / 2;
    size_t head = room - strlen(gap) - tail;
    memcpy(e->msg, text, head);
    memcpy(e->msg + head, gap, strlen(gap));
    memcpy(e->msg + head + strlen(gap), text + n - tail, tail + 1);
}

enum rc err_set(struct err *e, enum rc rc, const char *fmt, ...)
{
    char text[LONG_TEXT_BYTES];
    if (!e)
        return rc;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    take_text(e, text);
    e->rc = rc;
    return rc;
}

enum rc err_sys(struct err *e, enum rc rc, int errnum, const char *fmt, ...)
{
    char text[LONG_TEXT_BYTES + 256], reason[128] = "";
    if (!e)
        return rc;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, LONG_TEXT_BYTES, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used >= LONG_TEXT_BYTES)
        used = LONG_TEXT_BYTES - 1;
    /* The GNU strerror_r may return a constant instead of filling `reason`. */
    const char *system_text = strerror_r(errnum, reason, sizeof reason);
    (void)snprintf(text + used, sizeof text - used, ": %s", system_text);
    take_text(e, text);
    e->rc = rc;
    return rc;
}

enum rc err_nomem(struct err *e)
{
    return err_set(e, RC_NOMEM, "%s", rc_text(RC_NOMEM));
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    char text[LONG_TEXT_BYTES + sizeof e->msg + 4];
    if (!e)
        return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, LONG_TEXT_BYTES, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used >= LONG_TEXT_BYTES)
        used = LONG_TEXT_BYTES - 1;
    (void)snprintf(text + used, sizeof text - used, ": %s", e->msg);
    take_text(e, text);
}
