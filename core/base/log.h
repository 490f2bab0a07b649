/* Messages go through a hook that the caller of core provides; core prints nothing itself. */
#ifndef LEADPIPE_LOG_H
#define LEADPIPE_LOG_H

#include <stdbool.h>

#include "core/base/err.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN_ALWAYS, /* a warning that --quiet does not hide: of what the user gave */
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

struct log_hook {
    /* Called from any thread; `subject` (who it is about, such as "csv:out/" or "ids.txt") may be
     * NULL. The texts may hold bytes from outside: the hook escapes them. */
    void (*write)(void *ctx, enum log_level level, const char *subject, const char *msg);
    void *ctx;
    enum log_level level; /* what is less important than this is not formatted at all */
};

/* Is a message of that level shown? For those that cost something to make. `log` may be NULL. */
static inline bool log_shows(const struct log_hook *log, enum log_level level)
{
    return log && level <= log->level;
}

/* `log` may be NULL: then nothing happens. */
void log_msg(const struct log_hook *log, enum log_level level, const char *subject, const char *fmt,
             ...) __attribute__((cold, format(printf, 4, 5)));

#endif
