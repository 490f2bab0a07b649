/* Directives that give one value, compiled. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/suggest.h"
#include "core/provider/name.h"
#include "core/sink.h"
#include "sinks/push/template_internal.h"

#define NAME_BYTES_MAX 128
#define STEPS_MAX 8
#define CONSTANT_BYTES_MAX ((size_t)8 << 20) /* more than any that fits into a destination */
#define PARTS_MAX 64

/* What an object with a directive may have beside it. */
#define DIRECTIVES "$field $payload $rows $param $concat $items $run"
#define VALUE_MEMBERS "do as map else default null required"

/* ---- constants ------------------------------------------------------------------------------ */

enum rc constant_compile(const struct reader *r, const struct member *at, struct str *out)
{
    struct buf b;
    buf_init(&b, CONSTANT_BYTES_MAX);
    json_write(&b, at->json);
    enum rc rc =
        buf_rc(&b) == RC_OK ? member_copy(&r->json, buf_str(&b), out) : err_nomem(r->json.err);
    buf_free(&b);
    return rc;
}

/* A text, number, true, false or null. */
static enum rc scalar_compile(const struct reader *r, const struct member *at, struct cell *out)
{
    struct cell cell = {.kind = CELL_NULL};
    if (cJSON_IsBool(at->json)) {
        cell.kind = cJSON_IsTrue(at->json) ? CELL_TRUE : CELL_FALSE;
    } else if (cJSON_IsString(at->json) || cJSON_IsNumber(at->json)) {
        struct str text;
        enum rc rc = member_copy(&r->json, json_text(at->json), &text);
        if (rc != RC_OK)
            return rc;
        cell = (struct cell){.kind = cJSON_IsString(at->json) ? CELL_TEXT : CELL_NUMBER,
                             .len = (uint32_t)text.len,
                             .u.text = text.ptr};
    } else if (!cJSON_IsNull(at->json)) {
        return member_refuse(&r->json, at, "must be a text, a number, true, false or null");
    }
    *out = cell;
    return RC_OK;
}

static bool has_directive(const cJSON *json)
{
    for (const cJSON *m = json->child; m; m = m->next) {
        if (json_is_object(json) && m->string[0] == '$')
            return true;
        if (has_directive(m))
            return true;
    }
    return false;
}

enum rc null_compile(const struct reader *r, const struct value_scope *scope,
                     const struct member *at, struct null_rule *out)
{
    *out = (struct null_rule){.text = STR_NONE};
    if (!at->json || (cJSON_IsString(at->json) && strcmp(at->json->valuestring, "omit") == 0))
        return RC_OK;
    bool is_null = cJSON_IsNull(at->json) ||
                   (cJSON_IsString(at->json) && strcmp(at->json->valuestring, "null") == 0);
    if (is_null) {
        out->text = STR("null");
        return RC_OK;
    }
    if (cJSON_IsString(at->json) && strcmp(at->json->valuestring, "omit_element") == 0) {
        out->omits_element = true;
        return scope->in_element
                   ? RC_OK
                   : member_refuse(&r->json, at,
                                   "\"omit_element\" must be within an element of an array");
    }
    if (!json_is_object(at->json))
        return member_refuse(&r->json, at,
                             "must be \"omit\", \"omit_element\", \"null\" or {\"value\": ...}");
    enum rc rc = member_object(&r->json, at, "value");
    const struct member value = member_of(at, "value");
    if (rc == RC_OK && !value.json)
        return member_refuse(&r->json, &value, "is missing (allowed: a value without directives)");
    if (rc == RC_OK && has_directive(value.json))
        return member_refuse(&r->json, &value, "must not contain directives");
    return rc == RC_OK ? constant_compile(r, &value, &out->text) : rc;
}

/* ---- columns -------------------------------------------------------------------------------- */

static bool find_documented(const struct profile *p, const struct table_spec *t, struct str name,
                            struct value *out)
{
    for (size_t i = 0; i < p->n_key_columns; i++) {
        if (str_eq(p->key_columns[i], name)) {
            out->source = VALUE_KEY;
            out->index = i;
            return true;
        }
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        if (str_eq(t->columns[i].name, name)) {
            out->source = VALUE_COLUMN;
            out->index = i;
            return true;
        }
    }
    return false;
}

