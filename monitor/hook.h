/* Runs a command that somebody named to be run after the end of a run. There is no shell. */
#ifndef LEADPIPE_HOOK_H
#define LEADPIPE_HOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define HOOK_MS_MAX 60000 /* then it gets SIGTERM ... */
#define HOOK_KILL_MS 5000 /* ... and so much later SIGKILL, with its whole process group */

struct hook_words {
    char **items; /* ends with NULL, as argv does */
    size_t n;
    char *text; /* of all of them */
};

/* Splits a command into words as a shell does (POSIX 2.2, "Quoting"; 2.3), without any expansion: blanks separate,
 * backslash, '...' and "..." quote. Characters that are operators of a shell are characters. RC_SYNTAX: what is
 * wrong, without the text, which may hold a secret; RC_NOMEM. */
enum rc hook_split(struct hook_words *out, const char *command, struct err *e);
/* Would it be split? As hook_split(). */
enum rc hook_check(const char *command, struct err *e);
void hook_words_free(struct hook_words *w);

struct hook_cfg {
    char *const *words;       /* the program, looked up in $PATH, and its arguments */
    char *const *environment; /* "NAME=value", ends with NULL */
    struct str input;         /* for its standard input; it need not read it */
    int output_fd;            /* its standard output and error */
    int64_t limit_ms, kill_ms;
    const struct clock *clock;
    void (*started)(
        pid_t group); /* with 0: it has ended. For whoever ends this program. NULL: nobody */
};

struct hook_end {
    int exit_status; /* of the command, if `signal` is 0 */
    int signal;      /* that ended it */
    bool timed_out;
};

/* Runs it and waits for its end. RC_USAGE: it cannot be started; RC_IO, RC_NOMEM. SIGPIPE must be ignored. */
enum rc hook_run(const struct hook_cfg *cfg, struct hook_end *out, struct err *e);

#endif
