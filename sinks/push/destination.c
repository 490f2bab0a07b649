#include "sinks/push/destination.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/suggest.h"
#include "sinks/push/destination_internal.h"

/* A tree and what is compiled from it are many times the text; this is for one of
 * DESTINATION_BYTES_MAX. */
#define MEMORY_BYTES_MAX ((size_t)256 << 20)
#define PARAMS_MAX 64
#define PARAM_NAME_MAX 64
#define PARAM_VALUE_MAX 8192

/* ---- built-in ones -------------------------------------------------------------------------- */

const struct builtin *destination_builtin(size_t i)
{
    return builtin_at(destination_builtins, i);
}

static enum rc refuse_name(const char *name, struct err *e)
{
    struct buf names;
    const char *nearest = NULL;
    buf_init(&names, 4096);
    for (size_t i = 0; destination_builtins[i].name; i++) {
        buf_addf(&names, "%s%s", i ? ", " : "", destination_builtins[i].name);
        suggest_consider(&nearest, name, destination_builtins[i].name);
    }
    enum rc rc =
        buf_rc(&names) == RC_NOMEM
            ? err_nomem(e)
            : err_set(e, RC_USAGE,
                      "unknown destination \"%.100s\"%s%s%s; built in: %s; or give the path "
                      "of a file",
                      name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                      nearest ? "\"?" : "", buf_cstr(&names));
    buf_free(&names);
    return rc;
}

/* ---- parameters ----------------------------------------------------------------------------- */

static enum rc refuse_param(const struct reader *r, const char *what)
{
    return err_set(r->json.err, RC_USAGE, "%s: param=NAME=VALUE: %s", r->json.source, what);
}

static enum rc read_param(struct reader *r, const char *text)
{
    const char *equals = strchr(text, '=');
    struct str name = {text, equals ? (size_t)(equals - text) : strlen(text)};
    struct param *p = &r->params[r->n_params];
    if (!equals || name.len == 0 || name.len > PARAM_NAME_MAX)
        return refuse_param(r, "a name of 1 to 64 characters must stand before a \"=\"");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i && c >= '0' && c <= '9'))
            return refuse_param(
                r, "a name consists of letters, digits and _ and does not begin with a digit");
    }
    struct str value = str_c(equals + 1);
    if (value.len > PARAM_VALUE_MAX || !utf8_valid(value.ptr, value.len))
        return refuse_param(r, "a value has at most 8192 bytes, and is UTF-8");
    for (size_t i = 0; i < r->n_params; i++) {
        if (str_eq(r->params[i].name, name))
            return refuse_param(r, "a name appears twice");
    }
    enum rc rc = member_copy(&r->json, name, &p->name);
    if (rc == RC_OK)
        rc = member_copy(&r->json, value, &p->value);
    if (rc == RC_OK)
        r->n_params++;
    return rc;
}

static enum rc read_params(struct reader *r, const struct text_list *params)
{
    size_t n = params ? params->n : 0;
    if (n > PARAMS_MAX)
        return refuse_param(r, "at most 64 may be given");
    r->params = arena_array(r->json.arena, n, sizeof *r->params);
    if (!r->params)
        return err_nomem(r->json.err);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = read_param(r, params->items[i]);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct param *)a)->name.ptr, ((const struct param *)b)->name.ptr);
}

