/* From JSON with directives to a template. */
#include "core/sink.h"
#include "sinks/push/template_internal.h"

#define CONSTANT_BYTES_MAX ((size_t)8 << 20) /* more than any that fits into a destination */

struct compiler {
    const struct reader *r;
    struct value_scope scope;
    unsigned n_items; /* {"$items": true} so far */
};

static enum rc compile(struct compiler *c, const struct member *at, struct template *out);

/* ---- directives ----------------------------------------------------------------------------- */

static enum rc compile_items(struct compiler *c, const struct member *at,
                             const struct member *directive, struct template *out)
{
    enum rc rc = member_object(&c->r->json, at, "$items");
    if (rc != RC_OK)
        return rc;
    if (!cJSON_IsTrue(directive->json))
        return member_refuse(&c->r->json, directive, "must be true");
    if (c->scope.place == IN_ITEM)
        return member_refuse(&c->r->json, directive, "belongs in \"body\": an item has no items");
    if (c->n_items++)
        return member_refuse(&c->r->json, directive, "appears twice: the items go to one place");
    out->kind = TEMPLATE_ITEMS;
    return RC_OK;
}

/* Names of the child tables, separated by blanks. */
static enum rc find_table(const struct reader *r, const struct member *at, size_t *out)
{
    struct str name;
    enum rc rc = member_some_text(&r->json, at, 256, &name);
    if (rc != RC_OK)
        return rc;
    int table = profile_table(r->profile, name);
    if (table > 0) {
        *out = (size_t)table;
        return RC_OK;
    }
    struct buf names;
    buf_init(&names, 65536);
    for (size_t i = 1; i < r->profile->n_tables; i++)
        buf_addf(&names, STR_FMT " ", STR_ARG(r->profile->tables[i].name));
    if (buf_rc(&names) != RC_OK)
        rc = err_nomem(r->json.err);
    else if (table == 0)
        rc = member_refuse(&r->json, at,
                           "\"%.64s\" is the table of the lead itself, which $field reads",
                           name.ptr);
    else
        rc = member_unknown(&r->json, at, "child table", name, buf_cstr(&names));
    buf_free(&names);
    return rc;
}

static enum rc compile_rows(struct compiler *c, const struct member *at,
                            const struct member *directive, struct template *out)
{
    const struct reader *r = c->r;
    const struct member null = member_of(at, "null");
    enum rc rc = member_object(&r->json, at, "$rows null");
    if (rc == RC_OK && c->scope.in_rows)
        return member_refuse(&r->json, directive, "must not be within another $rows");
    if (rc == RC_OK)
        rc = member_object(&r->json, directive, "table item first");
    const struct member table = member_of(directive, "table"), item = member_of(directive, "item"),
                        only_first = member_of(directive, "first");
    if (rc == RC_OK)
        rc = find_table(r, &table, &out->table);
    if (rc == RC_OK && only_first.json)
        rc = member_boolean(&r->json, &only_first, &out->only_first);
    if (rc == RC_OK && null.json && !out->only_first)
        return member_refuse(&r->json, &null,
                             "needs \"first\": without it there is always an array");
    struct null_rule null_rule = {.text = STR_NONE};
    if (rc == RC_OK)
        rc = null_compile(r, &c->scope, &null, &null_rule);
    out->text = null_rule.text;
    out->omits_element = null_rule.omits_element;
    if (rc == RC_OK && !item.json)
        return member_refuse(&r->json, &item, "is missing (allowed: what becomes of each row)");
    struct template *row = rc == RC_OK ? arena_zalloc(r->json.arena, sizeof *row) : NULL;
    if (rc != RC_OK || !row)
        return rc == RC_OK ? err_nomem(r->json.err) : rc;
    const struct value_scope outer = c->scope;
    c->scope.in_rows = true;
    c->scope.in_element |= !out->only_first;
    c->scope.table = out->table;
    rc = compile(c, &item, row);
    c->scope = outer;
    out->kind = TEMPLATE_ROWS;
    out->row = row;
    *r->needs |= SINK_WANTS_ROWS;
    return rc;
}

/* A parameter is the same in all leads. */
static enum rc fold_value(struct compiler *c, struct template *out)
{
    const struct value *v = out->value;
    if (v->source != VALUE_CONSTANT)
        return RC_OK;
    struct buf b;
    buf_init(&b, CONSTANT_BYTES_MAX);
    json_write_string(&b, (struct str){v->constant.u.text, v->constant.len});
    out->kind = TEMPLATE_TEXT;
    enum rc rc = buf_rc(&b) == RC_OK ? member_copy(&c->r->json, buf_str(&b), &out->text)
                                     : err_nomem(c->r->json.err);
    buf_free(&b);
    return rc;
}

