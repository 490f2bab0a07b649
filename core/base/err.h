/* Error codes and error texts.
 *
 * Every function that can fail returns `enum rc` and, where a text helps, takes a `struct err *`
 * as its last argument. The text is one line that names what it is about (file, option, lead) and
 * is written by the place that knows most; callers pass it up unchanged or put a subject before it.
 * Output arguments are untouched when a function fails. */
#ifndef LEADPIPE_ERR_H
#define LEADPIPE_ERR_H

#define RC_LIST(X)                                                                                 \
    X(OK, "ok")                                                                                    \
    X(END, "end of input")                                                                         \
    X(NOMEM, "out of memory")                                                                      \
    X(IO, "input/output error")                                                                    \
    X(USAGE, "wrong usage")                                                                        \
    X(SYNTAX, "malformed input")                                                                   \
    X(LIMIT, "limit exceeded")                                                                     \
    X(NET, "network error")                                                                        \
    X(TLS, "TLS verification failed")                                                              \
    X(AUTH, "credentials refused")                                                                 \
    X(CLOSED, "closed")                                                                            \
    X(STOPPED, "stopped")                                                                          \
    X(BUSY, "in use by another process")                                                           \
    X(INTERNAL, "internal error")

enum rc {
#define X(name, text) RC_##name,
    RC_LIST(X)
#undef X
};

struct err {
    enum rc rc;
    /* One line, no newline; may hold bytes from outside, which are escaped when printed. */
    char msg[1024];
};

/* The fixed text of a code, such as "out of memory". Never NULL. */
const char *rc_text(enum rc rc);

/* Cold: the compiler moves a branch that calls one of these away from the code that runs for every lead. */

/* Writes the text (without its middle when too long) and returns `rc`, so that `return err_set(...)` reads
 * well. `e` may be NULL. */
enum rc err_set(struct err *e, enum rc rc, const char *fmt, ...)
    __attribute__((cold, format(printf, 3, 4)));

/* As err_set, with ": " and the text of errno behind it. */
enum rc err_sys(struct err *e, enum rc rc, int errnum, const char *fmt, ...)
    __attribute__((cold, format(printf, 4, 5)));

/* Out of memory, with no text of its own to format. */
enum rc err_nomem(struct err *e) __attribute__((cold));

/* Puts "subject: " before the text that is there. */
void err_prefix(struct err *e, const char *fmt, ...) __attribute__((cold, format(printf, 2, 3)));

#endif
