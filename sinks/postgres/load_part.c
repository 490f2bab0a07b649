/* A part on its way: one transaction. */
#include <inttypes.h>

#include "sinks/postgres/load_internal.h"

static void put_new_columns(struct buf *b, const struct pg_load *load, size_t table, size_t n)
{
    const struct pg_load_table *t = &load->tables[table];
    if (t->n_made >= n)
        return;
    buf_adds(b, "alter table ");
    pg_put_staged(b, load->place, table);
    for (size_t i = t->n_made; i < n; i++) {
        buf_adds(b, i > t->n_made ? ", add column if not exists " : " add column if not exists ");
        pg_load_put_column(b, load, table, i);
        buf_adds(b, " text");
    }
    buf_addc(b, ';');
}

static void put_table(struct buf *b, const struct pg_load *load, size_t table)
{
    if (pg_load_is(load, table, PG_LOAD_GONE))
        pg_put_gone(b, load->place);
    else if (pg_load_is(load, table, PG_LOAD_FINGERPRINTS))
        pg_put_fingerprints(b, load->place);
    else if (pg_load_is(load, table, PG_LOAD_SAME))
        pg_put_same(b, load->place);
    else
        pg_put_staged(b, load->place, table);
}

static void put_copy(struct buf *b, const struct pg_load *load, size_t table, size_t n)
{
    buf_adds(b, "copy ");
    put_table(b, load, table);
    buf_adds(b, " (" PG_STAGED_PART);
    if (pg_load_is(load, table, PG_LOAD_FINGERPRINTS) || pg_load_is(load, table, PG_LOAD_SAME))
        buf_adds(b, ", lead, rows");
    if (pg_load_has_rows(load, table) && !load->place->all_text)
        buf_adds(b, ", " PG_STAGED_MISFITS);
    for (size_t i = 0; i < n; i++) {
        buf_adds(b, ", ");
        if (pg_load_has_rows(load, table))
            pg_load_put_column(b, load, table, i);
        else
            buf_addf(b, PG_STAGED_COLUMN, i);
    }
    buf_adds(b, ") from stdin (format binary)");
}

static enum rc put_descriptions(struct buf *b, struct pg_load *load, size_t table, struct err *e)
{
    struct pg_load_table *t = &load->tables[table];
    struct buf source;
    enum rc rc = RC_OK;
    buf_init(&source, SIZE_MAX / 2);
    for (size_t i = t->n_described; rc == RC_OK && i < typed_table_columns(t->typed); i++) {
        const struct typed_column column = typed_table_column(t->typed, i);
        buf_clear(&source);
        rc = sql_source_extra(&source, pg_load_relation(load, table)->spec, &column.extra->origin,
                              e);
        buf_adds(b, "insert into ");
        pg_put_described(b, load->place);
        buf_addf(b, " values (%zu, %zu, ", table, i - pg_load_fixed(load, table));
        sql_literal(b, column.name);
        buf_adds(b, ", ");
        sql_literal(b, buf_str(&source));
        buf_adds(b, ");");
    }
    buf_free(&source);
    return rc;
}

/* The field of a row that has the lead's ID: behind the part, the misfits and the provider. */
static size_t lead_field(const struct pg_load *load)
{
    return load->place->all_text ? 2 : 3;
}

/* Which row the server's error is about; 0: not one of them. It writes many at once, so that of one that is
 * too large it names any that was read by then. */
static uint64_t row_of(const struct pg_load *load, struct str rows)
{
    return pg_is_limit(load->link) ? pg_widest_row(rows) : load->link->copy_line;
}

/* Whose row it was, of a COPY that failed. */
static void name_lead(const struct pg_load *load, struct str rows, size_t table, struct err *e)
{
    uint64_t row = rows.ptr ? row_of(load, rows) : 0;
    struct str lead =
        pg_load_has_rows(load, table) ? pg_text_at(rows, row, lead_field(load)) : STR_NONE;
    pg_add_advice(load->link, e);
    struct str name =
        pg_load_has_rows(load, table) ? pg_load_relation(load, table)->name : STR("of keys");
    if (row && lead.ptr)
        err_prefix(e, "lead %.*s, table " STR_FMT, (int)(lead.len < 200 ? lead.len : 200), lead.ptr,
                   STR_ARG(name));
    else
        err_prefix(e, "table " STR_FMT, STR_ARG(name));
}

enum rc pg_load_send_rows(struct pg_load *load, size_t table, size_t n_columns, struct str rows,
                          struct err *e)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    if (pg_load_has_rows(load, table))
        put_new_columns(&sql, load, table, n_columns);
    enum rc rc = pg_run_buf(load->link, &sql, e);
    if (rc == RC_IO)
        name_lead(load, STR_NONE, table, e);
    buf_clear(&sql);
    put_copy(&sql, load, table, n_columns);
    if (rc == RC_OK && buf_rc(&sql) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK) {
        rc = pg_copy(load->link, buf_cstr(&sql), rows, e);
        if (rc == RC_IO)
            name_lead(load, rows, table, e);
    }
    buf_free(&sql);
    return rc;
}

enum rc pg_load_begin_part(struct pg_load *load, struct err *e)
{
    return pg_run(load->link, "begin; set local synchronous_commit to off", e);
}

enum rc pg_load_end_part(struct pg_load *load, const struct pg_run *run, struct err *e)
{
    struct buf sql;
    enum rc rc = RC_OK;
    buf_init(&sql, SQL_BYTES_MAX);
    for (size_t i = 0; rc == RC_OK && i < load->profile->n_tables; i++) {
        put_new_columns(
            &sql, load, i,
            typed_table_columns(load->tables[i].typed)); /* of rows that were not sent, too */
        rc = put_descriptions(&sql, load, i, e);
    }
    buf_adds(&sql, "update ");
    pg_put_parts(&sql, load->place);
    buf_addf(&sql, " set " PG_STAGED_PART " = %" PRIu64 ";", run->part);
    pg_put_run_progress(&sql, load->place, run, load->resumable);
    buf_adds(&sql, "commit");
    if (rc == RC_OK)
        rc = pg_run_buf(load->link, &sql, e);
    buf_free(&sql);
    return rc;
}

enum rc pg_load_send_part(struct pg_load *load, const struct pg_run *run, struct err *e)
{
    enum rc rc = pg_load_begin_part(load, e);
    for (size_t i = 0; rc == RC_OK && i < load->n_tables; i++) {
        struct pg_load_table *t = &load->tables[i];
        if (t->n_rows)
            rc = pg_load_send_rows(load, i, t->n_columns, buf_str(&t->rows), e);
    }
    return rc == RC_OK ? pg_load_end_part(load, run, e) : rc;
}
