#include "sinks/sqlite/stage_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/base/rfc3339.h"

#define SQL_BYTES_MAX ((size_t)64 << 20)
#define MARK_VERSION "1"
#define OPEN_TRIES 8
#define WAIT_MS 60000        /* for programs that write to the database */
#define LOCK_BYTE 0x40000000 /* of the bytes that SQLite locks (fileformat2.html, section 1.4) */
#define LOCK_BYTES 512
/* What a row gets beside what is staged: so that none that was taken in is too large at the end. */
#define OTHER_BYTES (1 << 16)

static const struct typed_target target = {
    .time_min_us = TIME_YEAR_1_US,
    .time_max_us = TIME_YEAR_9999_END_US,
};

/* ---- opening -------------------------------------------------------------------------------- */

bool sqlite_stage_is_locked(const char *path, long *pid)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_BYTE, .l_len = LOCK_BYTES};
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool is_locked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    *pid = is_locked && lock.l_pid > 0 ? (long)lock.l_pid : 0;
    if (fd >= 0)
        (void)close(fd);
    return is_locked;
}

static enum rc report_owner(const struct sqlite_place *p, struct err *e)
{
    long pid = 0;
    char what[64] = "to it";
    if (p->shard)
        (void)snprintf(what, sizeof what, "shard %u of %u", (unsigned)p->shard->index,
                       (unsigned)p->shard->of);
    (void)sqlite_stage_is_locked(p->staging, &pid);
    if (!pid)
        return err_set(e, RC_BUSY, "%s: another run of leadpipe is writing %s; wait for it",
                       p->spec, what);
    return err_set(
        e, RC_BUSY,
        "%s: another run of leadpipe (process %ld) is writing %s; wait for it, or stop it", p->spec,
        pid, what);
}

/* What is staged is for whoever may read the database: SQLite itself gives the journals of a file its mode, but a new file
 * that of the process. Before SQLite opens it, as closing a file ends all locks that the process has of it. A file that is
 * another user's keeps its mode; what cannot be opened here is reported by SQLite. */