/* The order in which parameters are given is no difference; the NULs keep names and values apart. */
static uint64_t digest_of(struct str json, struct param *params, size_t n)
{
    uint64_t digest = str_hash(json, 0);
    if (n)
        qsort(params, n, sizeof *params, by_name);
    for (size_t i = 0; i < n; i++) {
        digest = str_hash((struct str){params[i].name.ptr, params[i].name.len + 1}, digest);
        digest = str_hash((struct str){params[i].value.ptr, params[i].value.len + 1}, digest);
    }
    return digest;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* The deepest value; the scanner has bounded it. */
static unsigned depth_of(const cJSON *at)
{
    unsigned deepest = 0;
    for (const cJSON *m = at->child; m; m = m->next) {
        unsigned depth = depth_of(m);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* Refuses the place of a member whose name came twice. RC_OK: it is not below `at`. */
static enum rc refuse_repeated(const struct reader *r, const struct member *at,
                               const cJSON *repeated)
{
    if (at->json == repeated)
        return member_refuse(&r->json, at, "appears twice: an object has each member once");
    enum rc rc = RC_OK;
    for (struct member m = member_first(at); rc == RC_OK && m.json; member_next(&m))
        rc = refuse_repeated(r, &m, repeated);
    return rc;
}

static enum rc parse_json(const struct reader *r, struct str json, struct arena *tree,
                          struct member *top)
{
    struct json_doc doc = {.root = NULL};
    struct err why;
    if (json.len > DESTINATION_BYTES_MAX)
        return err_set(r->json.err, RC_USAGE, "%s: a destination has at most %d bytes",
                       r->json.source, DESTINATION_BYTES_MAX);
    enum rc rc = json_parse(tree, json, JSON_TREE, &doc, &why);
    if (rc == RC_NOMEM)
        return err_nomem(r->json.err);
    if (rc != RC_OK)
        return err_set(r->json.err, RC_USAGE, "%s: %s", r->json.source, why.msg);
    if (doc.replaced)
        return err_set(r->json.err, RC_USAGE,
                       "%s: must be UTF-8 without \\u0000 and lone surrogates", r->json.source);
    *top = (struct member){.json = doc.root};
    if (depth_of(doc.root) > TEMPLATE_DEPTH_MAX)
        return member_refuse(&r->json, top, "has more than %d values within each other",
                             TEMPLATE_DEPTH_MAX);
    if (!doc.repeated)
        return RC_OK;
    rc = refuse_repeated(r, top, doc.repeated);
    return rc == RC_OK ? member_refuse(&r->json, top, "has a member twice in one object") : rc;
}

/* ---- loading -------------------------------------------------------------------------------- */

static enum rc read_all(struct destination *d, struct arena *memory, struct str json,
                        struct reader *r, const struct text_list *params)
{
    struct arena tree;
    struct member top = {.json = NULL};
    arena_init(&tree, MEMORY_BYTES_MAX);
    r->json.arena = memory;
    enum rc rc = read_params(r, params);
    if (rc == RC_OK)
        rc = parse_json(r, json, &tree, &top);
    if (rc == RC_OK)
        rc = destination_read(r, &top, d);
    struct str name;
    if (rc == RC_OK)
        rc = member_copy(&r->json, str_c(r->json.source), &name);
    if (rc == RC_OK) {
        d->name = name.ptr;
        d->digest = digest_of(json, r->params, r->n_params);
    }
    arena_free(&tree);
    return rc;
}

enum rc destination_parse(struct destination **out, struct str json, const char *source,
                          const struct profile *profile, const struct text_list *params,
                          struct err *e)
{
    struct arena memory;
    struct err own = {.msg = ""};
    arena_init(&memory, MEMORY_BYTES_MAX);
    struct destination *d = arena_zalloc(&memory, sizeof *d);
    if (!d) {
        arena_free(&memory);
        return err_nomem(e);
    }
    struct reader r = {
        .json = {.source = source, .err = e ? e : &own}, .profile = profile, .needs = &d->needs};
    enum rc rc = read_all(d, &memory, json, &r, params);
    if (rc != RC_OK) {
        arena_free(&memory);
        return rc;
    }
    d->memory = memory;
    *out = d;
    return RC_OK;
}

enum rc destination_load(struct destination **out, const char *name, const struct profile *profile,
                         const struct text_list *params, struct err *e)
{
    const struct builtin *builtin = builtin_find(destination_builtins, name);
    if (builtin) {
        struct str json = {(const char *)builtin->text, builtin->len};
        return destination_parse(out, json, builtin->name, profile, params, e);
    }
    if (!description_is_file(name))
        return refuse_name(name, e);
    struct buf text;
    buf_init(&text, DESTINATION_BYTES_MAX + 2 * BUFSIZ);
    enum rc rc = description_read(&text, name, DESTINATION_BYTES_MAX, e);
    if (rc == RC_OK)
        rc = destination_parse(out, buf_str(&text), name, profile, params, e);
    buf_free(&text);
    return rc;
}

void destination_free(struct destination *d)
{
    if (!d)
        return;
    struct arena memory = d->memory; /* `d` itself lies in it */
    arena_free(&memory);
}
