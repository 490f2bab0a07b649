/* Runs the user's command after a run (--on-success, --on-failure), without a shell. */
#ifndef LEADPIPE_HOOK_H
#define LEADPIPE_HOOK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define HOOK_MS_MAX 60000 /* after this its process group gets SIGTERM ... */
#define HOOK_KILL_MS 5000 /* ... and this much later SIGKILL */

struct hook_words {
    char **items; /* ends with NULL, as argv does */
    size_t n;
    char *text; /* the words' bytes; owned */
};

/* Splits a command into words as a shell does (POSIX 2.2, "Quoting"; 2.3), but without expansion: blanks separate words;
 * backslash, '...' and "..." quote. A shell's operators are ordinary characters. RC_SYNTAX: the message says what is
 * wrong, but does not quote the command, which may contain a secret; RC_NOMEM. */
enum rc hook_split(struct hook_words *out, const char *command, struct err *e);
/* Checks that hook_split() would succeed. Errors as there. */
enum rc hook_check(const char *command, struct err *e);
void hook_words_free(struct hook_words *w);

struct hook_cfg {
    char *const *words;        /* the program, looked up in $PATH, and its arguments */
    char *const *environment;  /* "NAME=value", ends with NULL */
    struct str input;          /* for its standard input; the command need not read it */
    int output_fd;             /* becomes its standard output and error */
    int64_t limit_ms, kill_ms; /* until SIGTERM, and from there until SIGKILL */
    const struct clock *clock;
    /* Called with the command's process group, and with 0 when it has ended, so that a signal handler can end it. May be
     * NULL. */
    void (*started)(pid_t group);
};

struct hook_end {
    int exit_status; /* of the command, if `signal` is 0 */
    int signal;      /* the one that ended it, or 0 */
    bool timed_out;
};

/* Runs the command and waits until it has ended. RC_USAGE: it cannot be started; RC_IO, RC_NOMEM. The caller must ignore
 * SIGPIPE. */
enum rc hook_run(const struct hook_cfg *cfg, struct hook_end *out, struct err *e);

#endif
