#include "sinks/postgres/records.h"

#include <string.h>

#include "sinks/postgres/runs.h"

#define SQL_BYTES_MAX ((size_t)16 << 20)
#define ROWS_MAX "1000"
#define BYTES_MAX "16777216" /* of all of them */

enum rc pg_records_make(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    struct buf sql;
    bool are_there = false;
    enum rc rc = pg_runs_have(p, l, "source, offsets, offsets_committed", &are_there, e);
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(&sql, "alter table ");
    pg_put_name(&sql, p, STR(SQL_TABLE_RUNS));
    buf_adds(&sql, " add column if not exists source text, add column if not exists offsets text, "
                   "add column if not exists offsets_committed boolean");
    if (rc == RC_OK && !are_there)
        rc = pg_run_buf(l, &sql, e);
    buf_free(&sql);
    return rc;
}

/* Columns: token, offsets, offsets_committed; the latest first. */
static enum rc ask(const struct pg_place *p, struct pg_link *l, PGresult **out, struct err *e)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_adds(
        &sql,
        "select token, offsets, coalesce(offsets_committed, false) from (select *, "
        "pg_catalog.sum(pg_catalog.octet_length(offsets)) over (order by ended_at desc, token rows "
        "unbounded preceding) as bytes from ");
    pg_put_name(&sql, p, STR(SQL_TABLE_RUNS));
    buf_adds(
        &sql,
        " where status = 'done' and source = $1 and offsets is not null) r where bytes <= " BYTES_MAX
        " order by ended_at desc, token limit " ROWS_MAX);
    enum rc rc =
        buf_rc(&sql) == RC_OK ? pg_exec(l, buf_cstr(&sql), 1, &p->queue, out, e) : err_nomem(e);
    buf_free(&sql);
    return rc;
}

static enum rc blame(const struct pg_link *l, const char *token, struct err *e)
{
    if (e->rc == RC_USAGE)
        err_prefix(
            e, "%s: row %s of " SQL_TABLE_RUNS " (set its offsets to null if they do not matter)",
            l->cfg.spec, token);
    return e->rc;
}

enum rc pg_records_recall(struct pg_place *p, struct pg_link *l, struct arena *memory,
                          sink_recall_fn *recall, void *ctx, struct err *e)
{
    PGresult *r = NULL;
    enum rc rc = ask(p, l, &r, e);
    int n = rc == RC_OK ? PQntuples(r) : 0;
    p->known = arena_array(memory, (size_t)n + 1, sizeof *p->known);
    p->n_known = 0;
    if (!p->known) {
        PQclear(r);
        return err_nomem(e);
    }
    for (int i = 0; rc == RC_OK && i < n; i++) {
        const char *token = PQgetvalue(r, i, 0);
        p->known[p->n_known] = arena_strdup(memory, str_c(token));
        if (!p->known[p->n_known++])
            rc = err_nomem(e);
        else if (recall(ctx, str_c(PQgetvalue(r, i, 1)), *PQgetvalue(r, i, 2) == 't', e) != RC_OK)
            rc = blame(l, token, e);
    }
    PQclear(r);
    return rc;
}

static bool is_known(const struct pg_place *p, const char *token)
{
    for (size_t i = 0; i < p->n_known; i++) {
        if (strcmp(p->known[i], token) == 0)
            return true;
    }
    return false;
}

enum rc pg_records_compare(const struct pg_place *p, struct pg_link *l, struct err *e)
{
    PGresult *r = NULL;
    if (!p->record.len)
        return RC_OK;
    enum rc rc = ask(p, l, &r, e);
    for (int i = 0; rc == RC_OK && i < PQntuples(r); i++) {
        const char *token = PQgetvalue(r, i, 0);
        if (is_known(p, token) || strcmp(token, p->token) == 0)
            continue;
        rc = p->host->compare(p->host->ctx, str_c(PQgetvalue(r, i, 1)), e);
        if (rc != RC_OK && rc != RC_NOMEM) /* a merge that is RC_BUSY would be tried again */
            rc = e->rc = RC_IO;
    }
    PQclear(r);
    return rc;
}

static void put_update(struct buf *b, const struct pg_place *p)
{
    buf_adds(b, "update ");
    pg_put_name(b, p, STR(SQL_TABLE_RUNS));
    buf_adds(b, " set ");
}

void pg_put_record(struct buf *b, const struct pg_place *p)
{
    if (!p->record.len)
        return;
    put_update(b, p);
    buf_adds(b, "source = ");
    sql_literal(b, str_c(p->queue));
    buf_adds(b, ", offsets = ");
    sql_literal(b, p->record);
    buf_addf(b, ", offsets_committed = false where token = '%s';", p->token);
}

void pg_put_record_confirmed(struct buf *b, const struct pg_place *p)
{
    if (!p->record.len)
        return;
    put_update(b, p);
    buf_addf(b, "offsets_committed = true where token = '%s';", p->token);
}
