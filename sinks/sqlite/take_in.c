#include "sinks/sqlite/take_in.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- before the first ------------------------------------------------------------------------- */

/* A run that was killed may have taken in rows before. */
static void put_cut(struct buf *b, size_t table)
{
    buf_addf(b,
             "delete from main.s%zu where rowid > (select n_rows from main.parts where tab = %zu);"
             "delete from main.extras where tab = %zu and "
             "ord >= (select n_extras from main.parts where tab = %zu);",
             table, table, table, table);
}

static void put_cuts(struct sqlite_stage *s)
{
    for (size_t i = 0; i < s->place->relations.n; i++)
        put_cut(&s->text, i);
    buf_adds(&s->text, "delete from main.gone where rowid > (select gone from main.shard);");
}

/* Where it is not there yet. */
static enum rc add_column(struct sqlite_stage *s, const char *table, const char *column,
                          struct err *e)
{
    int64_t n = 0;
    buf_addf(&s->text, "select count(*) from pragma_table_info('%s', 'main') where name = '%s'",
             table, column);
    enum rc rc = sqlite_number_buf(&s->db, &s->text, &n, e);
    if (rc != RC_OK || n)
        return rc;
    buf_addf(&s->text, "alter table main.%s add column %s", table, column);
    return sqlite_run_buf(&s->db, &s->text, e);
}

static enum rc add_columns(struct sqlite_stage *s, struct err *e)
{
    static const char *const of_extras[] = {"shard", "at", "wanted"};
    static const char *const of_rows[] = {"run_id", "started_at"};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof of_extras / sizeof *of_extras; i++)
        rc = add_column(s, "extras", of_extras[i], e);
    for (size_t t = 0; rc == RC_OK && t < s->place->relations.n; t++) {
        char table[32];
        (void)snprintf(table, sizeof table, "s%zu", t);
        for (size_t i = 0; rc == RC_OK && i < sizeof of_rows / sizeof *of_rows; i++)
            rc = add_column(s, table, of_rows[i], e);
    }
    return rc;
}

static enum rc begin(struct sqlite_stage *s, struct err *e)
{
    put_cuts(s);
    enum rc rc = sqlite_run_buf(&s->db, &s->text, e);
    if (rc == RC_OK)
        rc = add_columns(s, e);
    return rc == RC_OK
               ? sqlite_run(&s->db,
                            "update main.extras set shard = (select shard from main.shard), "
                            "at = ord, wanted = name",
                            e)
               : rc;
}

/* Ends the transaction, whatever came of it. */
static enum rc end(struct sqlite_stage *s, enum rc rc, struct err *e)
{
    struct err ignored;
    if (rc == RC_OK)
        rc = sqlite_run(&s->db, "commit", e);
    if (rc != RC_OK && !sqlite3_get_autocommit(s->db.db))
        (void)sqlite_run(&s->db, "rollback", &ignored);
    return rc;
}

enum rc sqlite_take_in_begin(struct sqlite_stage *s, struct err *e)
{
    (void)sqlite3_limit(s->db.db, SQLITE_LIMIT_LENGTH, s->length_max);
    enum rc rc = sqlite_run(&s->db, "begin", e);
    return rc == RC_OK ? end(s, begin(s, e), e) : rc;
}

/* With that setting the commit flushes it: the file gets the name of one that is durable. */
enum rc sqlite_take_in_undo(struct sqlite_stage *s, struct err *e)
{
    enum rc rc = sqlite_run(&s->db, "pragma main.synchronous = full; begin", e);
    if (rc != RC_OK)
        return rc;
    put_cuts(s);
    return end(s, sqlite_run_buf(&s->db, &s->text, e), e);
}

/* ---- undocumented columns ----------------------------------------------------------------------- */

struct taking {
    struct sqlite_stage *stage;
    const struct sqlite_loaded *from_shard;
    size_t table;
    size_t n_extras; /* that the staging table has by now */
    struct buf to, from;
};

