#include "sinks/sql/merge.h"

static void put_name(struct buf *b, const struct sql_merge *m, const struct sql_merge_column *c)
{
    sql_quote(b, m->dialect, c->name);
}

static void put_exactly(struct buf *b, const struct sql_merge_column *c)
{
    if (c->exactly)
        buf_adds(b, c->exactly);
}

void sql_merge_same(struct buf *b, const struct sql_merge *m, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_adds(b, i ? " and t." : "t.");
        put_name(b, m, &m->columns[i]);
        put_exactly(b, &m->columns[i]);
        buf_addf(b, "%s%s.", m->equals ? m->equals : " = ", s);
        buf_add_str(b, m->columns[i].staged);
    }
}

/* One side of the comparison of all that a payload gives. */
static void put_row(struct buf *b, const struct sql_merge *m, bool staged)
{
    const char *comma = "(";
    for (size_t i = m->n_keys; i < m->n_columns; i++) {
        const struct sql_merge_column *c = &m->columns[i];
        if (c->role != SQL_MERGE_DATA)
            continue;
        buf_adds(b, comma);
        buf_adds(b, c->as_text ? "cast(" : "");
        if (staged) {
            buf_add_str(b, c->value);
        } else {
            buf_adds(b, "t.");
            put_name(b, m, c);
        }
        buf_adds(b, c->as_text ? " as text)" : "");
        if (!staged)
            put_exactly(b, c);
        comma = ", ";
    }
    buf_addc(b, ')');
}

void sql_merge_only(struct buf *b, const struct sql_merge *m)
{
    if (!m->only.ptr)
        return;
    buf_adds(b, " and ");
    buf_add_str(b, m->only);
}

bool sql_merge_writes(const struct sql_merge *m, struct str column)
{
    for (size_t i = 0; i < m->n_columns; i++) {
        if (str_eq(m->columns[i].name, column))
            return true;
    }
    return false;
}

static bool has_data(const struct sql_merge *m)
{
    for (size_t i = m->n_keys; i < m->n_columns; i++) {
        if (m->columns[i].role == SQL_MERGE_DATA)
            return true;
    }
    return false;
}

/* Staged rows to write. */
static struct str written(const struct sql_merge *m)
{
    return m->changed.ptr ? m->changed : m->staged;
}

static void put_update(struct buf *b, const struct sql_merge *m)
{
    const char *comma = " as t set ";
    if (!has_data(m))
        return;
    buf_adds(b, "update ");
    buf_add_str(b, m->table);
    for (size_t i = m->n_keys; i < m->n_columns; i++) {
        buf_adds(b, comma);
        put_name(b, m, &m->columns[i]);
        buf_adds(b, " = ");
        buf_add_str(b, m->columns[i].value);
        comma = ", ";
    }
    buf_adds(b, " from ");
    buf_add_str(b, written(m));
    buf_adds(b, " as s where ");
    sql_merge_same(b, m, "s", m->n_keys);
    buf_adds(b, " and ");
    put_row(b, m, false);
    buf_adds(b, m->differs);
    put_row(b, m, true);
    sql_merge_only(b, m);
}

/* "not exists (select 1 from ROWS as NAME where ...": the parenthesis is open still. */
static void put_unless(struct buf *b, const struct sql_merge *m, struct str rows, const char *name)
{
    buf_adds(b, "not exists (select 1 from ");
    buf_add_str(b, rows);
    buf_addf(b, " as %s where ", name);
    sql_merge_same(b, m, "s", m->n_keys);
}

/* `all`: none of them can be there. */
static void put_insert(struct buf *b, const struct sql_merge *m, bool all)
{
    buf_adds(b, "insert into ");
    buf_add_str(b, m->table);
    for (size_t i = 0; i < m->n_columns; i++) {
        buf_adds(b, i ? ", " : " (");
        put_name(b, m, &m->columns[i]);
    }
    for (size_t i = 0; i < m->n_columns; i++) {
        buf_adds(b, i ? ", " : ") select ");
        buf_add_str(b, m->columns[i].value);
    }
    buf_adds(b, " from ");
    buf_add_str(b, all ? m->staged : written(m));
    buf_adds(b, " as s");
    if (all)
        return;
    buf_adds(b, " where ");
    put_unless(b, m, m->table, "t");
    buf_addc(b, ')');
}

/* " as t where ...": rows of leads that are staged, without those that are staged themselves; `others`: of
 * any leads. */
