/* One connection to a PostgreSQL server: never blocks beyond the time that the run may take when it is
 * stopped, and distinguishes a lost connection from an error of the server.
 *
 * Errors: RC_NET: the connection is lost, or the server ends it or is not for writing: it may be made
 * again. RC_BUSY: the transaction lost against another one (deadlock, serialization): the same again may
 * succeed. RC_STOPPED: the run was stopped. RC_AUTH: the server refuses the credentials. RC_IO: any other
 * error of the server, with its message, detail and hint, without secrets. RC_NOMEM. One thread at a
 * time. */
#ifndef LEADPIPE_SINKS_POSTGRES_LINK_H
#define LEADPIPE_SINKS_POSTGRES_LINK_H

#include <libpq-fe.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/secrets.h"
#include "core/base/stop_timer.h"

#define PG_APPLICATION                                                                             \
    "leadpipe" /* what connections are called, unless the user calls them otherwise */
#define PG_AWAY_MS ((int64_t)300000) /* how long a server that was there is waited for */

struct pg_link_cfg {
    const char *conninfo;
    const char *password; /* of the environment, or NULL */
    const char *spec;     /* for messages */
    struct secrets *secrets;
    const struct log_hook *log;
    const struct clock *clock;
    const struct stop_timer *run_stop; /* of the run, or NULL */
    const struct stop_timer *stop;     /* of the sink */
};

/* What becomes of a statement that waits for a lock which somebody else holds: see blocked.h. */
enum pg_patience {
    PG_WAITS_SILENTLY,
    PG_WAITS_AND_TELLS, /* who holds it */
    PG_GIVES_UP,        /* tells it, too; RC_IO after some minutes */
};

struct pg_link {
    struct pg_link_cfg cfg;
    PGconn *conn;    /* NULL: none */
    int64_t wait_ms; /* how long a single wait for the server may take; -1: as long as it does */
    enum pg_patience patience;
    int64_t blocked_since_us, blocked_minute; /* private to blocked.c; 0: not blocked */
    char sqlstate[6];                         /* of the last error */
    char subject
        [200]; /* what the last error was about: table and column, as the server says; or "" */
    uint64_t copy_line; /* of the last error: the row of a COPY, from 1; or 0 */
};

/* Registers what it names as public. RC_USAGE: it is no connection string, or holds a password, of which the
 * message shows nothing. RC_NOMEM. */
enum rc pg_conninfo_check(const char *conninfo, struct secrets *secrets, struct err *e);

/* Once. Ends a connection that there is. */
enum rc pg_link_open(struct pg_link *l, struct err *e);
/* RC_NET is tried again, with longer and longer pauses, until `ms` are over since `since_us`, when a server
 * that is not there was first missed; says so every minute. */
enum rc pg_link_open_again(struct pg_link *l, int64_t since_us, int64_t ms, struct err *e);
void pg_link_close(struct pg_link *l);

/* One statement, whose parameters are texts (NULL: null). `out` may be NULL; else it is the caller's, with
 * PQclear(). */
enum rc pg_exec(struct pg_link *l, const char *sql, int n, const char *const *values,
                PGresult **out, struct err *e);
/* Several statements without parameters. */
enum rc pg_run(struct pg_link *l, const char *sql, struct err *e);
/* A text that a buffer holds; RC_NOMEM where it could not be made. */
enum rc pg_run_buf(struct pg_link *l, struct buf *sql, struct err *e);
/* Sends the query in `sql`, and empties `sql`, on errors too. *out: the answer, which the caller frees with PQclear(). */
enum rc pg_ask(struct pg_link *l, struct buf *sql, PGresult **out, struct err *e);
/* A query for one boolean. False for no row, null, or an error. */
enum rc pg_ask_bool(struct pg_link *l, struct buf *sql, bool *out, struct err *e);
/* The same, for a constant text with one parameter ($1). */
enum rc pg_ask_about(struct pg_link *l, const char *sql, const char *value, bool *out,
                     struct err *e);
/* One statement and how many rows it wrote. */
enum rc pg_count(struct pg_link *l, struct buf *sql, uint64_t *rows, struct err *e);
/* A "copy ... from stdin" and its data. */
enum rc pg_copy(struct pg_link *l, const char *sql, struct str data, struct err *e);

/* Was the last error one of the server's limits, as of a row's size? */
bool pg_is_limit(const struct pg_link *l);
/* Appends what to do about the last error, whose text is in `e`, where it is one of the server's limits. */
void pg_add_advice(const struct pg_link *l, struct err *e);

#endif
