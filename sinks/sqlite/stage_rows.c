#include "sinks/sqlite/stage_internal.h"

#include <stdint.h>
#include <string.h>

static enum rc make_insert(struct sqlite_stage *s, size_t table, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    size_t n_first = sqlite_stage_relation(s, table)->n_columns;
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

/* Records the name and the source of an undocumented column. */
static enum rc add_to_extras(struct sqlite_stage *s, size_t table, size_t ord,
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

/* Appends where the values of an undocumented column come from. */
static enum rc put_source(struct buf *b, const struct sqlite_stage *s, size_t table,
                          const struct typed_column *column, struct err *e)
{
    return sql_source_extra(b, sqlite_stage_relation(s, table)->spec, &column->extra->origin, e);
}

/* A column that no row had before. */
static enum rc add_extra(struct sqlite_stage *s, size_t table, struct err *e)
{
    struct sqlite_staged *t = &s->tables[table];
    size_t ord = t->n_columns - sqlite_stage_relation(s, table)->n_columns;
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
        rc = add_to_extras(s, table, ord, &column, buf_str(&source), e);
    if (rc == RC_OK && ord >= t->n_made) {
        buf_addf(&s->text, "alter table main.s%zu add column e%zu", table, ord);
        rc = sqlite_run_buf(&s->db, &s->text, e);
        t->n_made = ord + 1;
    }
    if (rc == RC_OK)
        rc = sqlite_stage_set_fit(t, t->n_columns++, &fit, TYPE_TEXT, e);
    buf_free(&source);
    return rc;
}

static size_t skip(struct str text, size_t at, const char *bytes)
{
    while (at < text.len && strchr(bytes, text.ptr[at]) && text.ptr[at])
        at++;
    return at;
}

static size_t skip_sign(struct str text, size_t at)
{
    return at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-') ? at + 1 : at;
}

/* Would a numeric column turn the text into a number? It does so with a decimal literal that may have a sign, and
 * blanks around it (datatype3.html, section 3). */
static bool is_numeral(struct str text)
{
    static const char blanks[] = " \t\n\v\f\r", digits[] = "0123456789";
    size_t begin = skip_sign(text, skip(text, 0, blanks)), at = skip(text, begin, digits);
    size_t n_digits = at - begin;
    if (at < text.len && text.ptr[at] == '.') {
        size_t end = skip(text, at + 1, digits);
        n_digits += end - at - 1;
        at = end;
    }
    if (n_digits && at < text.len && (text.ptr[at] | 0x20) == 'e') {
        begin = skip_sign(text, at + 1);
        at = skip(text, begin, digits);
        if (at == begin)
            return false;
    }
    return n_digits && skip(text, at, blanks) == text.len;
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
        cell.value = typed_of(t->cfg.target, type, c->cell);
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
        s->place->spec, STR_ARG(lead->id), STR_ARG(sqlite_stage_relation(s, table)->name),
        s->length_max);
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
