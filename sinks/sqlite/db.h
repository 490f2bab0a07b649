/* A connection to SQLite, and its errors in words for those who do not know it. One thread at a time.
 *
 * Errors: RC_BUSY: another program holds the lock for longer than it is waited for. RC_USAGE: the file is
 * no database. RC_STOPPED: the run was stopped while it was waited for, or while a statement ran that heeds
 * that. RC_NOMEM. RC_IO: anything else. */
#ifndef LEADPIPE_SINKS_SQLITE_DB_H
#define LEADPIPE_SINKS_SQLITE_DB_H

#include <sqlite3.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/stop_timer.h"

struct sqlite_db {
    sqlite3 *db;                              /* NULL: not open */
    const char *subject;                      /* of messages */
    const struct stop_timer *stop, *own_stop; /* of the run and of its sink, or NULL */
    int64_t wait_ms;                          /* for locks of others */
};

/* Opens (and creates) a file that no symbolic link leads to. */
enum rc sqlite_db_open(struct sqlite_db *d, const char *path, struct err *e);
void sqlite_db_close(struct sqlite_db *d); /* may be called again */

/* Whether statements end early, with RC_STOPPED, once one of the times to stop is over. */
void sqlite_db_heed_stop(struct sqlite_db *d, bool heeds);

bool sqlite_db_is_stopped(const struct sqlite_db *d);

/* After an error: is it of a file that is damaged, or none of SQLite's? */
bool sqlite_db_is_damaged(const struct sqlite_db *d);

/* What the code that SQLite returned means. SQLITE_OK, SQLITE_ROW and SQLITE_DONE: RC_OK. */
enum rc sqlite_rc(const struct sqlite_db *d, int code, struct err *e);

/* `e` says that SQLite could not use the database at `path`. If the system refuses it, a file beside it or its directory,
 * `e` then says which of them, whose it is, and what to do. */
void sqlite_explain(const struct sqlite_db *d, const char *path, struct err *e);

/* Statements without results. */
enum rc sqlite_run(const struct sqlite_db *d, const char *sql, struct err *e);
/* A text in a buffer, which is empty afterwards. */
enum rc sqlite_run_buf(const struct sqlite_db *d, struct buf *sql, struct err *e);
/* The same of one statement; *rows grows by the rows that it wrote. */
enum rc sqlite_count(const struct sqlite_db *d, struct buf *sql, uint64_t *rows, struct err *e);
/* The first value of the first row as a number; 0 where there is no row. */
enum rc sqlite_number(const struct sqlite_db *d, const char *sql, int64_t *out, struct err *e);
enum rc sqlite_number_buf(const struct sqlite_db *d, struct buf *sql, int64_t *out, struct err *e);

enum rc sqlite_prepare(const struct sqlite_db *d, const char *sql, sqlite3_stmt **out,
                       struct err *e);
enum rc sqlite_prepare_buf(const struct sqlite_db *d, struct buf *sql, sqlite3_stmt **out,
                           struct err *e);

/* Runs one statement and calls `row` with `ctx` for each of its rows. `value` is ?1, absent: there is none.
 * Where `row` returns RC_END no more rows are asked for; any other error of it is returned. */
typedef enum rc sqlite_row_fn(void *ctx, sqlite3_stmt *stmt, struct err *e);
enum rc sqlite_each(const struct sqlite_db *d, const char *sql, struct str value,
                    sqlite_row_fn *row, void *ctx, struct err *e);
/* The same without a parameter, of a text in a buffer, which is empty when the rows come. */
enum rc sqlite_each_buf(const struct sqlite_db *d, struct buf *sql, sqlite_row_fn *row, void *ctx,
                        struct err *e);
/* *out: the statement has a row. */
enum rc sqlite_has_row(const struct sqlite_db *d, const char *sql, struct str value, bool *out,
                       struct err *e);
/* Runs one statement without results, whose parameters from ?1 on are texts. */
enum rc sqlite_run_with(const struct sqlite_db *d, const char *sql, const struct str *values,
                        size_t n, struct err *e);

/* A text of a row at hand; absent where it is null. */
struct str sqlite_text(sqlite3_stmt *stmt, int column);
int sqlite_bind_str(sqlite3_stmt *stmt, int at, struct str value); /* which must outlive the step */

#endif
