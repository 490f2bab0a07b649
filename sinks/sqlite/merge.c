#include "sinks/sqlite/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sinks/sql/gone.h"
#include "sinks/sqlite/records.h"
#include "sinks/sqlite/runs.h"

#define SQL_BYTES_MAX ((size_t)64 << 20)
#define MEMORY_MAX ((size_t)256 << 20)
#define RUN_COLUMNS_MAX 4

/* One table's merge, while it is put together. */
struct merging {
    struct sqlite_stage *stage;
    const struct sqlite_place *place;
    const struct sql_relation *relation;
    size_t table; /* its index */
    struct sqlite_table now;
    struct arena memory;
    struct sql_merge merge;
    struct sql_merge_column *columns; /* merge.columns */
    size_t cap;
    size_t n_missing;     /* columns that the table gets */
    struct str marks;     /* the column of marks, once it is planned */
    struct str of_run[2]; /* the start and the id of this run, as SQL */
    size_t first_of_run;  /* of the two columns that have them */
    struct buf ddl;       /* of a table to be made: "name type", with commas; else statements */
    struct buf text;      /* scratch */
};

/* ---- columns -------------------------------------------------------------------------------- */

static enum rc keep(struct merging *m, struct buf *b, struct str *out, struct err *e)
{
    const char *copy = buf_rc(b) == RC_OK ? arena_strdup(&m->memory, buf_str(b)) : NULL;
    if (!copy)
        return err_nomem(e);
    *out = (struct str){copy, b->len};
    buf_clear(b);
    return RC_OK;
}

/* The table gets a column that it does not have. */
static void put_missing_column(struct merging *m, const struct sql_mapped *mapped, const char *type,
                               bool is_key)
{
    if (mapped->exists)
        return;
    m->n_missing++;
    if (m->now.exists) {
        buf_adds(&m->ddl, "alter table ");
        buf_add_str(&m->ddl, m->merge.table);
        buf_adds(&m->ddl, " add column ");
    } else {
        buf_adds(&m->ddl, m->ddl.len ? ", " : "");
    }
    sql_quote(&m->ddl, m->place->dialect, mapped->column);
    buf_addf(&m->ddl, " %s%s%s", type, is_key ? " not null" : "", m->now.exists ? ";" : "");
}

static enum rc remember(struct merging *m, struct str column, struct str source, struct err *e)
{
    static const char sql[] = "insert into out." SQL_TABLE_COLUMNS
                              " (table_name, column_name, source) values (?1, ?2, ?3) on conflict "
                              "(table_name, column_name) do update set source = excluded.source";
    const struct str values[] = {m->relation->name, column, source.len ? source : STR("")};
    return sqlite_run_with(&m->stage->db, sql, values, 3, e);
}

/* `value` is SQL; `staged`: of a key, the staged column. */
static enum rc add_column(struct merging *m, struct str wanted, struct str source,
                          enum column_type type, enum sql_merge_role role, const char *value,
                          const char *staged, struct err *e)
{
    const struct sql_mapped *mapped;
    struct sqlite_fit fit;
    if (m->merge.n_columns == m->cap)
        return err_set(e, RC_INTERNAL, "%s: more columns than there are", m->place->spec);
    struct sql_merge_column *column = &m->columns[m->merge.n_columns++];
    *column = (struct sql_merge_column){.role = role, .exactly = " collate binary"};
    enum rc rc = sqlite_table_map(&m->now, m->place, wanted, source, type, &mapped, &fit, e);
    if (rc != RC_OK)
        return rc;
    put_missing_column(m, mapped, sqlite_table_type(&m->now, type), role == SQL_MERGE_KEY);
    column->name = mapped->column;
    buf_adds(&m->text, value);
    rc = keep(m, &m->text, &column->value, e);
    buf_adds(&m->text, staged);
    return rc == RC_OK ? keep(m, &m->text, &column->staged, e) : rc;
}

static enum rc add_documented(struct merging *m, bool keys, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->relation->n_columns; i++) {
        const struct sql_column *c = &m->relation->columns[i];
        char value[32];
        (void)snprintf(value, sizeof value, "s.c%zu", i);
        if (c->is_key == keys)
            rc = add_column(m, c->wanted, c->source, c->type, keys ? SQL_MERGE_KEY : SQL_MERGE_DATA,
                            value, value + 2, e);
    }
    return rc;
}

static enum rc add_extra(void *merging, sqlite3_stmt *stmt, struct err *e)
{
    char value[32];
    (void)snprintf(value, sizeof value, "s.e%lld", (long long)sqlite3_column_int64(stmt, 0));
    return add_column(merging, sqlite_text(stmt, 1), sqlite_text(stmt, 2), TYPE_TEXT,
                      SQL_MERGE_DATA, value, "", e);
}

