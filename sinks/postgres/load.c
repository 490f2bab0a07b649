#include "sinks/postgres/load_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/units.h"
#include "sinks/postgres/adopt.h"
#include "sinks/postgres/remembered.h"

/* ---- making --------------------------------------------------------------------------------- */

static enum rc new_table(struct pg_load *load, size_t table, struct str mark, struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    t->cfg = (struct typed_table_cfg){.profile = load->profile,
                                      .table = table,
                                      .target = &pg_target,
                                      .as_text = load->place->all_text};
    enum rc rc = typed_table_new(&t->typed, &t->cfg, mark, e);
    if (rc == RC_OK)
        t->n_columns = t->n_described = typed_table_columns(t->typed);
    return rc;
}

/* A line for the sink, and one for each table. */
static enum rc read_mark(struct pg_load *load, struct str mark, struct err *e)
{
    struct str line;
    struct str token;
    bool good = text_take(&mark, '\n', &line) && text_take(&line, ' ', &token) &&
                str_eq_c(token, load->place->token) &&
                text_take_uint(&line, ' ', &load->run.part) &&
                text_take_uint(&line, ' ', &load->run.leads) &&
                text_take_uint(&line, ' ', &load->run.rows) && line.len == 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; good && rc == RC_OK && i < load->profile->n_tables; i++) {
        good = text_take(&mark, '\n', &line) && text_take_uint(&line, ' ', &load->tables[i].total);
        if (good)
            rc = new_table(load, i, line, e);
    }
    if (good && (rc != RC_OK || mark.len == 0))
        return rc;
    return err_set(e, RC_SYNTAX, "the mark in the state is damaged");
}

enum rc pg_load_new(struct pg_load *load, const struct pg_place *place, const struct profile *p,
                    struct pg_link *link, struct str mark, struct err *e)
{
    *load = (struct pg_load){.place = place, .profile = p, .link = link, .spool = {.fd = -1}};
    load->n_tables = p->n_tables + PG_LOAD_OWN;
    load->remembers = place->mode == SQL_MODE_UPSERT && !place->shard;
    buf_init(&load->same.keys, SIZE_MAX / 2);
    load->tables = calloc(load->n_tables, sizeof *load->tables);
    if (!load->tables)
        return err_nomem(e);
    for (size_t i = 0; i < load->n_tables; i++)
        buf_init(&load->tables[i].rows, SIZE_MAX / 2);
    pg_load_own(load, PG_LOAD_GONE)->n_columns = p->n_key_columns;
    pg_load_own(load, PG_LOAD_SAME)->n_columns = p->n_key_columns;
    if (mark.ptr)
        return read_mark(load, mark, e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->n_tables; i++)
        rc = new_table(load, i, STR_NONE, e);
    return rc;
}

void pg_load_free(struct pg_load *load)
{
    for (size_t i = 0; load->tables && i < load->n_tables; i++) {
        buf_free(&load->tables[i].rows);
        typed_table_free(load->tables[i].typed);
        free(load->tables[i].hashes);
    }
    free(load->tables);
    pg_same_free(&load->same);
    pg_spool_close(&load->spool);
    *load = (struct pg_load){.spool = {.fd = -1}};
}

void pg_load_mark(const struct pg_load *load, struct buf *out)
{
    buf_addf(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " \n", load->place->token, load->run.part,
             load->run.leads, load->run.rows);
    for (size_t i = 0; i < load->profile->n_tables; i++) {
        buf_addf(out, "%" PRIu64 " ", load->tables[i].total);
        typed_table_mark(load->tables[i].typed, out);
        buf_addc(out, '\n');
    }
}

/* ---- staging tables ------------------------------------------------------------------------- */

void pg_load_put_column(struct buf *b, const struct pg_load *load, size_t table, size_t i)
{
    size_t fixed = pg_load_fixed(load, table);
    if (i < fixed)
        buf_addf(b, PG_STAGED_COLUMN, i);
    else
        buf_addf(b, PG_STAGED_EXTRA, i - fixed);
}

static void put_create(struct buf *b, const struct pg_load *load, size_t table, bool logged)
{
    const struct pg_load_table *t = &load->tables[table];
    buf_adds(b, logged ? "create table " : "create unlogged table ");
    pg_put_staged(b, load->place, table);
    buf_adds(b, " (" PG_STAGED_PART " bigint not null");
    for (size_t i = 0; i < pg_load_fixed(load, table); i++)
        buf_addf(b, ", " PG_STAGED_COLUMN " %s", i,
                 pg_type(load->place, typed_table_column(t->typed, i).type));
    if (!load->place->all_text)
        buf_addf(b, ", " PG_STAGED_MISFITS " %s", pg_type(load->place, TYPE_JSON));
    buf_adds(b, ") with (autovacuum_enabled = false);");
}

static void put_key_columns(struct buf *b, const struct pg_load *load)
{
    for (size_t i = 0; i < load->place->relations.n_lead_keys; i++)
        buf_addf(b, "%s" PG_STAGED_COLUMN " %s", i ? ", " : "", i, pg_type(load->place, TYPE_TEXT));
}

static void put_remembering(struct buf *b, const struct pg_load *load)
{
    buf_adds(b, "create unlogged table ");
    pg_put_fingerprints(b, load->place);
    buf_adds(b, " (" PG_STAGED_PART
                " bigint not null, lead uuid not null, rows uuid); create unlogged table ");
    pg_put_same(b, load->place);
    buf_adds(b, " (" PG_STAGED_PART " bigint not null, lead uuid not null, rows uuid not null, ");
    put_key_columns(b, load);
    buf_adds(b, ");");
}

