/* "create table" from a profile's table. */
#include "sinks/sql/dialect.h"

#define NAMES_MEMORY_MAX ((size_t)16 << 20)
#define NAME_BYTES_MAX 1024

/* What rows of a database end with. */
static const struct table_column *const last_columns[] = {&column_misfits, &column_exported_at,
                                                          &column_run_id};

#define LAST_COLUMNS (sizeof last_columns / sizeof *last_columns)

struct sql_column {
    struct str name; /* as the database has it */
    enum column_type type;
    bool is_key;
};

struct columns {
    const struct sql_dialect *dialect;
    struct arena memory;
    struct sql_column *items;
    size_t n;
    bool has_key;
};

/* ---- columns -------------------------------------------------------------------------------- */

static bool is_allowed(const struct columns *c, struct str name)
{
    for (size_t i = 0; c->dialect->system_columns[i]; i++) {
        if (str_eq_c(name, c->dialect->system_columns[i]))
            return false;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (str_eq(name, c->items[i].name))
            return false;
    }
    return true;
}

/* The first of name, name_2, name_3 that is allowed. */
static enum rc find_name(const struct columns *c, struct str wanted, struct buf *out, struct err *e)
{
    struct buf numbered;
    buf_init(&numbered, NAME_BYTES_MAX);
    enum rc rc;
    for (unsigned n = 1;; n++) {
        buf_clear(out);
        buf_clear(&numbered);
        buf_add_str(&numbered, wanted);
        if (n > 1)
            buf_addf(&numbered, "_%u", n);
        rc = buf_rc(&numbered) == RC_OK ? sql_name(out, c->dialect, buf_str(&numbered), e)
                                        : err_nomem(e);
        if (rc != RC_OK || is_allowed(c, buf_str(out)))
            break;
    }
    buf_free(&numbered);
    return rc;
}

static enum rc add_column(struct columns *c, struct str wanted, enum column_type type, bool is_key,
                          struct err *e)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    enum rc rc = find_name(c, wanted, &name, e);
    const char *copy = rc == RC_OK ? arena_strdup(&c->memory, buf_str(&name)) : NULL;
    if (copy)
        c->items[c->n++] =
            (struct sql_column){.name = {copy, name.len}, .type = type, .is_key = is_key};
    else if (rc == RC_OK)
        rc = err_nomem(e);
    buf_free(&name);
    return rc;
}

static enum rc add_columns(struct columns *c, const struct profile *p, const struct table_spec *t,
                           struct err *e)
{
    enum rc rc = RC_OK;
    c->has_key = table_has_key(t);
    for (size_t i = 0; rc == RC_OK && i < table_columns(p, t); i++) {
        const struct table_column column = table_column(p, t, i);
        rc = add_column(c, column.name, column.type, column.is_key, e);
    }
    for (size_t i = 0; rc == RC_OK && i < LAST_COLUMNS; i++)
        rc = add_column(c, last_columns[i]->name, last_columns[i]->type, false, e);
    return rc;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void write_column(struct buf *b, const struct sql_dialect *d,
                         const struct sql_column *column)
{
    bool is_key_text = column->is_key && column->type == TYPE_TEXT;
    const char *type = is_key_text ? d->key_text : d->types[column->type];
    buf_adds(b, "    ");
    sql_quote(b, d, column->name);
    if (column->is_key)
        buf_addf(b, " %s%s", type, d->not_null);
    else
        buf_addf(b, " %s%s%s", d->nullable[0], type, d->nullable[1]);
}

static void write_key(struct buf *b, const struct columns *c)
{
    const char *comma = "(";
    for (size_t i = 0; i < c->n; i++) {
        if (!c->items[i].is_key)
            continue;
        buf_adds(b, comma);
        sql_quote(b, c->dialect, c->items[i].name);
        comma = ", ";
    }
    buf_addc(b, ')');
}

static void write_end(struct buf *b, const struct columns *c)
{
    bool is_order = c->dialect->key == SQL_KEY_ORDER;
    if (c->has_key && !is_order) {
        buf_adds(b, ",\n    primary key ");
        write_key(b, c);
        buf_adds(b, c->dialect->key == SQL_KEY_NOT_ENFORCED ? " not enforced" : "");
    }
    buf_adds(b, "\n)");
    if (is_order && c->has_key) {
        buf_adds(b, " engine = ReplacingMergeTree order by ");
        write_key(b, c);
    } else if (is_order) {
        buf_adds(b, " engine = MergeTree order by tuple()");
    }
    buf_adds(b, ";\n");
}

static enum rc write_table(struct buf *b, const struct columns *c, struct str wanted, struct err *e)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    enum rc rc = sql_name(&name, c->dialect, wanted, e);
    buf_adds(b, "create table ");
    sql_quote(b, c->dialect, buf_str(&name));
    buf_free(&name);
    for (size_t i = 0; i < c->n; i++) {
        buf_adds(b, i ? ",\n" : " (\n");
        write_column(b, c->dialect, &c->items[i]);
    }
    write_end(b, c);
    if (rc == RC_OK && buf_rc(b) != RC_OK)
        rc = err_set(e, buf_rc(b), "%s", rc_text(buf_rc(b)));
    return rc;
}

enum rc sql_create_table(struct buf *b, const struct sql_dialect *d, const struct profile *p,
                         const struct table_spec *t, struct err *e)
{
    struct columns c = {.dialect = d};
    arena_init(&c.memory, NAMES_MEMORY_MAX);
    c.items = arena_array(&c.memory, table_columns(p, t) + LAST_COLUMNS, sizeof *c.items);
    if (!c.items) {
        arena_free(&c.memory);
        return err_nomem(e);
    }
    enum rc rc = add_columns(&c, p, t, e);
    if (rc == RC_OK)
        rc = write_table(b, &c, t->name, e);
    arena_free(&c.memory);
    return rc;
}
