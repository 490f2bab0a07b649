#include "core/base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_msg(const struct log_hook *log, enum log_level level, const char *subject, const char *fmt,
             ...)
{
    if (!log_shows(log, level))
        return;
    char msg[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, args); /* a cut message still says what */
    va_end(args);
    log->write(log->ctx, level, subject, msg);
}