/* Is everything staged as a new table would have it? Not for a table that was there when the run began, with other types. */
static bool has_own_types(const struct pg_load *load)
{
    for (size_t i = 0; i < load->profile->n_tables; i++) {
        for (size_t k = 0; k < pg_load_fixed(load, i); k++) {
            if (typed_table_column(load->tables[i].typed, k).type !=
                pg_load_relation(load, i)->columns[k].type)
                return false;
        }
    }
    return true;
}

enum rc pg_load_create(struct pg_load *load, struct err *e)
{
    struct buf sql;
    bool logged = false;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "begin;");
    bool is_whole =
        !load->place->shard || load->place->shard->of == 1; /* others' rows are copied */
    enum rc rc = is_whole && has_own_types(load)
                     ? pg_adopt_is_likely(load->place, load->link, &logged, e)
                     : RC_OK;
    if (rc == RC_OK)
        rc = pg_put_drops(&sql, load->place, load->link, load->place->token, e);
    for (size_t i = 0; i < load->profile->n_tables; i++) {
        put_create(&sql, load, i, logged);
        load->tables[i].n_made = load->tables[i].n_described = pg_load_fixed(load, i);
    }
    buf_adds(&sql, "create unlogged table ");
    pg_put_gone(&sql, load->place);
    buf_adds(&sql, " (" PG_STAGED_PART " bigint not null, ");
    put_key_columns(&sql, load);
    buf_adds(&sql, ");");
    if (load->remembers)
        put_remembering(&sql, load);
    buf_adds(&sql, "create unlogged table ");
    pg_put_described(&sql, load->place);
    buf_adds(&sql, " (tab integer, ord integer, wanted text, source text, primary key (tab, ord)); "
                   "create unlogged table ");
    pg_put_parts(&sql, load->place);
    buf_adds(&sql, " (" PG_STAGED_PART " bigint not null); insert into ");
    pg_put_parts(&sql, load->place);
    buf_adds(&sql, " values (0); commit");
    if (rc == RC_OK)
        rc = pg_run_buf(load->link, &sql, e);
    buf_free(&sql);
    return rc;
}

/* ---- resuming ------------------------------------------------------------------------------- */

static enum rc find_made(struct pg_load *load, size_t table, struct err *e)
{
    struct buf name;
    PGresult *r = NULL;
    buf_init(&name, SQL_BYTES_MAX);
    pg_put_staged(&name, load->place, table);
    const char *value = buf_cstr(&name);
    enum rc rc = pg_exec(load->link,
                         "select count(*) from pg_catalog.pg_attribute where attrelid = "
                         "$1::regclass::oid and attnum > 0 and not attisdropped and "
                         "attname::text ~ '^e[0-9]+$'::text",
                         1, &value, &r, e);
    if (rc == RC_OK)
        load->tables[table].n_made =
            pg_load_fixed(load, table) + (size_t)strtoull(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    buf_free(&name);
    return rc;
}

static void put_cut(struct buf *b, const struct pg_load *load,
                    void (*put_name)(struct buf *, const struct pg_place *))
{
    buf_adds(b, "delete from ");
    put_name(b, load->place);
    buf_addf(b, " where " PG_STAGED_PART " > %" PRIu64 ";", load->run.part);
}

static void put_cuts(struct buf *b, const struct pg_load *load)
{
    for (size_t i = 0; i < load->profile->n_tables; i++) {
        buf_adds(b, "delete from ");
        pg_put_staged(b, load->place, i);
        buf_addf(b, " where " PG_STAGED_PART " > %" PRIu64 "; delete from ", load->run.part);
        pg_put_described(b, load->place);
        buf_addf(b, " where tab = %zu and ord >= %zu;", i,
                 load->tables[i].n_described - pg_load_fixed(load, i));
    }
    put_cut(b, load, pg_put_gone);
    if (load->remembers) {
        put_cut(b, load, pg_put_fingerprints);
        put_cut(b, load, pg_put_same);
    }
    buf_adds(b, "update ");
    pg_put_parts(b, load->place);
    buf_addf(b, " set " PG_STAGED_PART " = %" PRIu64 ";", load->run.part);
    pg_put_run_progress(b, load->place, &load->run, true);
}

enum rc pg_load_resume(struct pg_load *load, struct err *e)
{
    struct buf sql;
    bool exists = false;
    uint64_t part = 0;
    enum rc rc = pg_staged_part(load->place, load->link, &exists, &part, e);
    if (rc != RC_OK)
        return rc;
    if (!exists || part < load->run.part)
        return err_set(
            e, RC_USAGE,
            "%s: the rows that this run had loaded are no longer in the database (a crash of "
            "the server empties the staging tables, and they are removed after a week); "
            "nothing was published; start over with --fresh",
            load->link->cfg.spec);
    buf_init(&sql, SQL_BYTES_MAX);
    pg_put_fingerprints(&sql, load->place);
    struct pg_access staged; /* none of a run that an earlier version of this program began */
    rc = pg_access_of(load->link, &sql, &staged, e);
    load->remembers = load->remembers && staged.exists;
    buf_adds(&sql, "begin;");
    put_cuts(&sql, load);
    buf_adds(&sql, "commit");
    if (rc == RC_OK)
        rc = pg_run_buf(load->link, &sql, e);
    for (size_t i = 0; rc == RC_OK && i < load->profile->n_tables; i++)
        rc = find_made(load, i, e);
    buf_free(&sql);
    load->resumable = true;
    return rc;
}