static enum rc add_extras(struct merging *m, struct err *e)
{
    buf_addf(&m->text,
             m->stage->n_others
                 ? "select ord, wanted, source from main.extras where tab = %zu order by shard, at"
                 : "select ord, name, source from main.extras where tab = %zu order by ord",
             m->table);
    return sqlite_each_buf(&m->stage->db, &m->text, add_extra, m, e);
}

/* Columns of sources that no lead of this run has: null, as in a run in which others have it. */
static enum rc add_absent(struct merging *m, struct err *e)
{
    enum rc rc = RC_OK;
    size_t n = m->now.map.n;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        const struct sql_mapped mapped = m->now.map.items[i];
        bool is_ours = mapped.exists && mapped.source.ptr && mapped.source.len > 0;
        if (is_ours && !sql_merge_writes(&m->merge, mapped.column))
            rc = add_column(m, mapped.column, mapped.source, TYPE_TEXT, SQL_MERGE_DATA, "null", "",
                            e);
    }
    return rc;
}

/* `source`: SQL_SOURCE_RUN and the name. */
static enum rc add_run_column(struct merging *m, const char *source, const char *value,
                              enum sql_merge_role role, struct err *e)
{
    return add_column(m, str_c(source + strlen(SQL_SOURCE_RUN)), str_c(source), TYPE_TEXT, role,
                      value, "", e);
}

/* The column of marks that the table has had so far. */
static struct str deleted_at(const struct merging *m)
{
    const struct sql_mapped *mapped = sql_column_map_present(
        &m->now.map, STR(SQL_COLUMN_DELETED_AT), STR(SQL_SOURCE_RUN SQL_COLUMN_DELETED_AT));
    return mapped ? mapped->column : STR_NONE;
}

/* The run's id and start are digits, letters and signs that mean nothing to SQL. */
static enum rc keep_run(struct merging *m, struct err *e)
{
    buf_addf(&m->text, "'%s'", m->place->started_at);
    enum rc rc = keep(m, &m->text, &m->of_run[0], e);
    buf_addf(&m->text, "'%s'", m->place->run_id);
    return rc == RC_OK ? keep(m, &m->text, &m->of_run[1], e) : rc;
}

/* Rows of other shards have the id and the start of their runs. A lead that was marked comes back with whatever is exported
 * of it. */
static enum rc add_run_columns(struct merging *m, struct err *e)
{
    const bool others = m->stage->n_others != 0;
    char started[SQLITE_TIME_BYTES + 32];
    char run_id[96];
    enum rc rc = keep_run(m, e);
    (void)snprintf(started, sizeof started, others ? "coalesce(s.started_at, %s)" : "%s",
                   m->of_run[0].ptr);
    (void)snprintf(run_id, sizeof run_id, others ? "coalesce(s.run_id, %s)" : "%s",
                   m->of_run[1].ptr);
    if (rc == RC_OK && !m->place->all_text)
        rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_MISFITS, "s.misfits", SQL_MERGE_DATA, e);
    m->first_of_run = m->merge.n_columns;
    if (rc == RC_OK)
        rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_EXPORTED_AT, started, SQL_MERGE_RUN, e);
    if (rc == RC_OK)
        rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_RUN_ID, run_id, SQL_MERGE_RUN, e);
    bool marks = m->place->deletes == SQL_DELETES_MARK || deleted_at(m).ptr;
    if (rc != RC_OK || m->table != 0 || !marks)
        return rc;
    rc = add_run_column(m, SQL_SOURCE_RUN SQL_COLUMN_DELETED_AT, "null", SQL_MERGE_DATA, e);
    if (rc == RC_OK)
        m->marks = m->columns[m->merge.n_columns - 1].name;
    return rc;
}

static size_t columns_at_most(const struct merging *m)
{
    return m->relation->n_columns + m->stage->columns_max + RUN_COLUMNS_MAX + m->now.map.n;
}

static enum rc plan_names(struct merging *m, struct err *e)
{
    sqlite_put_table(&m->text, m->place, m->relation->name);
    enum rc rc = keep(m, &m->text, &m->merge.table, e);
    buf_addf(&m->text, "main.s%zu", m->table);
    if (rc == RC_OK)
        rc = keep(m, &m->text, &m->merge.staged, e);
    m->merge.leads = STR("main.s0");
    return rc;
}

