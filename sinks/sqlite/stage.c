#include "sinks/sqlite/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/grow.h"
#include "core/base/rfc3339.h"
#include "core/base/units.h"

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

/* Only who has no lock may ask: closing the file ends all that a process has. */
static enum rc report_owner(const struct sqlite_place *p, struct err *e)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_BYTE, .l_len = LOCK_BYTES};
    int fd = open(p->staging, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool known =
        fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0;
    if (fd >= 0)
        (void)close(fd);
    if (!known)
        return err_set(e, RC_BUSY, "%s: another run of leadpipe is writing to it; wait for it",
                       p->spec);
    return err_set(
        e, RC_BUSY,
        "%s: another run of leadpipe (process %ld) is writing to it; wait for it, or stop it",
        p->spec, (long)lock.l_pid);
}

/* Has somebody removed the file while it was opened? */
static bool has_moved(const struct sqlite_db *d)
{
    int moved = 0;
    return sqlite3_file_control(d->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved;
}

/* Locks it; of what is there, which may be anything that a program was killed with, nothing is left where
 * the run begins. */
static enum rc lock(struct sqlite_stage *s, bool begins, struct err *e)
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
        rc = sqlite_db_open(&s->db, p->staging, e);
        if (rc == RC_OK)
            rc = lock(s, begins, e);
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

static const struct sql_relation *relation(const struct sqlite_stage *s, size_t table)
{
    return &s->place->relations.items[table];
}

static void put_create(struct buf *b, const struct sqlite_stage *s, size_t table)
{
    buf_addf(b, "create table s%zu (", table);
    for (size_t i = 0; i < relation(s, table)->n_columns; i++)
        buf_addf(b, "c%zu, ", i);
    buf_adds(b, "misfits);");
}

static enum rc write_run(struct sqlite_stage *s, struct err *e)
{
    const struct str token = str_c(s->place->token);
    return sqlite_run_with(&s->db, "insert into main.run (token) values (?1)", &token, 1, e);
}

/* The place of a column of typed_table_column() in what it is called from, and its name. */
static enum rc put_source(struct buf *b, const struct sqlite_stage *s, size_t table,
                          const struct typed_column *column, struct err *e)
{
    return sql_source_extra(b, relation(s, table)->spec, &column->extra->origin, e);
}

static enum rc set_fit(struct sqlite_staged *t, size_t i, const struct sqlite_fit *fit,
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

/* What fits into the columns that the table has whatever the payloads are. */
static enum rc fit_columns(struct sqlite_stage *s, size_t table, struct err *e)
{
    const struct sql_relation *r = relation(s, table);
    struct sqlite_staged *t = &s->tables[table];
    enum rc rc = sqlite_table_load(&t->now, s->place, &s->db, table, s->is_attached, e);
    for (size_t i = 0; rc == RC_OK && i < r->n_columns; i++) {
        const struct sql_mapped *mapped;
        struct sqlite_fit fit;
        rc = sqlite_table_map(&t->now, s->place, r->columns[i].wanted, r->columns[i].source,
                              r->columns[i].type, &mapped, &fit, e);
        if (rc == RC_OK)
            rc = set_fit(t, i, &fit, r->columns[i].type, e);
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

enum rc sqlite_stage_is_of_run(struct sqlite_stage *s, bool *out, struct err *e)
{
    enum rc rc = sqlite_has_row(&s->db, "select 1 from main.sqlite_master where name = 'run'",
                                STR_NONE, out, e);
    if (rc != RC_OK || !*out)
        return rc;
    return sqlite_has_row(&s->db, "select 1 from main.run where token = ?1", str_c(s->place->token),
                          out, e);
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
    return rc == RC_OK ? set_fit(t, t->n_columns++, &fit, TYPE_TEXT, e) : rc;
}

/* Types of undocumented columns that the mark had. */
static enum rc fit_extras(struct sqlite_stage *s, size_t table, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    struct extra_fit f = {s, table};
    buf_addf(&s->text, "delete from main.extras where tab = %zu and ord >= %zu;", table,
             typed_table_columns(t->typed) - relation(s, table)->n_columns);
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
    bool is_mine = false;
    enum rc rc = sqlite_stage_is_of_run(s, &is_mine, e);
    if (rc == RC_OK && !is_mine)
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

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc make_insert(struct sqlite_stage *s, size_t table, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    size_t n_first = relation(s, table)->n_columns;
    (void)sqlite3_finalize(t->insert);
    t->insert = NULL;
    buf_addf(&s->text, "insert into main.s%zu (", table);
    for (size_t i = 0; i < t->n_columns; i++)
        buf_addf(&s->text, "%c%zu, ", i < n_first ? 'c' : 'e', i < n_first ? i : i - n_first);
    buf_adds(&s->text, "misfits) values (");
    for (size_t i = 0; i < t->n_columns; i++)
        buf_adds(&s->text, "?,");
    buf_adds(&s->text, "?)");
    return sqlite_prepare_buf(&s->db, &s->text, &t->insert, e);
}

static enum rc describe(struct sqlite_stage *s, size_t table, size_t ord,
                        const struct typed_column *column, struct str source, struct err *e)
{
    const struct str values[] = {column->name, source};
    buf_addf(&s->text, "insert into main.extras (tab, ord, name, source) values (%zu, %zu, ?1, ?2)",
             table, ord);
    enum rc rc = buf_rc(&s->text) == RC_OK
                     ? sqlite_run_with(&s->db, buf_cstr(&s->text), values, 2, e)
                     : err_nomem(e);
    buf_clear(&s->text);
    return rc;
}

/* A column that no row had before. */
static enum rc add_extra(struct sqlite_stage *s, size_t table, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    size_t ord = t->n_columns - relation(s, table)->n_columns;
    struct typed_column column = typed_table_column(t->typed, t->n_columns);
    const struct sql_mapped *mapped = NULL;
    struct sqlite_fit fit;
    struct buf source;
    if (t->n_columns >= s->columns_max)
        return sqlite_table_check_width(&t->now, s->place, &s->db, SIZE_MAX / 2, e);
    buf_init(&source, SQL_SOURCE_BYTES_MAX * 2);
    enum rc rc = put_source(&source, s, table, &column, e);
    if (rc == RC_OK)
        rc = sqlite_table_map(&t->now, s->place, column.name, buf_str(&source), TYPE_TEXT, &mapped,
                              &fit, e);
    t->n_more += rc == RC_OK && mapped && !mapped->exists;
    if (rc == RC_OK)
        rc = sqlite_table_check_width(&t->now, s->place, &s->db, t->n_more, e);
    if (rc == RC_OK)
        rc = describe(s, table, ord, &column, buf_str(&source), e);
    if (rc == RC_OK && ord >= t->n_made) {
        buf_addf(&s->text, "alter table main.s%zu add column e%zu", table, ord);
        rc = sqlite_run_buf(&s->db, &s->text, e);
        t->n_made = ord + 1;
    }
    if (rc == RC_OK)
        rc = set_fit(t, t->n_columns++, &fit, TYPE_TEXT, e);
    buf_free(&source);
    return rc;
}

/* Would SQLite take the text for a number? It knows no other signs, and blanks around it. */
static bool is_numeral(struct str text)
{
    bool has_digit = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            has_digit = true;
        else if (!memchr(" \t\n\v\f\r+-.eE", c, 12))
            return false;
    }
    return has_digit;
}

/* A text of which SQLite takes a copy where there is no other. */
static int bind_text(struct sqlite_stage *s, sqlite3_stmt *stmt, int at, const struct typed_cell *c,
                     struct str *text)
{
    if (typed_cell_bytes(c, text))
        return sqlite_bind_str(stmt, at, *text);
    buf_clear(&s->value);
    typed_cell_write(&s->value, c);
    if (buf_rc(&s->value) != RC_OK)
        return SQLITE_NOMEM;
    *text = buf_str(&s->value);
    return sqlite3_bind_text64(stmt, at, text->ptr ? text->ptr : "", text->len, SQLITE_TRANSIENT,
                               SQLITE_UTF8);
}

static int bind(struct sqlite_stage *s, sqlite3_stmt *stmt, int at, const struct typed_cell *c,
                struct str *text)
{
    char time[SQLITE_TIME_BYTES];
    *text = STR_NONE;
    switch (c->value.kind) {
    case TYPED_NULL:
    case TYPED_MISFIT:
        return sqlite3_bind_null(stmt, at);
    case TYPED_INTEGER:
        return sqlite3_bind_int64(stmt, at, c->value.u.integer);
    case TYPED_DOUBLE:
        return sqlite3_bind_double(stmt, at, c->value.u.number);
    case TYPED_BOOLEAN:
        return sqlite3_bind_int(stmt, at, c->value.u.boolean);
    case TYPED_TIME:
        sqlite_time_text(c->value.u.time_us, time);
        return sqlite3_bind_text(stmt, at, time, -1, SQLITE_TRANSIENT);
    case TYPED_TEXT:
    case TYPED_DECIMAL:
    case TYPED_JSON:
        return bind_text(s, stmt, at, c, text);
    }
    return SQLITE_OK;
}

/* The first row of a column whose type is the user's: it was made as text. */
static struct typed_cell retyped(const struct sqlite_staged *t, size_t i,
                                 const struct typed_cell *c)
{
    enum column_type type = typed_table_column(t->typed, i).type;
    struct typed_cell cell = *c;
    if (c->value.kind == TYPED_TEXT && type != TYPE_TEXT && c->cell)
        cell.value = typed_of(&target, type, c->cell);
    return cell;
}

/* `code`: of the row at hand. */
static enum rc row_rc(const struct sqlite_stage *s, size_t table, const struct lead *lead, int code,
                      struct err *e)
{
    if ((code & 0xff) != SQLITE_TOOBIG)
        return sqlite_rc(&s->db, code, e);
    return err_set(
        e, RC_IO,
        "%s: lead " STR_FMT ", table " STR_FMT
        ": the row is larger than SQLite allows (%d bytes); leave this lead out, or write "
        "it to another sink",
        s->place->spec, STR_ARG(lead->id), STR_ARG(relation(s, table)->name), s->length_max);
}

/* `n_before`: columns that rows had before this one. */
static enum rc bind_row(struct sqlite_stage *s, size_t table, const struct lead *lead,
                        const struct typed_row *row, size_t n_before, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < row->n; i++) {
        struct typed_cell cell = i < n_before ? row->cells[i] : retyped(t, i, &row->cells[i]);
        struct str text;
        code = bind(s, t->insert, (int)i + 1, &cell, &text);
        bool refused =
            cell.value.kind == TYPED_MISFIT || (t->no_numerals[i] && text.ptr && is_numeral(text));
        if (code != SQLITE_OK || !refused)
            continue;
        enum rc rc = typed_table_refuse(t->typed, i, e);
        if (rc != RC_OK)
            return rc;
        code = sqlite3_bind_null(t->insert, (int)i + 1);
    }
    return row_rc(s, table, lead, code, e);
}

static enum rc put_row(struct sqlite_stage *s, size_t table, const struct lead *lead,
                       const struct row *row, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    struct typed_row typed;
    struct str text;
    enum rc rc = typed_table_row(t->typed, lead, row, &typed, e);
    size_t n_before = t->n_columns;
    bool changed = !t->insert;
    for (; rc == RC_OK && t->n_columns < typed.n; changed = true)
        rc = add_extra(s, table, e);
    if (rc == RC_OK && changed)
        rc = make_insert(s, table, e);
    if (rc == RC_OK)
        rc = bind_row(s, table, lead, &typed, n_before, e);
    if (rc != RC_OK)
        return rc;
    int code = SQLITE_OK;
    if (typed.n_last)
        code = bind(s, t->insert, (int)typed.n + 1, &typed.last[0], &text);
    if (code == SQLITE_OK)
        code = sqlite3_step(t->insert);
    rc = row_rc(s, table, lead, code, e);
    (void)sqlite3_reset(t->insert);
    t->rows += rc == RC_OK;
    return rc;
}

enum rc sqlite_stage_put(struct sqlite_stage *s, const struct lead *lead, struct err *e)
{
    enum rc rc = sqlite3_get_autocommit(s->db.db) ? sqlite_run(&s->db, "begin", e) : RC_OK;
    for (size_t i = 0; i < s->n_tables; i++) {
        const struct rows *rows = &lead->tables[i];
        for (uint32_t k = 0; rc == RC_OK && k < rows->n_rows; k++)
            rc = put_row(s, i, lead, &rows->rows[k], e);
    }
    s->leads += rc == RC_OK;
    return rc;
}

enum rc sqlite_stage_put_missing(struct sqlite_stage *s, const struct lead *lead, struct err *e)
{
    enum rc rc = sqlite3_get_autocommit(s->db.db) ? sqlite_run(&s->db, "begin", e) : RC_OK;
    if (rc == RC_OK && !s->gone) {
        buf_adds(&s->text, "insert into main.gone values (?");
        for (size_t i = 1; i < s->place->relations.n_lead_keys; i++)
            buf_adds(&s->text, ",?");
        buf_addc(&s->text, ')');
        rc = sqlite_prepare_buf(&s->db, &s->text, &s->gone, e);
    }
    if (rc != RC_OK)
        return rc;
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < s->profile->n_key_columns; i++)
        code = sqlite_bind_str(s->gone, (int)i + 1, row_key_value(s->profile, lead, i));
    if (code == SQLITE_OK)
        code = sqlite3_step(s->gone);
    rc = sqlite_rc(&s->db, code, e);
    (void)sqlite3_reset(s->gone);
    s->n_gone += rc == RC_OK;
    return rc;
}

/* ---- the end -------------------------------------------------------------------------------- */

enum rc sqlite_stage_commit(struct sqlite_stage *s, struct err *e)
{
    return sqlite3_get_autocommit(s->db.db) ? RC_OK : sqlite_run(&s->db, "commit", e);
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
