/* A lead through parse, rows and columns, with all that must hold of them whatever comes. */
#ifndef LEADPIPE_TESTS_FUZZ_CHECK_ROWS_H
#define LEADPIPE_TESTS_FUZZ_CHECK_ROWS_H

#include "fuzz.h"

#include "core/flatten/flatten.h"
#include "core/flatten/schema.h"
#include "core/provider/table_column.h"

#define FUZZ_ARENA_MAX ((size_t)256 << 20)

static inline void check_cell(const struct cell *c)
{
    static const char digits[] = "0123456789+-.eE";
    MUST(c->kind <= CELL_JSON);
    if (c->kind == CELL_JSON) {
        struct buf b;
        buf_init(&b, FUZZ_ARENA_MAX);
        json_write(&b, c->u.json);
        MUST(buf_rc(&b) == RC_OK && utf8_valid(b.data, b.len));
        buf_free(&b);
    }
    if (c->kind == CELL_TEXT)
        MUST(utf8_valid(c->u.text, c->len));
    if (c->kind == CELL_NUMBER) {
        MUST(c->len > 0);
        for (uint32_t i = 0; i < c->len; i++)
            MUST(c->u.text[i] && strchr(digits, c->u.text[i]));
    }
}

static inline bool is_documented(const struct profile *p, const struct table_spec *t,
                                 struct str name)
{
    for (size_t i = 0; i < table_columns(p, t); i++) {
        if (str_eq(table_column(p, t, i).name, name))
            return true;
    }
    return false;
}

/* Those of the corpora, whatever else is built in. */
static const char *const fuzz_profiles[] = {"convocore", "omni"};
#define N_PROFILES (sizeof fuzz_profiles / sizeof *fuzz_profiles)

/* A lead with a value for each parameter. */
static inline struct lead *fuzz_lead(const struct profile *p, struct str id)
{
    struct str params[PROFILE_PARAMS_MAX];
    for (size_t i = 0; i < p->n_params; i++)
        params[i] = STR("7");
    struct lead *lead = lead_new(id, params, p->n_params, sizeof(struct lead));
    MUST(lead);
    return lead;
}

/* Every extra has a column of the table that is its source's, and no other in the row has it. */
static inline void check_row(const struct profile *p, const struct schema *s, size_t table,
                             const struct row *row)
{
    const struct table_spec *t = &p->tables[table];
    size_t n_columns = schema_columns(s, table);
    bool *seen = calloc(n_columns + 1, sizeof *seen);
    MUST(seen);
    for (size_t i = 0; i < t->n_columns; i++)
        check_cell(&row->cells[i]);
    for (uint32_t i = 0; i < row->n_extras; i++) {
        const struct extra *x = &row->extras[i];
        MUST(x->column && x->column->index < n_columns);
        MUST(x->column == schema_column(s, table, x->column->index));
        MUST(str_eq(x->column->origin.key, x->origin.key));
        MUST(x->column->name.len && utf8_valid(x->column->name.ptr, x->column->name.len));
        MUST(!is_documented(p, t, x->column->name));
        MUST(!seen[x->column->index]);
        seen[x->column->index] = true;
        MUST(x->cell.kind != CELL_ABSENT);
        check_cell(&x->cell);
    }
    free(seen);
}

static inline void check_rows(const struct profile *p, const struct schema *s,
                              const struct lead *lead)
{
    MUST(lead->tables && lead->tables[0].n_rows == 1);
    for (size_t t = 0; t < p->n_tables; t++) {
        for (uint32_t i = 0; i < lead->tables[t].n_rows; i++)
            check_row(p, s, t, &lead->tables[t].rows[i]);
    }
}

/* With little memory it is an error, and nothing else happens. */
static inline enum rc flatten_body(const struct flatten_plan *plan, struct schema *s,
                                   struct lead *lead, struct str body, size_t arena_max)
{
    struct err e = {.msg = ""};
    lead->arena.max_bytes = arena_max;
    lead->http_status = 200;
    buf_init(&lead->body, FUZZ_ARENA_MAX);
    buf_add_str(&lead->body, body);
    const char *code = NULL;
    enum rc rc = flatten_parse(plan, lead, JSON_TREE, &code, &e);
    if (rc == RC_CLOSED)
        MUST(code && e.msg[0]);
    if (!rc)
        rc = flatten_rows(plan, lead, true, &e);
    if (!rc)
        rc = schema_resolve(s, lead, &e);
    MUST(rc == RC_OK || rc == RC_SYNTAX || rc == RC_CLOSED || rc == RC_LIMIT);
    return rc;
}

static inline void check_body(const struct profile *p, const struct flatten_plan *plan,
                              struct schema *s, struct str body)
{
    struct lead *lead = fuzz_lead(p, STR("L-1"));
    if (flatten_body(plan, s, lead, body, FUZZ_ARENA_MAX) == RC_OK) {
        check_rows(p, s, lead);
        struct str other = lead->other_id;
        MUST(!other.ptr || !str_eq(other, lead->id));
    }
    const char *message, *code;
    flatten_error_body(plan, lead, body, &message, &code);
    MUST(!message ||
         (utf8_valid(message, strlen(message)) && strlen(message) <= FLATTEN_MESSAGE_BYTES_MAX));
    lead_free(lead);

    lead = fuzz_lead(p, STR("L-1"));
    (void)flatten_body(plan, s, lead, body, 64 * (body.len % 509));
    lead_free(lead);
}

#endif