/* Is it what a column is called? RC_NOMEM. */
static enum rc is_column_name(const struct reader *r, struct str name, bool *out)
{
    struct buf b;
    buf_init(&b, 4 * NAME_BYTES_MAX);
    name_snake(&b, name);
    enum rc rc = buf_rc(&b) == RC_NOMEM ? err_nomem(r->json.err) : RC_OK;
    *out = buf_rc(&b) == RC_OK && str_eq(buf_str(&b), name);
    buf_free(&b);
    return rc;
}

static bool begins_with(struct str name, struct str prefix)
{
    return name.len > prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) == 0;
}

/* An object without a prefix can make any name, and so would make a mistake of any name: what it has that is
 * not documented is read with $payload. A pivot's values are in an array, which $payload cannot search. */
static bool is_of_pattern(const struct table_spec *t, struct str name)
{
    for (size_t i = 0; i < t->n_objects; i++) {
        if (t->objects[i].prefix.len && begins_with(name, t->objects[i].prefix))
            return true;
    }
    for (size_t i = 0; i < t->n_pivots; i++) {
        if (t->pivots[i].prefix.len == 0 || begins_with(name, t->pivots[i].prefix))
            return true;
    }
    return false;
}

static void add_patterns(struct buf *b, const struct table_spec *t)
{
    for (size_t i = 0; i < t->n_objects; i++) {
        if (t->objects[i].prefix.len)
            buf_addf(b, STR_FMT "* ", STR_ARG(t->objects[i].prefix));
    }
    for (size_t i = 0; i < t->n_pivots; i++)
        buf_addf(b, STR_FMT "* ", STR_ARG(t->pivots[i].prefix));
}

static enum rc refuse_column(const struct reader *r, const struct member *at, struct str name,
                             const struct table_spec *t)
{
    struct buf names;
    buf_init(&names, 1 << 20);
    for (size_t i = 0; i < r->profile->n_key_columns; i++)
        buf_addf(&names, STR_FMT " ", STR_ARG(r->profile->key_columns[i]));
    add_patterns(&names, t);
    for (size_t i = 0; i < t->n_columns; i++)
        buf_addf(&names, STR_FMT " ", STR_ARG(t->columns[i].name));
    char what[NAME_BYTES_MAX + 64];
    (void)snprintf(what, sizeof what, "column of %.*s (provider %.*s)",
                   (int)utf8_cut(t->name.ptr, 48), t->name.ptr,
                   (int)utf8_cut(r->profile->name.ptr, 48), r->profile->name.ptr);
    enum rc rc = buf_rc(&names) == RC_NOMEM
                     ? err_nomem(r->json.err)
                     : member_unknown(&r->json, at, what, name, buf_cstr(&names));
    buf_free(&names);
    return rc;
}

enum rc value_compile_field(const struct reader *r, const struct member *at, struct str name,
                            size_t table, struct value *out)
{
    const struct table_spec *t = &r->profile->tables[table];
    if (find_documented(r->profile, t, name, out)) {
        if (out->source == VALUE_COLUMN)
            *r->needs |= SINK_WANTS_ROWS;
        return RC_OK;
    }
    bool is_name = false;
    enum rc rc = is_column_name(r, name, &is_name);
    if (rc == RC_OK && (!is_name || !is_of_pattern(t, name)))
        return refuse_column(r, at, name, t);
    if (rc == RC_OK)
        rc = member_copy(&r->json, name, &out->name);
    out->source = VALUE_EXTRA;
    out->hint = arena_zalloc(r->json.arena, sizeof *out->hint);
    if (rc == RC_OK && !out->hint)
        return err_nomem(r->json.err);
    *r->needs |= SINK_WANTS_ROWS;
    return rc;
}

/* ---- what stands beside a directive --------------------------------------------------------- */