/* A column of a source that no row had before. */
static enum rc add_extra(void *taking, sqlite3_stmt *stmt, struct err *e)
{
    struct taking *t = taking;
    struct sqlite_stage *s = t->stage;
    const struct sql_relation *r = &s->place->relations.items[t->table];
    const struct str values[] = {sqlite_text(stmt, 0), sqlite_text(stmt, 1)};
    if (r->n_columns + t->n_extras >= s->columns_max)
        return err_set(e, RC_IO,
                       "%s: the shards have together more columns of the table " STR_FMT
                       " than SQLite allows (%zu); use a smaller --max-columns for all of them",
                       s->place->spec, STR_ARG(r->name), s->columns_max);
    buf_addf(
        &s->text,
        "insert into main.extras (tab, ord, name, source, shard, at, wanted) values (%zu, %zu, "
        "?1, ?2, %" PRIu32 ", %lld, ?1)",
        t->table, t->n_extras++, t->from_shard->index, (long long)sqlite3_column_int64(stmt, 2));
    enum rc rc = buf_rc(&s->text) == RC_OK
                     ? sqlite_run_with(&s->db, buf_cstr(&s->text), values, 2, e)
                     : err_nomem(e);
    buf_clear(&s->text);
    return rc;
}

static enum rc add_extras(struct taking *t, struct err *e)
{
    struct sqlite_stage *s = t->stage;
    int64_t n = 0;
    buf_addf(&s->text, "select count(*) from main.extras where tab = %zu", t->table);
    enum rc rc = sqlite_number_buf(&s->db, &s->text, &n, e);
    if (rc != RC_OK)
        return rc;
    t->n_extras = (size_t)n;
    buf_addf(
        &s->text,
        "select name, source, ord from part.extras p where tab = %zu and not exists (select 1 from "
        "main.extras m where m.tab = p.tab and m.source = p.source) order by ord",
        t->table);
    rc = sqlite_each_buf(&s->db, &s->text, add_extra, t, e);
    for (size_t i = (size_t)n; rc == RC_OK && i < t->n_extras; i++) {
        char table[32];
        char column[32];
        (void)snprintf(table, sizeof table, "s%zu", t->table);
        (void)snprintf(column, sizeof column, "e%zu", i);
        rc = add_column(s, table, column, e);
    }
    return rc;
}

/* Sources that a later shard has, too, come first with this one. */
static enum rc move_extras(struct taking *t, struct err *e)
{
    struct sqlite_stage *s = t->stage;
    buf_addf(
        &s->text,
        "update main.extras set shard = %" PRIu32
        ", (at, wanted) = (select p.ord, p.name from part.extras p where p.tab = extras.tab and "
        "p.source = extras.source) where tab = %zu and shard > %" PRIu32
        " and source in (select source from part.extras where tab = %zu)",
        t->from_shard->index, t->table, t->from_shard->index, t->table);
    return sqlite_run_buf(&s->db, &s->text, e);
}

static enum rc map_extra(void *taking, sqlite3_stmt *stmt, struct err *e)
{
    struct taking *t = taking;
    (void)e;
    buf_addf(&t->to, "e%lld, ", (long long)sqlite3_column_int64(stmt, 0));
    buf_addf(&t->from, "e%lld, ", (long long)sqlite3_column_int64(stmt, 1));
    return RC_OK;
}