static enum rc compile_directive(struct compiler *c, const struct member *at,
                                 const struct member *directive, struct template *out)
{
    struct str name = str_c(directive->name);
    enum rc rc = directive_check(c->r, &c->scope, directive);
    if (rc != RC_OK)
        return rc;
    if (str_eq_c(name, "$items"))
        return compile_items(c, at, directive, out);
    if (str_eq_c(name, "$rows"))
        return compile_rows(c, at, directive, out);
    struct value *value = arena_zalloc(c->r->json.arena, sizeof *value);
    if (!value)
        return err_nomem(c->r->json.err);
    out->kind = TEMPLATE_VALUE;
    out->value = value;
    struct null_rule null;
    rc = value_compile(c->r, &c->scope, at, directive, value, &null);
    out->text = null.text;
    out->omits_element = null.omits_element;
    return rc == RC_OK ? fold_value(c, out) : rc;
}

/* ---- objects and arrays --------------------------------------------------------------------- */

/* "name": as it is written; "$$x" is "$x". */
static enum rc make_label(struct compiler *c, const struct member *m, struct str *out)
{
    struct str name = json_member_name(m->json);
    if (name.len > 1 && name.ptr[0] == '$')
        name = (struct str){name.ptr + 1, name.len - 1};
    struct buf b;
    buf_init(&b, CONSTANT_BYTES_MAX);
    json_write_string(&b, name);
    buf_addc(&b, ':');
    enum rc rc = buf_rc(&b) == RC_OK ? member_copy(&c->r->json, buf_str(&b), out)
                                     : err_nomem(c->r->json.err);
    buf_free(&b);
    return rc;
}

/* What is constant as a whole is one text. */
static enum rc fold(struct compiler *c, struct template *t)
{
    for (const struct template *m = t->first; m; m = m->next) {
        if (m->kind != TEMPLATE_TEXT)
            return RC_OK;
    }
    bool is_object = t->kind == TEMPLATE_OBJECT;
    struct buf b;
    buf_init(&b, CONSTANT_BYTES_MAX);
    buf_addc(&b, is_object ? '{' : '[');
    for (const struct template *m = t->first; m; m = m->next) {
        buf_adds(&b, m == t->first ? "" : ",");
        buf_add_str(&b, m->label);
        buf_add_str(&b, m->text);
    }
    buf_addc(&b, is_object ? '}' : ']');
    t->kind = TEMPLATE_TEXT;
    enum rc rc = buf_rc(&b) == RC_OK ? member_copy(&c->r->json, buf_str(&b), &t->text)
                                     : err_nomem(c->r->json.err);
    buf_free(&b);
    return rc;
}

static enum rc compile_members(struct compiler *c, const struct member *at, struct template *out)
{
    const struct template **link = &out->first;
    const struct value_scope outer = c->scope;
    out->kind = json_is_object(at->json) ? TEMPLATE_OBJECT : TEMPLATE_ARRAY;
    c->scope.in_element |= out->kind == TEMPLATE_ARRAY;
    for (struct member m = member_first(at); m.json; member_next(&m)) {
        struct template *one = arena_zalloc(c->r->json.arena, sizeof *one);
        if (!one)
            return err_nomem(c->r->json.err);
        enum rc rc = m.name ? make_label(c, &m, &one->label) : RC_OK;
        if (rc == RC_OK)
            rc = compile(c, &m, one);
        if (rc != RC_OK)
            return rc;
        *link = one;
        link = &one->next;
    }
    c->scope = outer;
    return fold(c, out);
}

static enum rc compile(struct compiler *c, const struct member *at, struct template *out)
{
    struct member directive = {.json = NULL};
    if (json_is_object(at->json)) {
        enum rc rc = directive_of(c->r, at, &directive);
        if (rc != RC_OK)
            return rc;
    }
    if (directive.json)
        return compile_directive(c, at, &directive, out);
    if (json_is_object(at->json) || json_is_array(at->json))
        return compile_members(c, at, out);
    out->kind = TEMPLATE_TEXT;
    return constant_compile(c->r, at, &out->text);
}

enum rc template_compile(const struct reader *r, const struct member *at, enum template_place place,
                         const struct template **out, bool *has_items)
{
    struct compiler c = {.r = r, .scope = {.top = at, .place = place}};
    struct template *t = arena_zalloc(r->json.arena, sizeof *t);
    if (!t)
        return err_nomem(r->json.err);
    enum rc rc = compile(&c, at, t);
    if (rc != RC_OK)
        return rc;
    *has_items = c.n_items > 0;
    *out = t;
    return RC_OK;
}
