#include "state_internal.h"

#include <errno.h>

#define ADVICE "restore it, or remove it to begin anew"

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
    (void)err_set(&why, s->opened ? RC_IO : RC_USAGE, "%s: is damaged: %s; " ADVICE, s->path, how);
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

static enum rc system_failed(struct state *s, int sqlite_rc, struct err *why)
{
    int errnum = (sqlite_rc & 0xff) == SQLITE_FULL ? ENOSPC : system_errno(s);
    if (errnum == 0)
        return err_set(why, RC_IO, "%s: %s", s->path, sqlite3_errstr(sqlite_rc));
    return err_sys(why, RC_IO, errnum, "%s", s->path);
}

enum rc state_sql_failed(struct state *s, int sqlite_rc, struct err *e)
{
    struct err why;
    switch (sqlite_rc & 0xff) {
    case SQLITE_ERROR: /* a format that SQLite does not know, a table or column that is missing */
        if (!s->opened)
            return state_damaged(s, sqlite3_errmsg(s->db), e);
        (void)err_set(&why, RC_IO, "%s: %s", s->path, sqlite3_errmsg(s->db));
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return state_damaged(s, sqlite3_errmsg(s->db), e);
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
        (void)err_set(&why, RC_IO, "%s: %s", s->path, sqlite3_errmsg(s->db));
        break;
    }
    return state_stick(s, &why, e);
}
