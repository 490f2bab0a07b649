#include "sinks/sqlite/db.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/permission.h"
#include "core/file/folder.h"

#define RETRY_MS 20
#define PATH_BYTES_MAX 8192
#define OPERATIONS                                                                                 \
    10000 /* of SQLite's virtual machine between two looks at the time: less than 1 ms */

/* ---- errors --------------------------------------------------------------------------------- */

bool sqlite_db_is_stopped(const struct sqlite_db *d)
{
    return stop_timer_is_over(d->stop) || stop_timer_is_over(d->own_stop);
}

bool sqlite_db_is_damaged(const struct sqlite_db *d)
{
    int code = sqlite3_errcode(d->db) & 0xff;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static enum rc rc_of(const struct sqlite_db *d, int code)
{
    if (code == SQLITE_IOERR_NOMEM)
        return RC_NOMEM;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return RC_OK;
    case SQLITE_NOMEM:
        return RC_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return sqlite_db_is_stopped(d) ? RC_STOPPED : RC_BUSY;
    case SQLITE_INTERRUPT:
        return RC_STOPPED;
    case SQLITE_NOTADB:
        return RC_USAGE;
    default:
        return RC_IO;
    }
}

static const char *advice_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program is writing to it, or reading and keeping writers out; wait for it, or "
               "stop it";
    case SQLITE_INTERRUPT:
        return "the run was stopped while rows were merged into the tables";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "cannot be written: it, or its directory, is read-only";
    case SQLITE_CANTOPEN:
        return "it, or a file beside it, cannot be opened; check the directory and its permissions";
    case SQLITE_IOERR:
        return "cannot be read or written";
    case SQLITE_CORRUPT:
        return "the database is damaged";
    case SQLITE_NOTADB:
        return "is not an SQLite database";
    default:
        return NULL;
    }
}

enum rc sqlite_rc(const struct sqlite_db *d, int code, struct err *e)
{
    enum rc rc = rc_of(d, code);
    if (rc == RC_OK)
        return rc;
    if (rc == RC_NOMEM)
        return err_nomem(e);
    const char *advice = advice_of(code);
    const char *text = d->db ? sqlite3_errmsg(d->db) : sqlite3_errstr(code);
    int errnum = d->db ? sqlite3_system_errno(d->db) : 0;
    bool is_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    if (!advice)
        return err_set(e, rc, "%s: %s", d->subject, text);
    if (is_system && errnum)
        return err_sys(e, rc, errnum, "%s: %s", d->subject, advice);
    return err_set(e, rc, "%s: %s", d->subject, advice);
}

static bool is_refused(const char *path, int mode)
{
    return access(path, mode) != 0 && errno == EACCES;
}

/* Finds the file that is refused: the database's or one beside it; else its directory, if no file can be created there. */
static enum rc find_refused(const char *path, struct buf *out, enum permission_use *use)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    *use = PERMISSION_DATABASE;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        buf_clear(out);
        buf_addf(out, "%s%s", path, suffixes[i]);
        if (buf_rc(out) == RC_OK && is_refused(buf_cstr(out), R_OK | W_OK))
            return RC_OK;
    }
    char *folder = folder_of(path);
    buf_clear(out);
    buf_adds(out, folder ? folder : "");
    free(folder);
    *use = PERMISSION_FOLDER;
    return buf_rc(out) == RC_OK && is_refused(buf_cstr(out), W_OK | X_OK) ? RC_OK : RC_END;
}

void sqlite_explain(const struct sqlite_db *d, const char *path, struct err *e)
{
    enum permission_use use;
    struct buf refused;
    buf_init(&refused, PATH_BYTES_MAX);
    if (e->rc == RC_IO && find_refused(path, &refused, &use) == RC_OK) {
        (void)permission_failed(e, RC_IO, EACCES, buf_cstr(&refused), use);
        err_prefix(e, "%s", d->subject);
    }
    buf_free(&refused);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int wait_for_lock(void *db, int n)
{
    const struct sqlite_db *d = db;
    if ((int64_t)n * RETRY_MS >= d->wait_ms || sqlite_db_is_stopped(d))
        return 0;
    (void)sqlite3_sleep(RETRY_MS);
    return 1;
}

/* Indexes, columns and triggers of a user's own may call functions of JSON, which SQLite 3.38 to 3.40 take for unsafe, and
 * write to tables for full text search: the schema has to be trusted for that. We register no functions, so what a hostile one
 * could call is SQLite's own; of that, these two have effects outside the database. */
static const struct {
    int what, is_on;
} settings[] = {
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 1},
    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
    {SQLITE_DBCONFIG_DQS_DML, 0},
};

enum rc sqlite_db_open(struct sqlite_db *d, const char *path, struct err *e)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &d->db, flags, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < sizeof settings / sizeof *settings; i++)
        code = sqlite3_db_config(d->db, settings[i].what, settings[i].is_on, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_handler(d->db, wait_for_lock, d);
    enum rc rc = sqlite_rc(d, code, e);
    if (rc == RC_OK)
        return rc;
    sqlite_explain(d, path, e);
    sqlite_db_close(d);
    return rc;
}

void sqlite_db_close(struct sqlite_db *d)
{
    (void)sqlite3_close_v2(d->db);
    d->db = NULL;
}

static int interrupt_if_stopped(void *db)
{
    return sqlite_db_is_stopped(db);
}