static void put_surplus(struct buf *b, const struct sql_merge *m, bool others)
{
    const char *where = " as t where ";
    if (!others) {
        buf_adds(b, " as t where exists (select 1 from ");
        buf_add_str(b, m->leads);
        buf_adds(b, " as l where ");
        sql_merge_same(b, m, "l", m->n_lead_keys);
        buf_addc(b, ')');
        where = " and ";
    }
    if (!m->has_key)
        return;
    buf_adds(b, where);
    put_unless(b, m, m->staged, "s");
    buf_addc(b, ')');
}

/* A row of the leads' own table is that of a staged lead and is staged, or neither. */
static bool has_surplus(const struct sql_merge *m, bool others)
{
    bool of_leads = m->has_key && m->n_keys == m->n_lead_keys && str_eq(m->staged, m->leads);
    return others || !of_leads;
}

static void put_delete(struct buf *b, const struct sql_merge *m, bool others)
{
    if (!has_surplus(m, others))
        return;
    buf_adds(b, "delete from ");
    buf_add_str(b, m->table);
    if (!m->surplus.ptr) {
        put_surplus(b, m, others);
        return;
    }
    buf_adds(b, " as t where exists (select 1 from ");
    buf_add_str(b, m->surplus);
    buf_adds(b, " as s where ");
    sql_merge_same(b, m, "s", m->n_keys);
    buf_addc(b, ')');
    sql_merge_only(b, m);
}

void sql_merge_select_surplus(struct buf *b, const struct sql_merge *m, enum sql_mode mode)
{
    bool others = mode == SQL_MODE_REPLACE;
    if (!has_surplus(m, others))
        return;
    for (size_t i = 0; i < m->n_keys; i++) {
        buf_adds(b, i ? ", t." : "select t.");
        put_name(b, m, &m->columns[i]);
        buf_adds(b, " as ");
        buf_add_str(b, m->columns[i].staged);
    }
    buf_adds(b, " from ");
    buf_add_str(b, m->table);
    put_surplus(b, m, others);
}

/* " and (the rows are the same)". A server that plans joins by estimates takes "not ... is distinct from" apart. For a column that no
 * staged row has, it then filters the table by "that column is null" before the join, and expects hardly any row to be left, though
 * most are. It does not take a "case" apart. */
static void put_same_row(struct buf *b, const struct sql_merge *m)
{
    buf_adds(b, " and case when ");
    put_row(b, m, false);
    buf_adds(b, m->differs);
    put_row(b, m, true);
    buf_adds(b, " then false else true end");
}

/* The rows of the table that may be the same as a staged one. */
static void put_candidates(struct buf *b, const struct sql_merge *m)
{
    bool of_leads = str_eq(m->staged, m->leads);
    if (!m->few || of_leads) {
        buf_add_str(b, m->table);
        return;
    }
    buf_adds(b, "(select t.* from ");
    buf_add_str(b, m->table);
    buf_adds(b, " as t where exists (select 1 from ");
    buf_add_str(b, m->leads);
    buf_adds(b, " as l where ");
    sql_merge_same(b, m, "l", m->n_lead_keys);
    buf_adds(b, "))");
}

void sql_merge_select_changed(struct buf *b, const struct sql_merge *m)
{
    buf_adds(b, "select s.* from ");
    buf_add_str(b, m->staged);
    buf_adds(b, " as s where not exists (select 1 from ");
    put_candidates(b, m);
    buf_adds(b, " as t where ");
    sql_merge_same(b, m, "s", m->n_keys);
    if (has_data(m))
        put_same_row(b, m);
    buf_addc(b, ')');
}

void sql_merge_step(struct buf *b, const struct sql_merge *m, enum sql_mode mode, bool is_empty,
                    enum sql_merge_step step)
{
    bool compares = !is_empty && mode != SQL_MODE_APPEND;
    switch (step) {
    case SQL_MERGE_DELETE:
        if (compares)
            put_delete(b, m, mode == SQL_MODE_REPLACE);
        break;
    case SQL_MERGE_UPDATE:
        if (compares && m->has_key)
            put_update(b, m);
        break;
    case SQL_MERGE_INSERT:
        put_insert(b, m, !compares || !m->has_key);
        break;
    }
}

void sql_merge_count_any(struct buf *b, const struct sql_merge *m)
{
    buf_adds(b, "select count(*) from (select 1 from ");
    buf_add_str(b, m->table);
    buf_adds(b, " limit 1) as t");
}
