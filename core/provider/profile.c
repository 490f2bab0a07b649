#include "core/provider/profile.h"

#include <stdio.h>

#include "core/provider/profile_builtins.h"
#include "core/base/url.h"

/* ---- loading -------------------------------------------------------------------------------- */

const struct builtin *profile_builtin(size_t i)
{
    return builtin_at(profile_builtins, i);
}

static enum rc refuse_name(const char *name, struct err *e)
{
    struct buf names;
    buf_init(&names, 512);
    for (size_t i = 0; profile_builtins[i].name; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", profile_builtins[i].name);
    enum rc rc =
        err_set(e, RC_USAGE, "unknown provider \"%s\"; built in: %s; or give the path of a profile",
                name, buf_cstr(&names));
    buf_free(&names);
    return rc;
}

static enum rc load_file(struct profile **out, const char *path, struct err *e)
{
    struct buf text;
    buf_init(&text, PROFILE_BYTES_MAX + 2 * BUFSIZ);
    enum rc rc = description_read(&text, path, PROFILE_BYTES_MAX, e);
    if (rc == RC_OK)
        rc = profile_parse(out, buf_str(&text), path, e);
    if (rc == RC_OK)
        (*out)->digest = str_hash(buf_str(&text), 0);
    buf_free(&text);
    return rc;
}

enum rc profile_load(struct profile **out, const char *name, struct err *e)
{
    const struct builtin *builtin = builtin_find(profile_builtins, name);
    if (!builtin)
        return description_is_file(name) ? load_file(out, name, e) : refuse_name(name, e);
    struct str json = {(const char *)builtin->text, builtin->len};
    enum rc rc = profile_parse(out, json, builtin->name, e);
    if (rc == RC_OK) {
        (*out)->is_builtin = true;
        (*out)->digest = str_hash(json, 0);
    }
    return rc;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    struct arena memory = p->memory; /* `p` itself lies in it */
    arena_free(&memory);
}

/* ---- looking up ----------------------------------------------------------------------------- */

int profile_param(const struct profile *p, struct str name)
{
    for (size_t i = 0; i < p->n_params; i++) {
        if (str_eq(p->params[i], name))
            return (int)i;
    }
    return -1;
}

int profile_table(const struct profile *p, struct str name)
{
    for (size_t i = 0; i < p->n_tables; i++) {
        if (str_eq(p->tables[i].name, name))
            return (int)i;
    }
    return -1;
}

/* ---- the URL of a lead ---------------------------------------------------------------------- */

static enum rc add_value(struct buf *b, struct str name, struct str value, struct err *e)
{
    if (!value.ptr)
        return err_set(e, RC_SYNTAX, "%.*s: no value given", STR_ARG(name));
    if (value.len == 0)
        return err_set(e, RC_SYNTAX, "%.*s: must not be empty", STR_ARG(name));
    url_encode(b, value);
    return RC_OK;
}

static enum rc expand(const struct profile *p, struct str template, struct str id,
                      const struct str *values, struct buf *b, struct err *e)
{
    struct str rest = template, literal, name;
    while (rest.len && url_template_next(&rest, &literal, &name)) {
        buf_add_str(b, literal);
        if (!name.ptr)
            continue;
        int param = profile_param(p, name);
        enum rc rc = add_value(b, name, param < 0 ? id : values[param], e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* Appends the template, filled in, to the URL's beginning. */
static enum rc add_path(const struct profile *p, struct str template, struct str id,
                        const struct str *values, struct buf *out, struct err *e)
{
    size_t path_at = out->len;
    enum rc rc = expand(p, template, id, values, out, e);
    if (rc != RC_OK)
        return rc;
    if (buf_rc(out) != RC_OK)
        return err_set(e, buf_rc(out), "the URL: %s", rc_text(buf_rc(out)));
    struct str path = {out->data + path_at, out->len - path_at};
    if (url_has_dot_segment(path))
        return err_set(e, RC_SYNTAX, "no segment of the URL's path may be . or ..");
    return RC_OK;
}

enum rc profile_url(const struct profile *p, struct str base_url, struct str id,
                    const struct str *values, struct buf *out, struct err *e)
{
    buf_add_str(out, url_trim(base_url));
    return add_path(p, p->url_template, id, values, out, e);
}

enum rc profile_list_url(const struct profile *p, struct str base_url, const struct str *values,
                         struct buf *out, struct err *e)
{
    struct str template = p->list->url_template;
    if (template.ptr[0] == '/') {
        buf_add_str(out, url_origin(base_url));
    } else {
        buf_add_str(out, url_trim(base_url));
        buf_addc(out, '/');
    }
    return add_path(p, template, STR_NONE, values, out, e);
}
