/* Payloads to tables as text, for the tests of flatten and schema.
 *
 *   leads
 *     status="COMPLETED" id="L-1" ... | tags=["a"]
 *   documents
 *     position=0 id="d-1" | colour="red"
 *
 * One line a row: the documented columns that the payload has, "|", then the others. */
#ifndef LEADPIPE_TESTS_TABLES_TEXT_H
#define LEADPIPE_TESTS_TABLES_TEXT_H

#include "core/flatten/flatten.h"
#include "core/flatten/schema.h"

#include "cmocka_all.h"

struct tables_fixture {
    struct profile *profile;
    struct flatten_plan *plan;
    struct schema *schema;
    struct buf text;
};

static inline void fixture_init(struct tables_fixture *f, struct profile *p, enum signed_urls urls)
{
    f->profile = p;
    assert_int_equal(flatten_plan_new(&f->plan, p, urls, NULL), RC_OK);
    assert_int_equal(schema_new(&f->schema, p, SCHEMA_COLUMNS_MAX), RC_OK);
    buf_init(&f->text, (size_t)256 << 20);
}

static inline void fixture_load(struct tables_fixture *f, const char *profile,
                                enum signed_urls urls)
{
    struct profile *p = NULL;
    struct err e;
    if (profile_load(&p, profile, &e))
        fail_msg("%s", e.msg);
    fixture_init(f, p, urls);
}

static inline void fixture_parse(struct tables_fixture *f, const char *json, enum signed_urls urls)
{
    struct profile *p = NULL;
    struct err e;
    if (profile_parse(&p, str_c(json), "test.json", &e))
        fail_msg("%s", e.msg);
    fixture_init(f, p, urls);
}

static inline void fixture_free(struct tables_fixture *f)
{
    buf_free(&f->text);
    schema_free(f->schema);
    flatten_plan_free(f->plan);
    profile_free(f->profile);
}

/* The lead is the caller's to free, also when it fails. */
static inline struct lead *lead_with_body(struct str body)
{
    struct str params[PROFILE_PARAMS_MAX];
    for (size_t i = 0; i < PROFILE_PARAMS_MAX; i++)
        params[i] = STR("A-1");
    struct lead *lead = lead_new(STR("L-1"), params, PROFILE_PARAMS_MAX, sizeof(struct lead));
    assert_non_null(lead);
    buf_init(&lead->body, (size_t)64 << 20);
    buf_add_str(&lead->body, body);
    lead->http_status = 200;
    return lead;
}

static inline enum rc lead_flatten_code(const struct tables_fixture *f, struct lead *lead,
                                        unsigned hashes, const char **code, struct err *e)
{
    enum rc rc = flatten_parse(f->plan, lead, JSON_TREE, code, e);
    if (!rc)
        rc = flatten_rows(f->plan, lead, hashes, e);
    if (!rc)
        rc = schema_resolve(f->schema, lead, e);
    return rc;
}

static inline enum rc lead_flatten(const struct tables_fixture *f, struct lead *lead,
                                   unsigned hashes, struct err *e)
{
    const char *code;
    return lead_flatten_code(f, lead, hashes, &code, e);
}

static inline void print_cell(struct buf *b, struct str name, const struct cell *c)
{
    if (c->kind == CELL_ABSENT)
        return;
    buf_addf(b, " %.*s=", STR_ARG(name));
    struct str text = {c->u.text, c->len};
    switch ((enum cell_kind)c->kind) {
    case CELL_ABSENT:
        break;
    case CELL_NULL:
        buf_adds(b, "null");
        break;
    case CELL_FALSE:
        buf_adds(b, "false");
        break;
    case CELL_TRUE:
        buf_adds(b, "true");
        break;
    case CELL_NUMBER:
        buf_add_str(b, text);
        break;
    case CELL_TEXT:
        json_write_string(b, text);
        break;
    case CELL_JSON:
        json_write(b, c->u.json);
        break;
    }
}

static inline void print_row(struct buf *b, const struct table_spec *t, const struct row *row)
{
    buf_adds(b, "  ");
    for (size_t i = 0; i < t->n_columns; i++)
        print_cell(b, t->columns[i].name, &row->cells[i]);
    if (row->n_extras)
        buf_adds(b, " |");
    for (uint32_t i = 0; i < row->n_extras; i++)
        print_cell(b, row->extras[i].column->name, &row->extras[i].cell);
    buf_addc(b, '\n');
}

/* Tables without rows are left out. */
static inline void print_tables(struct buf *b, const struct profile *p, const struct lead *lead)
{
    for (size_t t = 0; t < p->n_tables; t++) {
        const struct rows *rows = &lead->tables[t];
        if (rows->n_rows)
            buf_addf(b, "%.*s\n", STR_ARG(p->tables[t].name));
        for (uint32_t i = 0; i < rows->n_rows; i++)
            print_row(b, &p->tables[t], &rows->rows[i]);
    }
}

/* What the payload becomes, or why it does not; lives until the next call. */
static inline const char *tables_of_lead(struct tables_fixture *f, struct lead *lead)
{
    struct err e = {.msg = ""};
    const char *code;
    buf_clear(&f->text);
    enum rc rc = lead_flatten_code(f, lead, false, &code, &e);
    if (rc == RC_OK)
        print_tables(&f->text, f->profile, lead);
    else if (rc == RC_CLOSED)
        buf_addf(&f->text, "failed: %s: %s\n", code, e.msg);
    else
        buf_addf(&f->text, "%s: %s\n", rc_text(rc), e.msg);
    return buf_cstr(&f->text);
}

static inline const char *tables_of(struct tables_fixture *f, const char *json)
{
    struct lead *lead = lead_with_body(str_c(json));
    const char *text = tables_of_lead(f, lead);
    lead_free(lead);
    return text;
}

#endif
