#include "sinks/sql/gone.h"

#include "core/sink.h"

/* " and t.deleted_at is null" */
static void put_unmarked(struct buf *b, const struct sql_gone *g)
{
    if (!g->deleted_at.ptr)
        return;
    buf_adds(b, " and t.");
    sql_quote(b, g->leads->dialect, g->deleted_at);
    buf_adds(b, " is null");
}

void sql_gone_count_held(struct buf *b, const struct sql_gone *g)
{
    const struct sql_merge *m = g->leads;
    buf_adds(b, "select count(*) from (select");
    for (size_t i = 0; i < m->n_lead_keys; i++) {
        buf_adds(b, i ? ", t." : g->has_history ? " distinct t." : " t.");
        sql_quote(b, m->dialect, m->columns[i].name);
    }
    buf_adds(b, " from ");
    buf_add_str(b, m->table);
    buf_adds(b, " as t where t.");
    sql_quote(b, m->dialect, m->columns[0].name);
    buf_adds(b, m->columns[0].exactly ? m->columns[0].exactly : "");
    buf_adds(b, " = ");
    sql_literal(b, g->provider);
    put_unmarked(b, g);
    buf_adds(b, ") as h");
}

void sql_gone_count(struct buf *b, const struct sql_gone *g)
{
    const struct sql_merge *m = g->leads;
    buf_adds(b, "select count(*) from (select distinct ");
    for (size_t i = 0; i < m->n_lead_keys; i++) {
        buf_adds(b, i ? ", " : "");
        buf_add_str(b, m->columns[i].staged);
    }
    buf_adds(b, " from ");
    buf_add_str(b, g->keys);
    buf_adds(b, ") as l where exists (select 1 from ");
    buf_add_str(b, m->table);
    buf_adds(b, " as t where ");
    sql_merge_same(b, m, "l", m->n_lead_keys);
    put_unmarked(b, g);
    buf_addc(b, ')');
}

static void put_mark(struct buf *b, const struct sql_gone *g, struct str at)
{
    const struct sql_merge *m = g->leads;
    buf_adds(b, "update ");
    buf_add_str(b, m->table);
    buf_adds(b, " as t set ");
    sql_quote(b, m->dialect, g->deleted_at);
    buf_adds(b, " = ");
    sql_literal(b, at);
    for (size_t i = 0; i < m->n_columns; i++) {
        if (m->columns[i].role != SQL_MERGE_RUN)
            continue;
        buf_adds(b, ", ");
        sql_quote(b, m->dialect, m->columns[i].name);
        buf_adds(b, " = ");
        buf_add_str(b, m->columns[i].value);
    }
    buf_adds(b, " from ");
    buf_add_str(b, g->keys);
    buf_adds(b, " as l where ");
    sql_merge_same(b, m, "l", m->n_lead_keys);
    put_unmarked(b, g);
    sql_merge_only(b, m);
}

static void put_delete(struct buf *b, const struct sql_merge *m, struct str keys)
{
    buf_adds(b, "delete from ");
    buf_add_str(b, m->table);
    buf_adds(b, " as t where exists (select 1 from ");
    buf_add_str(b, keys);
    buf_adds(b, " as l where ");
    sql_merge_same(b, m, "l", m->n_lead_keys);
    buf_addc(b, ')');
    sql_merge_only(b, m);
}

enum sql_merge_step sql_gone_step(struct buf *b, const struct sql_gone *g, enum sql_deletes deletes,
                                  bool of_leads, const char *started)
{
    if (deletes == SQL_DELETES_DELETE) {
        put_delete(b, g->leads, g->keys);
        return SQL_MERGE_DELETE;
    }
    if (deletes == SQL_DELETES_MARK && of_leads)
        put_mark(b, g, str_c(started));
    return SQL_MERGE_UPDATE;
}

void sql_gone_limit(struct sql_outcome *out, enum sql_deletes deletes,
                    const struct portion *max_gone)
{
    bool limited = max_gone && deletes != SQL_DELETES_IGNORE;
    out->gone_allowed = limited ? sink_gone_allowed(max_gone, out->held) : out->held;
}
