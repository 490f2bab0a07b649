#include "cmd/tables_json.h"

#include "core/json/json.h"

static void write_member(struct buf *b, const char *before, const char *name, struct str value)
{
    buf_adds(b, before);
    json_write_string(b, str_c(name));
    buf_adds(b, ": ");
    json_write_string(b, value);
}

static void write_column(struct buf *b, struct str name, enum column_type type,
                         const struct column_spec *documented)
{
    static const char *const kinds[] = {
        [COLUMN_VALUE] = "value", [COLUMN_POSITION] = "position", [COLUMN_COUNT] = "count"};
    write_member(b, "        {", "name", name);
    write_member(b, ", ", "type", str_c(column_type_text(type)));
    if (documented)
        write_member(b, ", ", kinds[documented->kind], documented->path.text);
    buf_addc(b, '}');
}

static void write_columns(struct buf *b, const struct table_spec *t)
{
    buf_adds(b, "      \"columns\": [\n");
    write_column(b, STR("provider"), TYPE_TEXT, NULL);
    buf_adds(b, ",\n");
    write_column(b, STR("lead_id"), TYPE_TEXT, NULL);
    for (size_t i = 0; i < t->n_columns; i++) {
        buf_adds(b, ",\n");
        write_column(b, t->columns[i].name, t->columns[i].type, &t->columns[i]);
    }
    buf_adds(b, "\n      ]");
}

/* None where the profile does not say in which element of an array a row stands. */
static void write_keys(struct buf *b, const struct table_spec *t)
{
    bool is_complete = true;
    for (size_t star = 0; star < t->each.n_stars; star++)
        is_complete = is_complete && table_position(t, star) >= 0;
    buf_adds(b, "      \"keys\": [");
    if (is_complete) {
        buf_adds(b, "\"provider\", \"lead_id\"");
        for (size_t star = 0; star < t->each.n_stars; star++) {
            buf_adds(b, ", ");
            json_write_string(b, t->columns[table_position(t, star)].name);
        }
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

static void write_table(struct buf *b, const struct table_spec *t)
{
    write_member(b, "    {\n      ", "name", t->name);
    write_member(b, ",\n      ", "each", t->each.text);
    buf_adds(b, ",\n");
    write_keys(b, t);
    write_columns(b, t);
    write_pivots(b, t);
    buf_adds(b, "\n    }");
}

void tables_json(struct buf *b, const struct profile *p)
{
    write_member(b, "{\n  ", "provider", p->name);
    buf_adds(b, ",\n  \"tables\": [\n");
    for (size_t i = 0; i < p->n_tables; i++) {
        buf_adds(b, i ? ",\n" : "");
        write_table(b, &p->tables[i]);
    }
    buf_adds(b, "\n  ]\n}\n");
}