static enum rc read_step(const struct reader *r, const struct member *at, void *out)
{
    if (!cJSON_IsString(at->json))
        return member_refuse(&r->json, at, "must be a text (allowed: " TRANSFORMS_TEXT ")");
    struct str text = json_text(at->json);
    if (transform_parse(text, out))
        return RC_OK;
    if (strncmp(text.ptr, "first", 5) == 0)
        return member_refuse(&r->json, at, "must be first:N with N from 1 to %d",
                             TRANSFORM_FIRST_MAX);
    if (strncmp(text.ptr, "e164", 4) == 0)
        return member_refuse(&r->json, at,
                             "must be e164, or e164:+N with a country code such as e164:+1");
    return member_unknown(&r->json, at, "transform", text,
                          "trim lower upper digits e164 e164:+1 date epoch_s epoch_ms first:N");
}

static int by_from(const void *a, const void *b)
{
    struct str x = ((const struct value_mapping *)a)->from,
               y = ((const struct value_mapping *)b)->from;
    size_t n = x.len < y.len ? x.len : y.len;
    int order = n ? memcmp(x.ptr, y.ptr, n) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static enum rc read_map(const struct reader *r, const struct member *at, struct value *v)
{
    if (!json_is_object(at->json) || !at->json->child)
        return member_refuse(&r->json, at, "must be an object with at least one member");
    size_t n = 0;
    for (struct member m = member_first(at); m.json; member_next(&m))
        n++;
    struct value_mapping *map = arena_array(r->json.arena, n, sizeof *map);
    if (!map)
        return err_nomem(r->json.err);
    for (struct member m = member_first(at); m.json; member_next(&m)) {
        enum rc rc = member_copy(&r->json, json_member_name(m.json), &map[m.index].from);
        if (rc == RC_OK)
            rc = scalar_compile(r, &m, &map[m.index].to);
        if (rc != RC_OK)
            return rc;
    }
    qsort(map, n, sizeof *map, by_from);
    v->map = map;
    v->n_map = n;
    v->has_map = true;
    return RC_OK;
}

static enum rc read_as(const struct reader *r, const struct member *at, struct value *v)
{
    static const enum value_as kinds[] = {AS_TEXT, AS_NUMBER, AS_BOOLEAN, AS_IS};
    unsigned as;
    enum rc rc = member_choice(&r->json, at, "text number boolean json", &as);
    if (rc == RC_OK)
        v->as = kinds[as];
    return rc;
}

/* A scalar, or another directive that gives one value. */
static enum rc read_default(const struct reader *r, const struct value_scope *scope,
                            const struct member *at, struct value *v)
{
    struct value *otherwise = arena_zalloc(r->json.arena, sizeof *otherwise);
    if (!otherwise)
        return err_nomem(r->json.err);
    v->otherwise = otherwise;
    if (!json_is_object(at->json)) {
        otherwise->source = VALUE_CONSTANT;
        return scalar_compile(r, at, &otherwise->constant);
    }
    struct member directive;
    enum rc rc = directive_of(r, at, &directive);
    if (rc == RC_OK && !directive.json)
        return member_refuse(&r->json, at,
                             "must be a text, a number, true, false, null or a directive");
    struct null_rule ignored;
    if (rc == RC_OK)
        rc = value_compile(r, scope, at, &directive, otherwise, &ignored);
    const struct member null = member_of(at, "null");
    if (rc == RC_OK && null.json)
        return member_refuse(&r->json, &null, "can stand beside the outermost directive only");
    return rc;
}

static enum rc read_options(const struct reader *r, const struct value_scope *scope,
                            const struct member *at, struct value *v, struct null_rule *null_rule)
{
    const struct member steps = member_of(at, "do"), as = member_of(at, "as"),
                        map = member_of(at, "map"), map_else = member_of(at, "else"),
                        otherwise = member_of(at, "default"), null = member_of(at, "null"),
                        required = member_of(at, "required");
    if (map_else.json && !map.json)
        return member_refuse(&r->json, &map_else, "needs \"map\" beside it");
    void *list = NULL;
    enum rc rc = member_each(r, &steps, STEPS_MAX, sizeof *v->steps, read_step, &list, &v->n_steps);
    v->steps = list;
    if (rc == RC_OK && as.json)
        rc = read_as(r, &as, v);
    if (rc == RC_OK && map.json)
        rc = read_map(r, &map, v);
    if (rc == RC_OK && map_else.json) {
        v->has_else = true;
        rc = scalar_compile(r, &map_else, &v->map_else);
    }
    if (rc == RC_OK && otherwise.json)
        rc = read_default(r, scope, &otherwise, v);
    if (rc == RC_OK && required.json)
        rc = member_boolean(&r->json, &required, &v->is_required);
    if (rc == RC_OK && null.json && v->is_required)
        return member_refuse(&r->json, &null,
                             "cannot stand beside \"required\": a required value is never null");
    return rc == RC_OK ? null_compile(r, scope, &null, null_rule) : rc;
}

/* ---- directives ----------------------------------------------------------------------------- */

enum rc directive_of(const struct reader *r, const struct member *at, struct member *out)
{
    *out = (struct member){.up = at, .json = NULL};
    for (struct member m = member_first(at); m.json; member_next(&m)) {
        if (m.name[0] != '$' || m.name[1] == '$')
            continue;
        if (out->json)
            return member_refuse(&r->json, &m,
                                 "stands beside \"%.40s\": an object has at most one directive",
                                 out->name);
        *out = m;
    }
    return RC_OK;
}

static bool has_directive_member(const cJSON *object)
{
    for (const cJSON *m = object && json_is_object(object) ? object->child : NULL; m; m = m->next) {
        if (m->string[0] == '$' && m->string[1] != '$')
            return true;
    }
    return false;
}

/* The member of the item that a directive is for: that of the outermost directive around it. */
static const struct member *place_of(const struct value_scope *scope, const struct member *at)
{
    const struct member *place = at;
    for (const struct member *m = at; m && m != scope->top; m = m->up) {
        if (has_directive_member(m->json))
            place = m;
    }
    return place;
}

static enum rc set_place(const struct reader *r, const struct value_scope *scope,
                         const struct member *at, struct value *v, const char *kind,
                         struct str name)
{
    struct buf b;
    struct str where = STR_NONE, what = STR_NONE;
    buf_init(&b, 8192);
    member_write_way(&b, place_of(scope, at), scope->top);
    enum rc rc = buf_rc(&b) == RC_NOMEM ? err_nomem(r->json.err)
                                        : member_copy(&r->json, str_c(buf_cstr(&b)), &where);
    buf_clear(&b);
    buf_addf(&b, "%s%.*s", kind, (int)utf8_cut(name.ptr, 64), name.ptr);
    if (rc == RC_OK)
        rc = buf_rc(&b) == RC_OK ? member_copy(&r->json, buf_str(&b), &what)
                                 : err_nomem(r->json.err);
    buf_free(&b);
    v->where = where.ptr;
    v->what = what.ptr;
    return rc;
}

static enum rc read_field(const struct reader *r, const struct value_scope *scope,
                          const struct member *at, struct value *v)
{
    struct str name;
    enum rc rc = member_some_text(&r->json, at, NAME_BYTES_MAX, &name);
    if (rc == RC_OK)
        rc = value_compile_field(r, at, name, scope->table, v);
    return rc == RC_OK ? set_place(r, scope, at->up, v, "the column ", name) : rc;
}

static enum rc read_payload(const struct reader *r, const struct value_scope *scope,
                            const struct member *at, struct value *v)
{
    enum rc rc = member_pointer(&r->json, at, &v->pointer);
    v->source = VALUE_PAYLOAD;
    *r->needs |= SINK_WANTS_TREE;
    if (rc != RC_OK)
        return rc;
    bool is_whole = v->pointer.n_steps == 0;
    return set_place(r, scope, at->up, v, is_whole ? "the payload" : "the payload's ",
                     v->pointer.text);
}

static enum rc read_param(const struct reader *r, const struct member *at, struct value *v)
{
    struct str name;
    enum rc rc = member_some_text(&r->json, at, NAME_BYTES_MAX, &name);
    if (rc != RC_OK)
        return rc;
    const struct param *p = reader_param(r, name);
    if (!p)
        return member_refuse(&r->json, at,
                             "the parameter \"%.64s\" is not given (allowed: param=%.64s=VALUE)",
                             name.ptr, name.ptr);
    v->source = VALUE_CONSTANT;
    v->constant =
        (struct cell){.kind = CELL_TEXT, .len = (uint32_t)p->value.len, .u.text = p->value.ptr};
    return RC_OK;
}

static enum rc read_run(const struct reader *r, const struct member *at, struct value *v)
{
    unsigned which;
    enum rc rc = member_choice(&r->json, at, "run_id exported_at", &which);
    if (rc == RC_OK)
        v->source = which == 0 ? VALUE_RUN_ID : VALUE_EXPORTED_AT;
    return rc;
}

static enum rc read_part(const struct reader *r, const struct value_scope *scope,
                         const struct member *at, struct value *v)
{
    if (cJSON_IsString(at->json)) {
        v->source = VALUE_CONSTANT;
        return scalar_compile(r, at, &v->constant);
    }
    struct member directive = {.json = NULL};
    enum rc rc = json_is_object(at->json) ? directive_of(r, at, &directive) : RC_OK;
    if (rc == RC_OK && !directive.json)
        return member_refuse(&r->json, at, "must be a text or a directive");
    struct null_rule ignored;
    if (rc == RC_OK)
        rc = value_compile(r, scope, at, &directive, v, &ignored);
    const struct member null = member_of(at, "null");
    if (rc == RC_OK && null.json)
        return member_refuse(&r->json, &null, "has no meaning in a $concat, which leaves null out");
    return rc;
}

static bool is_in_concat(const struct member *at)
{
    for (const struct member *up = at->up; up; up = up->up) {
        if (up->name && strcmp(up->name, "$concat") == 0)
            return true;
    }
    return false;
}

static enum rc read_concat(const struct reader *r, const struct value_scope *scope,
                           const struct member *at, struct value *v)
{
    if (is_in_concat(at))
        return member_refuse(&r->json, at, "must not be within another $concat");
    enum rc rc = member_list(&r->json, at, 1, PARTS_MAX, &v->n_parts);
    if (rc != RC_OK)
        return rc;
    struct value *parts = arena_array(r->json.arena, v->n_parts, sizeof *parts);
    if (!parts)
        return err_nomem(r->json.err);
    v->source = VALUE_CONCAT;
    v->parts = parts;
    for (struct member m = member_first(at); rc == RC_OK && m.json; member_next(&m))
        rc = read_part(r, scope, &m, &parts[m.index]);
    return rc;
}

enum rc directive_check(const struct reader *r, const struct value_scope *scope,
                        const struct member *directive)
{
    struct str name = str_c(directive->name);
    if (!member_is_named(DIRECTIVES, name))
        return member_unknown(&r->json, directive, "directive", name, DIRECTIVES);
    if (scope->place == IN_BODY && member_is_named("$field $payload $rows", name))
        return member_refuse(&r->json, directive,
                             "belongs in \"item\": the body is of all leads of a request");
    return RC_OK;
}

enum rc value_compile(const struct reader *r, const struct value_scope *scope,
                      const struct member *at, const struct member *directive, struct value *out,
                      struct null_rule *null)
{
    struct str name = str_c(directive->name);
    enum rc rc = directive_check(r, scope, directive);
    *null = (struct null_rule){.text = STR_NONE};
    if (rc != RC_OK)
        return rc;
    if (str_eq_c(name, "$field") || str_eq_c(name, "$payload")) {
        bool is_field = str_eq_c(name, "$field");
        rc = member_object(&r->json, at,
                           is_field ? "$field " VALUE_MEMBERS : "$payload " VALUE_MEMBERS);
        if (rc == RC_OK)
            rc = is_field ? read_field(r, scope, directive, out)
                          : read_payload(r, scope, directive, out);
        return rc == RC_OK ? read_options(r, scope, at, out, null) : rc;
    }
    rc = member_object(&r->json, at, directive->name);
    if (rc != RC_OK)
        return rc;
    if (str_eq_c(name, "$param"))
        return read_param(r, directive, out);
    if (str_eq_c(name, "$run"))
        return read_run(r, directive, out);
    if (str_eq_c(name, "$concat"))
        return read_concat(r, scope, directive, out);
    return member_refuse(&r->json, directive, "gives an array, and one value is needed here");
}