/* The columns of both tables, in one order. */
static enum rc map_columns(struct taking *t, struct err *e)
{
    struct sqlite_stage *s = t->stage;
    for (size_t i = 0; i < s->place->relations.items[t->table].n_columns; i++) {
        buf_addf(&t->to, "c%zu, ", i);
        buf_addf(&t->from, "c%zu, ", i);
    }
    buf_addf(&s->text,
             "select m.ord, p.ord from part.extras p join main.extras m on m.tab = p.tab and "
             "m.source = p.source where p.tab = %zu order by p.ord",
             t->table);
    enum rc rc = sqlite_each_buf(&s->db, &s->text, map_extra, t, e);
    bool is_ok = buf_rc(&t->to) == RC_OK && buf_rc(&t->from) == RC_OK;
    return rc == RC_OK && !is_ok ? err_nomem(e) : rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static enum rc damaged(const struct sqlite_stage *s, const struct sqlite_loaded *l, struct err *e)
{
    return err_set(e, RC_SYNTAX, "%s: %s has other rows than it should", s->place->spec, l->path);
}

/* Are there as many as the record of that shard says? */
static enum rc check_count(struct sqlite_stage *s, const struct sqlite_loaded *l, size_t table,
                           int64_t n, struct err *e)
{
    int64_t wanted = -1;
    buf_addf(&s->text, "select n_rows from part.parts where tab = %zu", table);
    enum rc rc = sqlite_number_buf(&s->db, &s->text, &wanted, e);
    return rc == RC_OK && n != wanted ? damaged(s, l, e) : rc;
}

static enum rc take_rows(struct taking *t, const struct sqlite_loaded *l, struct err *e)
{
    struct sqlite_stage *s = t->stage;
    const struct str values[] = {l->record.run_id, l->record.started_at};
    enum rc rc = add_extras(t, e);
    if (rc == RC_OK)
        rc = move_extras(t, e);
    if (rc == RC_OK)
        rc = map_columns(t, e);
    if (rc != RC_OK)
        return rc;
    buf_addf(&s->text, "insert into main.s%zu (", t->table);
    buf_add_str(&s->text, buf_str(&t->to));
    buf_adds(&s->text, "misfits, run_id, started_at) select ");
    buf_add_str(&s->text, buf_str(&t->from));
    buf_addf(&s->text, "misfits, ?1, ?2 from part.s%zu order by rowid", t->table);
    rc = buf_rc(&s->text) == RC_OK ? sqlite_run_with(&s->db, buf_cstr(&s->text), values, 2, e)
                                   : err_nomem(e);
    buf_clear(&s->text);
    return rc == RC_OK ? check_count(s, l, t->table, sqlite3_changes64(s->db.db), e) : rc;
}

static enum rc take_table(struct sqlite_stage *s, const struct sqlite_loaded *l, size_t table,
                          struct err *e)
{
    struct taking t = {.stage = s, .from_shard = l, .table = table};
    buf_init(&t.to, SIZE_MAX / 4);
    buf_init(&t.from, SIZE_MAX / 4);
    enum rc rc = take_rows(&t, l, e);
    buf_free(&t.to);
    buf_free(&t.from);
    return rc;
}

static enum rc take_gone(struct sqlite_stage *s, const struct sqlite_loaded *l, struct err *e)
{
    enum rc rc = sqlite_run(&s->db, "insert into main.gone select * from part.gone", e);
    bool is_ok = (uint64_t)sqlite3_changes64(s->db.db) == l->record.gone;
    return rc == RC_OK && !is_ok ? damaged(s, l, e) : rc;
}

static enum rc take_all(struct sqlite_stage *s, const struct sqlite_loaded *l, struct err *e)
{
    enum rc rc = sqlite_run(&s->db, "begin", e);
    for (size_t i = 0; rc == RC_OK && i < s->place->relations.n; i++)
        rc = take_table(s, l, i, e);
    if (rc == RC_OK)
        rc = take_gone(s, l, e);
    if (rc == RC_IO && sqlite_db_is_damaged(&s->db))
        rc = e->rc = RC_SYNTAX;
    return end(s, rc, e);
}

enum rc sqlite_take_in(struct sqlite_stage *s, struct sqlite_loaded *l, struct err *e)
{
    struct err ignored;
    const struct str value = str_c(l->path);
    enum rc rc = sqlite_run_with(&s->db, "attach ?1 as part", &value, 1, e);
    bool is_attached = rc == RC_OK;
    if (rc == RC_OK)
        rc = take_all(s, l, e);
    if (is_attached)
        (void)sqlite_run(&s->db, "detach part", &ignored);
    l->is_taken = rc == RC_OK;
    return rc;
}
