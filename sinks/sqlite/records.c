#include "sinks/sqlite/records.h"

/* A database that an earlier version has made has no such columns. */
static enum rc has_columns(const struct sqlite_db *d, bool *out, struct err *e)
{
    return sqlite_has_row(
        d, "select 1 from pragma_table_info(?1, 'out') where name = 'offsets_committed'",
        STR(SQL_TABLE_RUNS), out, e);
}

struct recalling {
    sink_recall_fn *recall;
    void *ctx;
    const char *spec;
};

static enum rc recall_row(void *recalling, sqlite3_stmt *stmt, struct err *e)
{
    const struct recalling *r = recalling;
    enum rc rc = r->recall(r->ctx, sqlite_text(stmt, 1), sqlite3_column_int(stmt, 2) == 1, e);
    if (rc == RC_USAGE)
        err_prefix(e,
                   "%s: row " STR_FMT " of " SQL_TABLE_RUNS
                   " (set its offsets to null if they do not matter)",
                   r->spec, STR_ARG(sqlite_text(stmt, 0)));
    return rc;
}

enum rc sqlite_records_recall(const struct sqlite_place *p, const struct sqlite_db *d,
                              sink_recall_fn *recall, void *ctx, struct err *e)
{
    struct recalling r = {recall, ctx, p->spec};
    bool has = false;
    enum rc rc = has_columns(d, &has, e);
    if (rc != RC_OK || !has)
        return rc;
    return sqlite_each(
        d,
        "select token, cast(offsets as text), offsets_committed from out." SQL_TABLE_RUNS
        " where status = 'done' and source = ?1 and offsets is not null "
        "order by rowid desc limit 1000",
        str_c(p->queue), recall_row, &r, e);
}

enum rc sqlite_record_write(const struct sqlite_place *p, const struct sqlite_db *d, struct err *e)
{
    const struct str values[] = {str_c(p->token), p->queue ? str_c(p->queue) : STR_NONE, p->record};
    bool has = false;
    if (!p->record.len)
        return RC_OK;
    enum rc rc = has_columns(d, &has, e);
    if (rc == RC_OK && !has)
        rc = sqlite_run(d,
                        "alter table out." SQL_TABLE_RUNS " add column source text;"
                        "alter table out." SQL_TABLE_RUNS " add column offsets text;"
                        "alter table out." SQL_TABLE_RUNS " add column offsets_committed integer",
                        e);
    if (rc != RC_OK)
        return rc;
    return sqlite_run_with(d,
                           "update out." SQL_TABLE_RUNS
                           " set source = ?2, offsets = ?3, offsets_committed = 0 where token = ?1",
                           values, sizeof values / sizeof *values, e);
}

enum rc sqlite_record_confirm(const struct sqlite_place *p, const struct sqlite_db *d,
                              struct err *e)
{
    const struct str token = str_c(p->token);
    return sqlite_run_with(
        d, "update out." SQL_TABLE_RUNS " set offsets_committed = 1 where token = ?1", &token, 1,
        e);
}