static void take_mode(const struct sqlite_place *p)
{
    const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat database;
    struct stat staging;
    if (stat(p->path, &database) != 0)
        return;
    mode_t mode = (database.st_mode & 0777) | S_IRUSR | S_IWUSR;
    int fd = open(p->staging, flags, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return;
    bool is_ours = fstat(fd, &staging) == 0 && S_ISREG(staging.st_mode) && staging.st_nlink == 1;
    /* What is for one group is not for another one. */
    if (is_ours && staging.st_gid != database.st_gid && fchown(fd, (uid_t)-1, database.st_gid) != 0)
        mode &= ~(mode_t)S_IRWXG;
    if (is_ours && (staging.st_mode & 0777) != mode)
        (void)fchmod(fd, mode);
    (void)close(fd);
}

/* Has somebody removed the file while it was opened? */
static bool has_moved(const struct sqlite_db *d)
{
    int moved = 0;
    return sqlite3_file_control(d->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

/* Locks the staging database; `begins`: and empties it, whatever a program that was killed has left in it. */
static enum rc lock_it(struct sqlite_stage *s, bool begins, struct err *e)
{
    static const char sql[] = "pragma main.locking_mode = exclusive; begin exclusive; commit";
    if (!begins)
        return sqlite_run(&s->db, sql, e);
    /* SQLite's way to make an empty database of any file. Before another one is attached: the setting is
     * for all of them. */
    (void)sqlite3_db_config(s->db.db, SQLITE_DBCONFIG_RESET_DATABASE, 1, NULL);
    enum rc rc = sqlite_run(&s->db, "pragma main.locking_mode = exclusive; vacuum", e);
    (void)sqlite3_db_config(s->db.db, SQLITE_DBCONFIG_RESET_DATABASE, 0, NULL);
    return rc == RC_OK ? sqlite_run(&s->db, sql, e) : rc;
}

/* Without a state nobody resumes from it: then it need not survive anything. */
static enum rc set_durability(struct sqlite_stage *s, struct err *e)
{
    return sqlite_run(&s->db,
                      s->is_durable
                          ? "pragma main.synchronous = full; pragma main.cache_size = -16384"
                          : "pragma main.synchronous = off; pragma main.journal_mode = off;"
                            "pragma main.cache_size = -16384",
                      e);
}

enum rc sqlite_stage_open(struct sqlite_stage *s, const struct sqlite_place *p,
                          const struct sink_cfg *cfg, bool begins, struct err *e)
{
    *s = (struct sqlite_stage){
        .place = p, .profile = cfg->profile, .is_durable = cfg->state != NULL};
    s->db.subject = p->spec;
    s->db.stop = cfg->stop;
    buf_init(&s->text, SQL_BYTES_MAX);
    buf_init(&s->value, SIZE_MAX / 2);
    s->tables = calloc(cfg->profile->n_tables, sizeof *s->tables);
    if (!s->tables)
        return err_nomem(e);
    bool moved = true;
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && moved && i < OPEN_TRIES; i++) {
        sqlite_db_close(&s->db);
        take_mode(p);
        rc = sqlite_db_open(&s->db, p->staging, e);
        if (rc == RC_OK)
            rc = lock_it(s, begins, e);
        moved = rc == RC_OK && has_moved(&s->db);
    }
    if (rc == RC_BUSY || moved)
        sqlite_db_close(&s->db); /* what is there now is another run's, and stays */
    if (rc == RC_BUSY)
        return report_owner(p, e);
    if (rc == RC_OK && moved)
        return err_set(e, RC_BUSY, "%s: other runs of leadpipe keep starting there; try again",
                       p->spec);
    if (rc != RC_OK)
        return rc;
    s->db.wait_ms = WAIT_MS;
    s->columns_max =
        (size_t)sqlite3_limit(s->db.db, SQLITE_LIMIT_COLUMN, -1) - SQLITE_OTHER_COLUMNS;
    s->length_max = sqlite3_limit(s->db.db, SQLITE_LIMIT_LENGTH, -1);
    (void)sqlite3_limit(s->db.db, SQLITE_LIMIT_LENGTH, s->length_max - OTHER_BYTES);
    return set_durability(s, e);
}

/* ---- tables --------------------------------------------------------------------------------- */

static void put_create(struct buf *b, const struct sqlite_stage *s, size_t table)
{
    buf_addf(b, "create table s%zu (", table);
    for (size_t i = 0; i < sqlite_stage_relation(s, table)->n_columns; i++)
        buf_addf(b, "c%zu, ", i);
    buf_adds(b, "misfits);");
}

static enum rc write_run(struct sqlite_stage *s, struct err *e)
{
    const struct str token = str_c(s->place->token);
    return sqlite_run_with(&s->db, "insert into main.run (token) values (?1)", &token, 1, e);
}

enum rc sqlite_stage_set_fit(struct sqlite_staged *t, size_t i, const struct sqlite_fit *fit,
                             enum column_type type, struct err *e)
{
    bool *list = list_grow(t->no_numerals, i, &t->cap_no_numerals, sizeof *list);
    if (!list)
        return err_nomem(e);
    t->no_numerals = list;
    list[i] = fit->no_numerals;
    if (fit->type != type)
        typed_table_set_type(t->typed, i, fit->type);
    return RC_OK;
}

/* Columns that every row ends with and the table does not have yet. */
static size_t count_run_columns(const struct sqlite_stage *s, size_t table)
{
    static const char *const sources[] = {
        SQL_SOURCE_RUN SQL_COLUMN_EXPORTED_AT, SQL_SOURCE_RUN SQL_COLUMN_RUN_ID,
        SQL_SOURCE_RUN SQL_COLUMN_MISFITS, SQL_SOURCE_RUN SQL_COLUMN_DELETED_AT};
    const bool has[] = {true, true, !s->place->all_text,
                        table == 0 && s->place->deletes == SQL_DELETES_MARK};
    size_t n = 0;
    for (size_t i = 0; i < sizeof has / sizeof *has; i++) {
        struct str name = str_c(sources[i] + strlen(SQL_SOURCE_RUN));
        n += has[i] && !sql_column_map_present(&s->tables[table].now.map, name, str_c(sources[i]));
    }
    return n;
}

/* Finds out which values each of the profile's columns can take, and how many columns the table does not have yet. */
static enum rc fit_columns(struct sqlite_stage *s, size_t table, struct err *e)
{
    const struct sql_relation *r = sqlite_stage_relation(s, table);
    struct sqlite_staged *t = &s->tables[table];
    enum rc rc = sqlite_table_load(&t->now, s->place, &s->db, table, s->is_attached, e);
    for (size_t i = 0; rc == RC_OK && i < r->n_columns; i++) {
        const struct sql_mapped *mapped;
        struct sqlite_fit fit;
        rc = sqlite_table_map(&t->now, s->place, r->columns[i].wanted, r->columns[i].source,
                              r->columns[i].type, &mapped, &fit, e);
        if (rc == RC_OK)
            rc = sqlite_stage_set_fit(t, i, &fit, r->columns[i].type, e);
        t->n_more += rc == RC_OK && !mapped->exists;
    }
    t->n_columns = r->n_columns;
    if (rc != RC_OK)
        return rc;
    t->n_more += count_run_columns(s, table);
    rc = sqlite_table_check_width(&t->now, s->place, &s->db, t->n_more, e);
    return rc == RC_IO ? (e->rc = RC_USAGE) : rc;
}

static enum rc make_typed(struct sqlite_stage *s, size_t table, struct str mark, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    t->cfg = (struct typed_table_cfg){
        .profile = s->profile, .table = table, .target = &target, .as_text = s->place->all_text};
    enum rc rc = typed_table_new(&t->typed, &t->cfg, mark, e);
    s->n_tables += rc == RC_OK;
    return rc == RC_OK ? fit_columns(s, table, e) : rc;
}

enum rc sqlite_stage_begin(struct sqlite_stage *s, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->profile->n_tables; i++) {
        rc = make_typed(s, i, STR_NONE, e);
        put_create(&s->text, s, i);
    }
    buf_adds(&s->text, "create table extras (tab, ord, name, source, primary key (tab, ord));"
                       "create table run (token); create table gone (");
    for (size_t i = 0; i < s->place->relations.n_lead_keys; i++)
        buf_addf(&s->text, "%sc%zu", i ? ", " : "", i);
    buf_adds(&s->text, ")");
    if (rc == RC_OK)
        rc = sqlite_run(&s->db, "begin", e);
    if (rc == RC_OK)
        rc = sqlite_run_buf(&s->db, &s->text, e);
    if (rc == RC_OK)
        rc = write_run(s, e);
    return rc;
}

/* ---- resuming ------------------------------------------------------------------------------- */

enum rc sqlite_stage_owner(struct sqlite_stage *s, enum sqlite_stage_owner *out, struct err *e)
{
    bool has = false;
    *out = SQLITE_STAGE_NOBODYS;
    enum rc rc = sqlite_has_row(&s->db, "select 1 from main.sqlite_master where name = 'run'",
                                STR_NONE, &has, e);
    if (rc == RC_OK && has)
        rc = sqlite_has_row(&s->db, "select 1 from main.run", STR_NONE, &has, e);
    if (rc != RC_OK || !has)
        return rc;
    rc = sqlite_has_row(&s->db, "select 1 from main.run where token = ?1", str_c(s->place->token),
                        &has, e);
    *out = has ? SQLITE_STAGE_THIS_RUNS : SQLITE_STAGE_ANOTHER_RUNS;
    return rc;
}

static enum rc not_there(const struct sqlite_stage *s, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s: the rows of the unfinished run are no longer in %s; add --fresh to start "
                   "over",
                   s->place->spec, s->place->staging);
}