void sqlite_db_heed_stop(struct sqlite_db *d, bool heeds)
{
    sqlite3_progress_handler(d->db, OPERATIONS, heeds ? interrupt_if_stopped : NULL, d);
}

/* ---- statements ----------------------------------------------------------------------------- */

enum rc sqlite_run(const struct sqlite_db *d, const char *sql, struct err *e)
{
    return sqlite_rc(d, sqlite3_exec(d->db, sql, NULL, NULL, NULL), e);
}

enum rc sqlite_run_buf(const struct sqlite_db *d, struct buf *sql, struct err *e)
{
    enum rc rc = buf_rc(sql) == RC_OK ? sqlite_run(d, buf_cstr(sql), e) : err_nomem(e);
    buf_clear(sql);
    return rc;
}

enum rc sqlite_count(const struct sqlite_db *d, struct buf *sql, uint64_t *rows, struct err *e)
{
    if (buf_rc(sql) == RC_OK && sql->len == 0)
        return RC_OK;
    enum rc rc = sqlite_run_buf(d, sql, e);
    if (rc == RC_OK)
        *rows += (uint64_t)sqlite3_changes64(d->db); /* of the statement, not of triggers */
    return rc;
}

enum rc sqlite_prepare(const struct sqlite_db *d, const char *sql, sqlite3_stmt **out,
                       struct err *e)
{
    return sqlite_rc(d, sqlite3_prepare_v2(d->db, sql, -1, out, NULL), e);
}

enum rc sqlite_prepare_buf(const struct sqlite_db *d, struct buf *sql, sqlite3_stmt **out,
                           struct err *e)
{
    enum rc rc = buf_rc(sql) == RC_OK ? sqlite_prepare(d, buf_cstr(sql), out, e) : err_nomem(e);
    buf_clear(sql);
    return rc;
}

enum rc sqlite_number(const struct sqlite_db *d, const char *sql, int64_t *out, struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    enum rc rc = sqlite_prepare(d, sql, &stmt, e);
    if (rc != RC_OK)
        return rc;
    int code = sqlite3_step(stmt);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    rc = sqlite_rc(d, code, e);
    (void)sqlite3_finalize(stmt);
    return rc;
}

enum rc sqlite_number_buf(const struct sqlite_db *d, struct buf *sql, int64_t *out, struct err *e)
{
    enum rc rc = buf_rc(sql) == RC_OK ? sqlite_number(d, buf_cstr(sql), out, e) : err_nomem(e);
    buf_clear(sql);
    return rc;
}

struct str sqlite_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    if (!text)
        return STR_NONE;
    return (struct str){text, (size_t)sqlite3_column_bytes(stmt, column)};
}

int sqlite_bind_str(sqlite3_stmt *stmt, int at, struct str value)
{
    if (!value.ptr)
        return sqlite3_bind_null(stmt, at);
    return sqlite3_bind_text64(stmt, at, value.ptr, value.len, SQLITE_STATIC, SQLITE_UTF8);
}

/* Finalizes `stmt`. */
static enum rc each_row(const struct sqlite_db *d, sqlite3_stmt *stmt, sqlite_row_fn *row,
                        void *ctx, struct err *e)
{
    enum rc rc = RC_OK;
    int code = SQLITE_DONE;
    while (rc == RC_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW)
        rc = row(ctx, stmt, e);
    if (rc == RC_OK)
        rc = sqlite_rc(d, code, e);
    (void)sqlite3_finalize(stmt);
    return rc == RC_END ? RC_OK : rc;
}

enum rc sqlite_each(const struct sqlite_db *d, const char *sql, struct str value,
                    sqlite_row_fn *row, void *ctx, struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    enum rc rc = sqlite_prepare(d, sql, &stmt, e);
    if (rc == RC_OK && value.ptr)
        rc = sqlite_rc(d, sqlite_bind_str(stmt, 1, value), e);
    if (rc == RC_OK)
        return each_row(d, stmt, row, ctx, e);
    (void)sqlite3_finalize(stmt);
    return rc;
}

enum rc sqlite_each_buf(const struct sqlite_db *d, struct buf *sql, sqlite_row_fn *row, void *ctx,
                        struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    enum rc rc = sqlite_prepare_buf(d, sql, &stmt, e);
    return rc == RC_OK ? each_row(d, stmt, row, ctx, e) : rc;
}

static enum rc note_row(void *found, sqlite3_stmt *stmt, struct err *e)
{
    (void)stmt;
    (void)e;
    *(bool *)found = true;
    return RC_END;
}

enum rc sqlite_has_row(const struct sqlite_db *d, const char *sql, struct str value, bool *out,
                       struct err *e)
{
    *out = false;
    return sqlite_each(d, sql, value, note_row, out, e);
}

enum rc sqlite_run_with(const struct sqlite_db *d, const char *sql, const struct str *values,
                        size_t n, struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    enum rc rc = sqlite_prepare(d, sql, &stmt, e);
    int code = SQLITE_OK;
    for (size_t i = 0; rc == RC_OK && code == SQLITE_OK && i < n; i++)
        code = sqlite_bind_str(stmt, (int)i + 1, values[i]);
    if (rc == RC_OK)
        rc = sqlite_rc(d, code == SQLITE_OK ? sqlite3_step(stmt) : code, e);
    (void)sqlite3_finalize(stmt);
    return rc;
}
