#include "sinks/postgres/adopt.h"

#include <stdio.h>
#include <stdlib.h>

#include "sinks/postgres/locks.h"

#define LOOKS 20          /* for others */
#define LOOK_AGAIN "0.05" /* seconds */

/* ---- may they? ------------------------------------------------------------------------------ */

/* By itself: a query is refused that names a view which the role may not read, wherever it names it. */
static enum rc may_look(struct pg_link *l, bool *out, struct err *e)
{
    static const char sql[] =
        "select pg_catalog.bool_and(pg_catalog.has_table_privilege('pg_catalog.' || v, 'select')) from "
        "pg_catalog.unnest('{pg_stat_replication,pg_replication_slots,pg_publication,pg_locks,pg_stat_activity}'::text[]) v";
    PGresult *r = NULL;
    enum rc rc = pg_exec(l, sql, 0, NULL, &r, e);
    *out = rc == RC_OK && *PQgetvalue(r, 0, 0) == 't';
    PQclear(r);
    return rc;
}

/* "not exists (...)": of a relation with the name of one of the tables, or of something that reads the log: a replica, on
 * which nobody knows of old snapshots and which may be away for the moment, or logical decoding, which would see the rows
 * of a table with another name. With a publication, no row can be deleted from a logged table that has no key. */
static void put_unhindered(struct buf *b, const struct pg_place *p)
{
    buf_adds(
        b,
        "not exists (select 1 from pg_catalog.pg_stat_replication) and "
        "not exists (select 1 from pg_catalog.pg_replication_slots) and "
        "not exists (select 1 from pg_catalog.pg_publication) and "
        "pg_catalog.current_setting('wal_level') <> 'logical' and not exists (select 1 from pg_catalog.pg_class c join "
        "pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = ");
    sql_literal(b, p->schema);
    for (size_t i = 0; i < p->relations.n; i++) {
        buf_adds(b, i ? ", " : " and c.relname in (");
        sql_literal(b, p->relations.items[i].name);
    }
    buf_adds(b, "))");
}

enum rc pg_adopt_is_likely(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    buf_adds(&sql, "select ");
    put_unhindered(&sql, p);
    enum rc rc = may_look(l, out, e);
    if (rc == RC_OK && *out)
        rc = pg_ask_bool(l, &sql, out, e);
    buf_free(&sql);
    return rc;
}

/* Are all staging tables logged? A crash of the server, or an earlier version of this program, may have had another opinion. */
static void put_logged(struct buf *b, const struct pg_place *p)
{
    buf_adds(
        b,
        " and not exists (select 1 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace "
        "where c.relpersistence <> 'p' and n.nspname = ");
    sql_literal(b, p->schema);
    for (size_t i = 0; i < p->relations.n; i++)
        buf_addf(b, "%s'_leadpipe_%s_%zu'", i ? ", " : " and c.relname in (", p->token, i);
    buf_adds(b, "))");
}

static enum rc is_unhindered(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    buf_adds(&sql, "select ");
    put_unhindered(&sql, p);
    put_logged(&sql, p);
    enum rc rc = pg_ask_bool(l, &sql, out, e);
    buf_free(&sql);
    return rc;
}

/* Does nobody else have a transaction in this database? Then all that begin from now on have later snapshots than ours: an older
 * one could only be had from a transaction that has exported it and still goes on. Autovacuum has no user, and reads no rows for
 * anybody; other sinks of the run read their own tables. What is known of other sessions stays the same in a transaction, unless it
 * is cleared. */
static enum rc is_alone(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e)
{
    char number[24];
    static const char sql[] =
        "select not exists (select 1 from pg_catalog.pg_locks k left join pg_catalog.pg_stat_activity a on a.pid = k.pid where "
        "k.locktype = 'virtualxid' and k.granted and k.mode = 'ExclusiveLock' and k.pid <> pg_catalog.pg_backend_pid() and "
        "(a.pid is null or a.usesysid is not null and a.datid = (select oid from pg_catalog.pg_database where datname = "
        "pg_catalog.current_database())) and not exists (select 1 from pg_catalog.pg_locks s where s.pid = k.pid and "
        "s.locktype = 'advisory' and s.granted and s.objsubid = 1 and (s.classid::bigint << 32 | s.objid::bigint) = $1::bigint))";
    enum rc rc = pg_sinks_number(p, number, e);
    if (rc == RC_OK)
        rc = pg_run(l, "select pg_catalog.pg_stat_clear_snapshot()", e);
    return rc == RC_OK ? pg_ask_about(l, sql, number, out, e) : rc;
}