/* Rows and columns that came after the mark go: the run has to do them again. */
static enum rc cut(struct sqlite_stage *s, const char *table, uint64_t rows, struct err *e)
{
    int64_t n = 0;
    buf_addf(&s->text, "delete from main.%s where rowid > %" PRIu64, table, rows);
    enum rc rc = sqlite_run_buf(&s->db, &s->text, e);
    buf_addf(&s->text, "select count(*) from main.%s", table);
    if (rc == RC_OK)
        rc = sqlite_number_buf(&s->db, &s->text, &n, e);
    return rc == RC_OK && (uint64_t)n != rows ? not_there(s, e) : rc;
}

struct extra_fit {
    struct sqlite_stage *stage;
    size_t table;
};

static enum rc fit_extra(void *extra_fit, sqlite3_stmt *stmt, struct err *e)
{
    const struct extra_fit *f = extra_fit;
    struct sqlite_staged *t = &f->stage->tables[f->table];
    const struct sql_mapped *mapped;
    struct sqlite_fit fit;
    enum rc rc = sqlite_table_map(&t->now, f->stage->place, sqlite_text(stmt, 0),
                                  sqlite_text(stmt, 1), TYPE_TEXT, &mapped, &fit, e);
    t->n_more += rc == RC_OK && !mapped->exists;
    return rc == RC_OK ? sqlite_stage_set_fit(t, t->n_columns++, &fit, TYPE_TEXT, e) : rc;
}

/* Types of undocumented columns that the mark had. */
static enum rc fit_extras(struct sqlite_stage *s, size_t table, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    struct extra_fit f = {s, table};
    buf_addf(&s->text, "delete from main.extras where tab = %zu and ord >= %zu;", table,
             typed_table_columns(t->typed) - sqlite_stage_relation(s, table)->n_columns);
    enum rc rc = sqlite_run_buf(&s->db, &s->text, e);
    buf_addf(&s->text, "select name, source from main.extras where tab = %zu order by ord", table);
    if (rc == RC_OK)
        rc = sqlite_each_buf(&s->db, &s->text, fit_extra, &f, e);
    if (rc == RC_OK && t->n_columns != typed_table_columns(t->typed))
        rc = not_there(s, e);
    return rc;
}

