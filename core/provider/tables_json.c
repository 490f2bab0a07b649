#include "core/provider/tables_json.h"

#include "core/json/json.h"
#include "core/provider/table_column.h"

static void write_member(struct buf *b, const char *before, const char *name, struct str value)
{
    buf_adds(b, before);
    json_write_string(b, str_c(name));
    buf_adds(b, ": ");
    json_write_string(b, value);
}

static void write_column(struct buf *b, const struct table_column *column)
{
    static const char *const kinds[] = {
        [COLUMN_VALUE] = "value", [COLUMN_POSITION] = "position", [COLUMN_COUNT] = "count"};
    write_member(b, "        {", "name", column->name);
    write_member(b, ", ", "type", str_c(column_type_text(column->type)));
    if (column->spec)
        write_member(b, ", ", kinds[column->spec->kind], column->spec->path.text);
    buf_addc(b, '}');
}

/* Of a column that no profile documents. */
static struct table_column other_column(struct str name)
{
    static const struct table_column *const last[] = {&column_misfits, &column_exported_at,
                                                      &column_run_id};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        if (str_eq(name, last[i]->name))
            return *last[i];
    }
    return (struct table_column){.name = name, .type = TYPE_TEXT};
}

static void write_columns(struct buf *b, const struct profile *p, const struct table_spec *t,
                          const struct more_columns *more)
{
    buf_adds(b, "      \"columns\": [\n");
    for (size_t i = 0; i < table_columns(p, t); i++) {
        const struct table_column column = table_column(p, t, i);
        buf_adds(b, i ? ",\n" : "");
        write_column(b, &column);
    }
    for (size_t i = 0; more && i < more->n; i++) {
        const struct table_column column = other_column(more->names[i]);
        buf_adds(b, ",\n");
        write_column(b, &column);
    }
    buf_adds(b, "\n      ]");
}

/* None where the profile does not say in which element of an array a row stands. */
static void write_keys(struct buf *b, const struct profile *p, const struct table_spec *t)
{
    buf_adds(b, "      \"keys\": [");
    for (size_t i = 0; table_has_key(t) && i < table_columns(p, t); i++) {
        const struct table_column column = table_column(p, t, i);
        if (!column.is_key)
            continue;
        buf_adds(b, i ? ", " : "");
        json_write_string(b, column.name);
    }
    buf_adds(b, "],\n");
}

static void write_pivots(struct buf *b, const struct table_spec *t)
{
    if (!t->n_pivots)
        return;
    buf_adds(b, ",\n      \"pivots\": [\n");
    for (size_t i = 0; i < t->n_pivots; i++) {
        const struct pivot_spec *pivot = &t->pivots[i];
        write_member(b, i ? ",\n        {" : "        {", "prefix", pivot->prefix);
        write_member(b, ", ", "key", pivot->key.text);
        write_member(b, ", ", "value", pivot->value.text);
        buf_addc(b, '}');
    }
    buf_adds(b, "\n      ]");
}

static void write_table(struct buf *b, const struct profile *p, const struct table_spec *t,
                        const struct more_columns *more)
{
    write_member(b, "    {\n      ", "name", t->name);
    write_member(b, ",\n      ", "each", t->each.text);
    buf_adds(b, ",\n");
    write_keys(b, p, t);
    write_columns(b, p, t, more);
    write_pivots(b, t);
    buf_adds(b, "\n    }");
}

void tables_json(struct buf *b, const struct profile *p, const struct more_columns *more)
{
    write_member(b, "{\n  ", "provider", p->name);
    buf_adds(b, ",\n  \"tables\": [\n");
    for (size_t i = 0; i < p->n_tables; i++) {
        buf_adds(b, i ? ",\n" : "");
        write_table(b, p, &p->tables[i], more ? &more[i] : NULL);
    }
    buf_adds(b, "\n  ]\n}\n");
}
