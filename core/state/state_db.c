#include "core/state/state_internal.h"

#include <stdlib.h>

#include "core/file/fd_io.h"
#include "core/base/units.h"
#include "core/state/state_snapshot.h"

#define CACHE_KIBIBYTES "8192"
/* So much of the -wal file stays after it was emptied; it is emptied every thousand pages. */
#define WAL_BYTES_KEPT "4194304"

static const char *const statement_texts[] = {
/* NOLINTBEGIN(bugprone-suspicious-missing-comma): a long text is several literals */
#define X(name, text) [SQL_##name] = text,
    STATE_SQL_LIST(X)
#undef X
    /* NOLINTEND(bugprone-suspicious-missing-comma) */
};

/* For what is said once. */
static enum rc run_text(struct state *s, const char *text, struct err *e)
{
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? RC_OK : state_sql_failed(s, rc, e);
}

/* The first row's only value. */
static int text_value(void *out, int n, char **values, char **names)
{
    (void)names;
    struct buf *text = out;
    if (n > 0 && values[0] && text->len == 0)
        buf_adds(text, values[0]);
    return 0;
}

static enum rc ask(struct state *s, const char *question, struct buf *answer, struct err *e)
{
    buf_clear(answer);
    int rc = sqlite3_exec(s->db, question, text_value, answer, NULL);
    if (rc != SQLITE_OK)
        return state_sql_failed(s, rc, e);
    return buf_rc(answer) == RC_NOMEM ? err_nomem(e) : RC_OK;
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* Runs what may be the first to need the lock. */
static enum rc run_locking(struct state *s, const char *text, struct err *e)
{
    int rc = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    if ((rc & 0xff) != SQLITE_BUSY)
        return rc == SQLITE_OK ? RC_OK : state_sql_failed(s, rc, e);
    /* Only a process without the lock may ask who has it: closing the file ends all that a process has. */
    state_db_close(s, false);
    return state_file_busy(s->path, s->file, e);
}

/* ---- what is in it -------------------------------------------------------------------------- */

/* Another process may have had it between the check of its first bytes and the lock; and what is in
 * the -wal file is only seen now. */
static enum rc check_version(struct state *s, int64_t *version, struct err *e)
{
    struct buf answer;
    buf_init(&answer, 256);
    enum rc rc = ask(s, "PRAGMA application_id", &answer, e);
    if (rc == RC_OK && strtoll(buf_cstr(&answer), NULL, 10) != STATE_APPLICATION_ID)
        rc = err_set(e, RC_USAGE, "%s: is a database of another program", s->path);
    if (rc == RC_OK)
        rc = ask(s, "PRAGMA user_version", &answer, e);
    if (rc == RC_OK)
        *version = strtoll(buf_cstr(&answer), NULL, 10);
    if (rc == RC_OK && (*version < 0 || *version > STATE_VERSION))
        rc = err_set(e, RC_USAGE, "%s: was written by a later version of leadpipe", s->path);
    if (rc == RC_OK)
        rc = ask(s, "PRAGMA encoding", &answer, e);
    if (rc == RC_OK && !str_eq_c(buf_str(&answer), "UTF-8"))
        rc = state_damaged(s, "its text encoding is not UTF-8", e);
    buf_free(&answer);
    return rc;
}

/* The tables as they were made, and nothing else: a view, a trigger or a computed column would be run
 * by who reads. What SQLite keeps is the text that it was given. */
static enum rc check_tables(struct state *s, int64_t version, struct err *e)
{
    static const char question[] = "SELECT sql FROM sqlite_master ORDER BY rowid";
    struct str rest = version == 1   ? STR(STATE_TABLES_OF_1)
                      : version == 2 ? STR(STATE_TABLES_OF_2)
                                     : STR(STATE_TABLES);
    sqlite3_stmt *stmt = NULL;
    bool same = true;
    int rc = sqlite3_prepare_v2(s->db, question, -1, &stmt, NULL);
    while (rc == SQLITE_OK && same && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const unsigned char *sql = sqlite3_column_text(stmt, 0);
        struct str table;
        same = text_take(&rest, ';', &table) && sql && str_eq_c(table, (const char *)sql);
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt);
    if (rc != SQLITE_DONE && same)
        return state_sql_failed(s, rc, e);
    return same && rest.len == 0 ? RC_OK
                                 : state_damaged(s, "its tables are not those of a state file", e);
}

static enum rc check_pages(struct state *s, struct err *e)
{
    struct buf answer;
    buf_init(&answer, 512);
    enum rc rc = ask(s, "PRAGMA quick_check(1)", &answer, e);
    if (rc == RC_OK && !str_eq_c(buf_str(&answer), "ok"))
        rc = state_damaged(s, "its contents are inconsistent", e);
    buf_free(&answer);
    return rc;
}

/* Of version 1: what a run of it has done does not say which leads were missing. */
static enum rc check_finished(struct state *s, struct err *e)
{
    struct buf answer;
    buf_init(&answer, 256);
    enum rc rc = ask(s, "SELECT phase FROM run", &answer, e);
    bool unfinished = answer.len > 0 && !str_eq_c(buf_str(&answer), "3");
    _Static_assert(STATE_FINISHED == 3, "the phase above");
    buf_free(&answer);
    if (rc != RC_OK || !unfinished)
        return rc;
    return err_set(e, RC_USAGE,
                   "%s: holds an unfinished run of an earlier version of leadpipe; finish it with "
                   "that version, or give --fresh to discard it",
                   s->path);
}

/* All of them, as long as it has no version; else what has changed since. */
static enum rc make_tables(struct state *s, int64_t version, struct err *e)
{
    static const char *const texts[] = {STATE_TABLES, STATE_UPGRADE_FROM_1, STATE_UPGRADE_FROM_2};
    enum rc rc = run_text(s, "BEGIN IMMEDIATE", e);
    if (rc == RC_OK)
        rc = run_text(s, texts[version], e);
    if (rc == RC_OK)
        rc = run_text(s, "PRAGMA user_version = 3; COMMIT", e);
    _Static_assert(STATE_VERSION == 3, "the version above");
    return rc;
}

static enum rc prepare(struct state *s, struct err *e)
{
    for (size_t i = 0; i < STATE_SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(s->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->statements[i], NULL);
        if (rc != SQLITE_OK)
            return state_sql_failed(s, rc, e);
    }
    return RC_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* WAL, as deliveries are committed continuously: one write and one fsync each, where a rollback
 * journal takes three; and what a power cut leaves is the last commit, to the byte. Exclusive
 * locking before the first access does without the -shm file, and keeps the lock once it is taken.
 * What SQLite has to put aside goes to memory: nothing here sorts, and there may be no place for
 * temporary files. Freed pages are wiped only where that costs no further writing: all of them leave
 * the file when a run ends. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA cache_size = -" CACHE_KIBIBYTES ";"
                               "PRAGMA journal_size_limit = " WAL_BYTES_KEPT ";"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA secure_delete = FAST;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA trusted_schema = OFF";

static enum rc lock_and_check(struct state *s, int64_t *version, struct err *e)
{
    /* Before anything is checked: what another process is writing looks damaged. */
    enum rc rc = run_locking(s, "BEGIN EXCLUSIVE", e);
    if (rc == RC_OK)
        rc = check_version(s, version, e);
    if (rc == RC_OK && *version > 0)
        rc = check_tables(s, *version, e);
    if (rc == RC_OK)
        rc = check_pages(s, e);
    if (rc == RC_OK && *version == 1 && !s->forgets)
        rc = check_finished(s, e);
    return rc == RC_OK ? run_text(s, "COMMIT", e) : rc;
}

/* It is so from its first page on, unless somebody made a copy in his own way. */
static enum rc ensure_wal(struct state *s, struct err *e)
{
    struct buf answer;
    buf_init(&answer, 256);
    enum rc rc = ask(s, "PRAGMA journal_mode", &answer, e);
    if (rc == RC_OK && !str_eq_c(buf_str(&answer), "wal"))
        rc = ask(s, "PRAGMA journal_mode = MEMORY", &answer, e); /* else a -journal file stays */
    if (rc == RC_OK)
        rc = ask(s, "PRAGMA journal_mode = WAL", &answer, e);
    if (rc == RC_OK && !str_eq_c(buf_str(&answer), "wal"))
        rc = err_set(e, RC_USAGE, "%s: SQLite cannot use a write-ahead log there", s->path);
    buf_free(&answer);
    return rc;
}

static void harden(sqlite3 *db)
{
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

static enum rc open_file(struct state *s, struct err *e)
{
    enum rc guard = state_owner_guard(s->file, e);
    if (guard != RC_OK)
        return guard;
    int rc = sqlite3_open_v2(s->file, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        harden(s->db);
        return RC_OK;
    }
    int errnum = sqlite3_system_errno(s->db);
    if ((rc & 0xff) == SQLITE_CANTOPEN && errnum != 0)
        return err_sys(e, fd_open_rc(errnum), errnum, "%s", s->path);
    return state_sql_failed(s, rc, e);
}

enum rc state_db_open(struct state *s, struct err *e)
{
    int64_t version = 0;
    enum rc rc = open_file(s, e);
    if (rc == RC_OK)
        rc = run_locking(s, settings, e);
    if (rc == RC_OK)
        rc = lock_and_check(s, &version, e);
    if (rc == RC_OK)
        rc = ensure_wal(s, e);
    if (rc == RC_OK && version < STATE_VERSION)
        rc = make_tables(s, version, e);
    if (rc == RC_OK)
        rc = prepare(s, e);
    return rc;
}

static const char read_settings[] = "PRAGMA query_only = ON;"
                                    "PRAGMA cache_size = -" CACHE_KIBIBYTES ";"
                                    "PRAGMA mmap_size = 0;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA cell_size_check = ON;"
                                    "PRAGMA trusted_schema = OFF";

enum rc state_db_open_read(struct state *s, bool checks_pages, bool *is_earlier, struct err *e)
{
    int64_t version = 0;
    *is_earlier = false;
    int opened = state_snapshot_database(s->snapshot, &s->db);
    if (opened != SQLITE_OK)
        return state_sql_failed(s, opened, e);
    harden(s->db);
    enum rc rc = run_text(s, read_settings, e);
    if (rc == RC_OK)
        rc = check_version(s, &version, e);
    *is_earlier = rc == RC_OK && version > 0 && version < STATE_VERSION;
    if (rc == RC_OK && version < STATE_VERSION)
        return RC_END;
    if (rc == RC_OK)
        rc = check_tables(s, version, e);
    if (rc == RC_OK && checks_pages)
        rc = check_pages(s, e);
    return rc == RC_OK ? prepare(s, e) : rc;
}

void state_db_close(struct state *s, bool as_it_is)
{
    for (size_t i = 0; i < STATE_SQL_COUNT; i++) {
        (void)sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    /* Else closing brings what was committed from the -wal file into the file, and removes it. */
    if (as_it_is && s->db && state_file_wal_bytes(s->file) > 0)
        (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close(s->db);
    s->db = NULL;
    if (s->file)
        state_owner_release(s->file);
}