static enum rc plan(struct merging *m, bool is_attached, struct err *e)
{
    enum rc rc = sqlite_table_load(&m->now, m->place, &m->stage->db, m->table, is_attached, e);
    if (rc != RC_OK)
        return rc;
    m->cap = columns_at_most(m);
    m->merge.columns = m->columns = arena_array(&m->memory, m->cap, sizeof *m->columns);
    if (!m->columns)
        return err_nomem(e);
    rc = plan_names(m, e);
    if (rc == RC_OK)
        rc = add_documented(m, true, e);
    m->merge.n_keys = m->merge.n_columns;
    if (rc == RC_OK)
        rc = add_documented(m, false, e);
    if (rc == RC_OK)
        rc = add_extras(m, e);
    if (rc == RC_OK)
        rc = add_run_columns(m, e);
    return rc == RC_OK ? add_absent(m, e) : rc;
}

static void merging_init(struct merging *m, struct sqlite_stage *s, size_t table)
{
    const struct sqlite_place *p = s->place;
    *m = (struct merging){
        .stage = s, .place = p, .relation = &p->relations.items[table], .table = table};
    m->merge = (struct sql_merge){.dialect = p->dialect,
                                  .differs = " is not ",
                                  .n_lead_keys = p->relations.n_lead_keys,
                                  .has_key = m->relation->has_key};
    arena_init(&m->memory, MEMORY_MAX);
    buf_init(&m->ddl, SQL_BYTES_MAX);
    buf_init(&m->text, SQL_BYTES_MAX);
}

static void merging_free(struct merging *m)
{
    buf_free(&m->ddl);
    buf_free(&m->text);
    sqlite_table_free(&m->now);
    arena_free(&m->memory);
}

/* ---- the table ------------------------------------------------------------------------------ */

/* Every run's rows are kept: then the run distinguishes a row from that of another run. */
static void put_key(struct merging *m)
{
    if (!m->relation->has_key)
        return;
    for (size_t i = 0; i < m->merge.n_keys; i++) {
        buf_adds(&m->text, i ? ", " : ", primary key (");
        sql_quote(&m->text, m->place->dialect, m->columns[i].name);
    }
    if (m->place->mode == SQL_MODE_APPEND)
        buf_adds(&m->text, ", " SQL_COLUMN_RUN_ID);
    buf_addc(&m->text, ')');
}

static enum rc make_table(struct merging *m, struct err *e)
{
    const struct sqlite_db *d = &m->stage->db;
    if (buf_rc(&m->ddl) != RC_OK)
        return err_nomem(e);
    enum rc rc = sqlite_table_check_width(&m->now, m->place, d, m->n_missing, e);
    if (rc != RC_OK)
        return rc;
    if (m->now.exists)
        return m->ddl.len ? sqlite_run_buf(d, &m->ddl, e) : RC_OK;
    buf_adds(&m->text, "create table ");
    buf_add_str(&m->text, m->merge.table);
    buf_adds(&m->text, " (");
    buf_add_str(&m->text, buf_str(&m->ddl));
    put_key(m);
    buf_addc(&m->text, ')');
    return sqlite_run_buf(d, &m->text, e);
}

/* Which source has which column, and which columns were there before and are nobody's. */
static enum rc remember_columns(struct merging *m, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->now.map.n; i++) {
        const struct sql_mapped *mapped = &m->now.map.items[i];
        if (!mapped->is_new || !mapped->source.ptr)
            continue;
        sql_warn_of_user_column(mapped, m->relation->name, m->place->log, m->place->spec);
        rc = remember(m, mapped->column, mapped->source, e);
    }
    return rc;
}

/* What looks up staged rows by their keys; not needed where nothing is there to compare with. */
static enum rc index_staged(struct merging *m, struct err *e)
{
    buf_addf(&m->text, "create index if not exists main.i%zu on s%zu (", m->table, m->table);
    for (size_t i = 0; i < m->merge.n_keys; i++) {
        buf_adds(&m->text, i ? ", " : "");
        buf_add_str(&m->text, m->columns[i].staged);
    }
    buf_addc(&m->text, ')');
    return sqlite_run_buf(&m->stage->db, &m->text, e);
}

