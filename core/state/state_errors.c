#include "core/state/state_internal.h"

#include <errno.h>

#define ADVICE "restore it, or remove it to start over"

enum rc state_stick(struct state *s, const struct err *why, struct err *e)
{
    if (s->failed.rc == RC_OK) {
        s->failed = *why;
        state_wake(s); /* who waits for a commit waits in vain */
    }
    if (e)
        *e = s->failed;
    return s->failed.rc;
}

enum rc state_damaged(struct state *s, const char *how, struct err *e)
{
    struct err why;
    (void)err_set(&why, s->verified ? RC_IO : RC_USAGE, "%s: is damaged: %s; " ADVICE, s->path,
                  how);
    return state_stick(s, &why, e);
}

enum rc state_not_as_written(struct state *s, const char *what, struct err *e)
{
    struct err why;
    (void)err_set(&why, s->verified ? RC_IO : RC_USAGE,
                  "%s: is damaged: %s is not what was written; " ADVICE, s->path, what);
    return state_stick(s, &why, e);
}

static int file_errno(sqlite3_file *file)
{
    int errnum = 0;
    if (!file || !file->pMethods ||
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &errnum) != SQLITE_OK)
        return 0;
    return errnum;
}

/* SQLite says "disk I/O error"; the system knows which one. The files are asked first, as SQLite
 * itself remembers nothing of what happens in a commit, but it does of what it could live with. */
static int system_errno(struct state *s)
{
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    int errnum = 0;
    for (size_t i = 0; errnum == 0 && i < sizeof files / sizeof *files; i++) {
        sqlite3_file *file = NULL;
        if (sqlite3_file_control(s->db, "main", files[i], (void *)&file) == SQLITE_OK)
            errnum = file_errno(file);
    }
    return errnum ? errnum : sqlite3_system_errno(s->db);
}

/* What went wrong, for those who do not know SQLite; NULL: nothing that they could do about. */
static const char *plain_text(int sqlite_rc)
{
    switch (sqlite_rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another program has it open; wait for it, or stop it";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "cannot be written: it, or its directory, is read-only";
    case SQLITE_CANTOPEN:
        return "it, or a file beside it (-wal), cannot be opened";
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL:
        return "cannot be read or written";
    case SQLITE_TOOBIG:
        return "cannot store a value of more than 1 GB";
    case SQLITE_NOLFS:
        return "cannot grow beyond 2 GiB on this system";
    default:
        return NULL;
    }
}

/* The number is for those who investigate. */
static enum rc plain_failed(struct state *s, int sqlite_rc, struct err *why)
{
    const char *text = plain_text(sqlite_rc);
    return err_set(why, text ? RC_IO : RC_INTERNAL, "%s: %s (SQLite error %d)", s->path,
                   text ? text : "the database operation failed", sqlite_rc);
}

static enum rc system_failed(struct state *s, int sqlite_rc, struct err *why)
{
    int errnum = (sqlite_rc & 0xff) == SQLITE_FULL ? ENOSPC : system_errno(s);
    if (errnum == 0)
        return plain_failed(s, sqlite_rc, why);
    /* state_owner.c says that where somebody was quick between its check and SQLite's. */
    if (errnum == EPERM && (sqlite_rc & 0xff) == SQLITE_CANTOPEN && !s->opened)
        return err_set(
            why, RC_USAGE,
            "%s: it, or a file beside it (-wal), belongs to another user or is writable by others",
            s->path);
    return err_sys(why, RC_IO, errnum, "%s", s->path);
}

enum rc state_sql_failed(struct state *s, int sqlite_rc, struct err *e)
{
    struct err why;
    /* From SQLite 3.46 on that is what is said of a page that is not all there: no error of the system's,
     * which knows of none. */
    if (sqlite_rc == SQLITE_IOERR_SHORT_READ)
        return state_damaged(s, "it is truncated", e);
    switch (sqlite_rc & 0xff) {
    case SQLITE_ERROR: /* a format that SQLite does not know, a table or column that is missing */
        if (!s->opened)
            return state_damaged(s, "its format has changed", e);
        (void)plain_failed(s, sqlite_rc, &why);
        break;
    case SQLITE_CORRUPT:
        return state_damaged(s, "its contents are inconsistent", e);
    case SQLITE_NOTADB:
        return state_damaged(s, "it is no longer a database", e);
    case SQLITE_NOMEM:
        (void)err_nomem(&why);
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (sqlite_rc == SQLITE_IOERR_NOMEM)
            (void)err_nomem(&why);
        else
            (void)system_failed(s, sqlite_rc, &why);
        break;
    default:
        (void)plain_failed(s, sqlite_rc, &why);
        break;
    }
    return state_stick(s, &why, e);
}
