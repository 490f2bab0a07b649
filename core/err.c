#include "err.h"

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

enum rc err_set(struct err *e, enum rc rc, const char *fmt, ...)
{
    if (!e)
        return rc;
    va_list args;
    va_start(args, fmt);
    /* Texts are for people: one that is cut short still says who and what. */
    (void)vsnprintf(e->msg, sizeof e->msg, fmt, args);
    va_end(args);
    e->rc = rc;
    return rc;
}

enum rc err_sys(struct err *e, enum rc rc, int errnum, const char *fmt, ...)
{
    if (!e)
        return rc;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(e->msg, sizeof e->msg, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    char text[128] = "";
    /* The GNU strerror_r may return a constant instead of filling `text`. */
    const char *system_text = strerror_r(errnum, text, sizeof text);
    /* Of a path that is too long to be shown the reason says more than its end. */
    size_t most = sizeof e->msg - 1 - strlen(system_text) - strlen("...: ");
    const char *joint = used > most ? "...: " : ": ";
    used = used > most ? most : used;
    (void)snprintf(e->msg + used, sizeof e->msg - used, "%s%s", joint, system_text);
    e->rc = rc;
    return rc;
}

enum rc err_nomem(struct err *e)
{
    return err_set(e, RC_NOMEM, "%s", rc_text(RC_NOMEM));
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    if (!e)
        return;
    char with_prefix[sizeof e->msg];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(with_prefix, sizeof with_prefix, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used < sizeof with_prefix)
        (void)snprintf(with_prefix + used, sizeof with_prefix - used, ": %.*s",
                       (int)(sizeof with_prefix - used), e->msg);
    memcpy(e->msg, with_prefix, sizeof e->msg);
}