static enum rc is_empty(struct merging *m, bool *out, struct err *e)
{
    int64_t n = 0;
    sql_merge_count_any(&m->text, &m->merge);
    enum rc rc = sqlite_number_buf(&m->stage->db, &m->text, &n, e);
    *out = n == 0;
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc write_rows(struct merging *m, struct sql_outcome *out, struct err *e)
{
    bool empty = false;
    enum rc rc = is_empty(m, &empty, e);
    for (size_t step = 0; rc == RC_OK && step < SQL_MERGE_STEPS; step++) {
        sql_merge_step(&m->text, &m->merge, m->place->mode, empty, (enum sql_merge_step)step);
        rc = sqlite_count(&m->stage->db, &m->text, &out->rows[step], e);
    }
    return rc;
}

/* ---- leads that are gone ---------------------------------------------------------------------- */

static struct sql_gone gone_of(const struct merging *m)
{
    return (struct sql_gone){.leads = &m->merge,
                             .keys = STR("main.gone"),
                             .provider = m->stage->profile->name,
                             .deleted_at = deleted_at(m),
                             .has_history = m->place->mode == SQL_MODE_APPEND};
}

static enum rc ask(struct merging *m, uint64_t *out, struct err *e)
{
    int64_t n = 0;
    enum rc rc = sqlite_number_buf(&m->stage->db, &m->text, &n, e);
    *out = (uint64_t)n;
    return rc;
}

/* Of the table of the leads, before anything is written. */
static enum rc count_gone(struct merging *m, struct sql_outcome *out, struct err *e)
{
    const struct sql_gone gone = gone_of(m);
    if (!m->now.exists)
        return RC_OK;
    sql_gone_count_held(&m->text, &gone);
    enum rc rc = ask(m, &out->held, e);
    sql_gone_count(&m->text, &gone);
    return rc == RC_OK ? ask(m, &out->gone, e) : rc;
}

/* No row is staged of them: it is this run that marks them, whichever shard has missed them. */
static enum rc write_gone(struct merging *m, struct sql_outcome *out, struct err *e)
{
    struct sql_gone gone = gone_of(m);
    gone.deleted_at = m->marks;
    for (size_t i = 0; i < sizeof m->of_run / sizeof *m->of_run; i++)
        m->columns[m->first_of_run + i].value = m->of_run[i];
    enum sql_merge_step step =
        sql_gone_step(&m->text, &gone, m->place->deletes, m->table == 0, m->place->started_at);
    return sqlite_count(&m->stage->db, &m->text, &out->rows[step], e);
}

static enum rc merge_table(struct sqlite_stage *s, size_t table, struct sql_outcome *out,
                           struct err *e)
{
    struct merging m;
    merging_init(&m, s, table);
    enum rc rc = plan(&m, true, e);
    if (rc == RC_OK)
        rc = make_table(&m, e);
    if (rc == RC_OK)
        rc = remember_columns(&m, e);
    if (rc == RC_OK)
        rc = write_rows(&m, out, e);
    if (rc == RC_OK)
        rc = write_gone(&m, out, e);
    if (rc != RC_OK && rc != RC_NOMEM)
        err_prefix(e, STR_FMT, STR_ARG(m.relation->name));
    merging_free(&m);
    return rc;
}

/* Before the transaction, so that others are kept waiting for as short as possible. */
static enum rc index_all(struct sqlite_stage *s, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0;
         rc == RC_OK && s->place->mode != SQL_MODE_APPEND && i < s->place->relations.n; i++) {
        struct merging m;
        bool empty = true;
        merging_init(&m, s, i);
        rc = plan(&m, true, e);
        if (rc == RC_OK && m.now.exists)
            rc = is_empty(&m, &empty, e);
        if (rc == RC_OK && !empty)
            rc = index_staged(&m, e);
        merging_free(&m);
    }
    return rc;
}

/* How many leads are gone, and how many may be. */
static enum rc check_gone(struct sqlite_stage *s, struct sql_outcome *out, struct err *e)
{
    struct merging m;
    merging_init(&m, s, 0);
    enum rc rc = plan(&m, true, e);
    if (rc == RC_OK)
        rc = count_gone(&m, out, e);
    sql_gone_limit(out, s->place->deletes, s->place->max_gone);
    merging_free(&m);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

enum rc sqlite_merge(struct sqlite_stage *s, struct sql_outcome *out, bool *done, struct err *e)
{
    *done = false;
    *out = (struct sql_outcome){.held = 0};
    (void)sqlite3_limit(s->db.db, SQLITE_LIMIT_LENGTH, s->length_max);
    enum rc rc = index_all(s, e);
    if (rc == RC_OK)
        rc = sqlite_run(&s->db, "begin immediate", e);
    if (rc == RC_OK)
        rc = sqlite_target_has_run(&s->db, str_c(s->place->token), done, e);
    if (rc != RC_OK || *done)
        return rc;
    rc = check_gone(s, out, e);
    if (rc != RC_OK || out->gone > out->gone_allowed)
        return rc;
    rc = sqlite_runs_make_tables(&s->db, e);
    for (size_t i = 0; rc == RC_OK && i < s->place->relations.n; i++)
        rc = merge_table(s, i, out, e);
    if (rc == RC_OK)
        rc = sqlite_runs_write(s, out, e);
    return rc == RC_OK ? sqlite_record_write(s->place, &s->db, e) : rc;
}