static enum rc count_made(struct sqlite_stage *s, size_t table, struct err *e)
{
    int64_t n = 0;
    buf_addf(&s->text,
             "select count(*) from pragma_table_info('s%zu', 'main') where name like 'e%%'", table);
    enum rc rc = sqlite_number_buf(&s->db, &s->text, &n, e);
    s->tables[table].n_made = (size_t)n;
    return rc;
}

static enum rc resume_table(struct sqlite_stage *s, size_t table, struct str *rest, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    struct str typed;
    char name[32];
    (void)snprintf(name, sizeof name, "s%zu", table);
    if (!text_take_uint(rest, ' ', &t->rows) || !text_take(rest, '\n', &typed))
        return err_set(e, RC_SYNTAX, "%s: its mark is malformed", s->place->spec);
    enum rc rc = make_typed(s, table, typed, e);
    if (rc == RC_OK)
        rc = cut(s, name, t->rows, e);
    if (rc == RC_OK)
        rc = count_made(s, table, e);
    return rc == RC_OK ? fit_extras(s, table, e) : rc;
}

/* "1 LEADS GONE \n", then "ROWS TYPED\n" for each table. */
enum rc sqlite_stage_resume(struct sqlite_stage *s, const struct sink_cfg *cfg, struct str mark,
                            struct err *e)
{
    struct str version;
    enum sqlite_stage_owner owner;
    enum rc rc = sqlite_stage_owner(s, &owner, e);
    if (rc == RC_OK && owner != SQLITE_STAGE_THIS_RUNS)
        rc = not_there(s, e);
    if (rc != RC_OK)
        return rc;
    if (!text_take(&mark, ' ', &version) || !str_eq_c(version, MARK_VERSION) ||
        !text_take_uint(&mark, ' ', &s->leads) || !text_take_uint(&mark, '\n', &s->n_gone))
        return err_set(e, RC_SYNTAX, "%s: its mark is malformed", s->place->spec);
    rc = sqlite_run(&s->db, "begin", e);
    for (size_t i = 0; rc == RC_OK && i < cfg->profile->n_tables; i++)
        rc = resume_table(s, i, &mark, e);
    if (rc == RC_OK && mark.len)
        rc = err_set(e, RC_SYNTAX, "%s: its mark is malformed", s->place->spec);
    return rc == RC_OK ? cut(s, "gone", s->n_gone, e) : rc;
}

void sqlite_stage_mark(const struct sqlite_stage *s, struct buf *out)
{
    buf_addf(out, MARK_VERSION " %" PRIu64 " %" PRIu64 "\n", s->leads, s->n_gone);
    for (size_t i = 0; i < s->n_tables; i++) {
        buf_addf(out, "%" PRIu64 " ", s->tables[i].rows);
        typed_table_mark(s->tables[i].typed, out);
        buf_addc(out, '\n');
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

enum rc sqlite_stage_commit(struct sqlite_stage *s, struct err *e)
{
    return sqlite3_get_autocommit(s->db.db) ? RC_OK : sqlite_run(&s->db, "commit", e);
}

void sqlite_stage_disconnect(struct sqlite_stage *s)
{
    for (size_t i = 0; s->tables && i < s->profile->n_tables; i++) {
        (void)sqlite3_finalize(s->tables[i].insert);
        s->tables[i].insert = NULL;
    }
    (void)sqlite3_finalize(s->gone);
    s->gone = NULL;
    sqlite_db_close(&s->db);
}

void sqlite_stage_close(struct sqlite_stage *s, bool remove)
{
    for (size_t i = 0; s->tables && i < s->profile->n_tables; i++) {
        (void)sqlite3_finalize(s->tables[i].insert);
        typed_table_free(s->tables[i].typed);
        sqlite_table_free(&s->tables[i].now);
        free(s->tables[i].no_numerals);
    }
    free(s->tables);
    s->tables = NULL;
    (void)sqlite3_finalize(s->gone);
    s->gone = NULL;
    /* While it is locked: who waits for it finds out that it is another file now. */
    if (remove && s->db.db) {
        buf_clear(&s->text);
        buf_addf(&s->text, "%s-journal", s->place->staging);
        (void)unlink(s->place->staging);
        (void)unlink(buf_cstr(&s->text));
    }
    sqlite_db_close(&s->db);
    buf_free(&s->text);
    buf_free(&s->value);
}