static enum rc wait_until_alone(const struct pg_place *p, struct pg_link *l, bool *out,
                                struct err *e)
{
    enum rc rc = is_alone(p, l, out, e);
    for (unsigned i = 1; rc == RC_OK && !*out && i < LOOKS; i++) {
        rc = pg_exec(l, "select pg_catalog.pg_sleep(" LOOK_AGAIN ")", 0, NULL, NULL, e);
        if (rc == RC_OK)
            rc = is_alone(p, l, out, e);
    }
    return rc;
}

enum rc pg_adopt_may(const struct pg_place *p, struct pg_link *l, bool *out, struct err *e)
{
    enum rc rc = may_look(l, out, e);
    if (rc == RC_OK && *out)
        rc = is_unhindered(p, l, out, e);
    if (rc == RC_OK && *out)
        rc = wait_until_alone(p, l, out, e);
    if (rc == RC_OK && *out) /* still? */
        rc = is_unhindered(p, l, out, e);
    return rc;
}

/* ---- becoming a table ------------------------------------------------------------------------- */

/* The column of the table that gets what is staged in the column of that name; NULL: none. */
static const struct sql_merge_column *column_of(const struct pg_plan *m, struct str staged)
{
    if (str_eq_c(staged, PG_STAGED_MISFITS))
        return m->misfits_column;
    for (size_t i = 0; i < m->merge.n_columns; i++) {
        if (str_eq(m->columns[i].staged, staged))
            return &m->columns[i];
    }
    return NULL;
}

/* Columns that were made for sources that no row had after all, and the number of the part. */
static void put_drops(struct buf *b, const struct pg_plan *m)
{
    const char *comma = " ";
    buf_adds(b, "alter table ");
    buf_add_str(b, m->merge.staged);
    for (size_t i = 0; i < m->staged.n_columns; i++) {
        if (column_of(m, m->staged.columns[i].name))
            continue;
        buf_addf(b, "%sdrop column ", comma);
        pg_put_column(b, m->place, m->staged.columns[i].name);
        comma = ", ";
    }
    buf_addc(b, ';');
}

static void put_rename(struct buf *b, const struct pg_plan *m, struct str from, struct str to)
{
    buf_adds(b, "alter table ");
    buf_add_str(b, m->merge.staged);
    buf_adds(b, " rename column ");
    pg_put_column(b, m->place, from);
    buf_adds(b, " to ");
    pg_put_column(b, m->place, to);
    buf_addc(b, ';');
}

/* By way of names that no column of the table has, if one of them is that of a staged column. */
static void put_renames(struct buf *b, const struct pg_plan *m)
{
    bool clash = false;
    for (size_t i = 0; i < m->merge.n_columns; i++)
        clash |= pg_table_column(&m->staged, m->columns[i].name) != NULL;
    for (int last = !clash; last < 2; last++) {
        for (size_t i = 0; i < m->staged.n_columns; i++) {
            struct str from = m->staged.columns[i].name;
            const struct sql_merge_column *column = column_of(m, from);
            char passing[64];
            (void)snprintf(passing, sizeof passing, "_leadpipe_%.16s_%zu", m->place->token, i);
            if (column && last)
                put_rename(b, m, clash ? str_c(passing) : from, column->name);
            else if (column)
                put_rename(b, m, from, str_c(passing));
        }
    }
}

/* Columns that have one value in all rows. */
static void put_constants(struct buf *b, const struct pg_plan *m)
{
    for (size_t i = 0; i < m->merge.n_columns; i++) {
        const struct sql_merge_column *c = &m->columns[i];
        if (c->staged.ptr || c == m->misfits_column)
            continue;
        buf_adds(b, "alter table ");
        buf_add_str(b, m->merge.staged);
        buf_adds(b, " add column ");
        pg_put_column(b, m->place, c->name);
        buf_addf(b, " %s default ", c->type);
        buf_add_str(b, c->value);
        buf_adds(b, "; alter table ");
        buf_add_str(b, m->merge.staged);
        buf_adds(b, " alter column ");
        pg_put_column(b, m->place, c->name);
        buf_adds(b, " drop default;");
    }
}

enum rc pg_adopt(struct pg_plan *m, struct pg_remember *remember, uint64_t *rows, struct err *e)
{
    struct buf sql;
    uint64_t n = 0;
    enum rc rc = pg_remember_adopted(remember, m, &n, e);
    *rows += n;
    buf_init(&sql, PG_SQL_BYTES_MAX);
    put_drops(&sql, m);
    put_renames(&sql, m);
    put_constants(&sql, m);
    buf_adds(&sql, "alter table ");
    buf_add_str(&sql, m->merge.staged);
    buf_adds(&sql, " reset (autovacuum_enabled); alter table ");
    buf_add_str(&sql, m->merge.staged);
    buf_adds(&sql, " rename to ");
    pg_put_column(&sql, m->place, m->relation->name);
    if (rc == RC_OK)
        rc = pg_run_buf(m->link, &sql, e);
    buf_free(&sql);
    return rc;
}
