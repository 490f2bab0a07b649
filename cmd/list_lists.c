#include "cmd/list_lists.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/rfc3339.h"
#include "core/base/units.h"
#include "core/source/ids.h"

/* ---- parameters ------------------------------------------------------------------------------ */

static enum rc unknown_param(const struct profile *p, struct str name, struct err *e)
{
    struct buf names;
    buf_init(&names, 4096);
    for (size_t i = 0; i < p->n_params; i++)
        buf_addf(&names, "%s" STR_FMT, i ? ", " : "", STR_ARG(p->params[i]));
    enum rc rc = err_set(
        e, RC_USAGE, "--param: " STR_FMT " has no parameter \"" STR_FMT "\"; its parameters: %s",
        STR_ARG(p->name), STR_ARG(name), names.len ? buf_cstr(&names) : "none");
    buf_free(&names);
    return rc;
}

/* The parameter and the value in "NAME=VALUE". */
static enum rc read_param(const struct profile *p, const char *text, size_t *param,
                          struct str *value, struct err *e)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return err_set(e, RC_USAGE, "--param: \"%s\" is not NAME=VALUE", text);
    struct str name = {text, (size_t)(equals - text)};
    int i = profile_param(p, name);
    if (i < 0)
        return unknown_param(p, name, e);
    enum rc rc = id_check(str_c(equals + 1), e); /* the rules for values are those for IDs */
    if (rc != RC_OK) {
        err_prefix(e, "--param " STR_FMT, STR_ARG(name));
        return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
    }
    if (p->list->params[i].text.ptr)
        return err_set(e, RC_USAGE,
                       "--param: the list of " STR_FMT " says \"" STR_FMT "\" for each lead: it "
                       "cannot be given",
                       STR_ARG(p->name), STR_ARG(name));
    *param = (size_t)i;
    *value = str_c(equals + 1);
    return RC_OK;
}

/* The values of one parameter, in their order. */
struct values {
    struct str *items;
    size_t n;
};

static enum rc add_value(const struct profile *p, struct values *v, size_t param, struct str value,
                         struct err *e)
{
    struct str name = p->params[param];
    for (size_t i = 0; i < v->n; i++) {
        if (str_eq(v->items[i], value))
            return err_set(e, RC_USAGE, "--param: " STR_FMT "=" STR_FMT " is given more than once",
                           STR_ARG(name), STR_ARG(value));
    }
    if (v->n && !p->list->in_url[param])
        return err_set(e, RC_USAGE,
                       "--param: " STR_FMT
                       " is given more than once, but is not a parameter of the "
                       "list's URL",
                       STR_ARG(name));
    v->items[v->n++] = value;
    return RC_OK;
}

static enum rc count_lists(const struct profile *p, const struct values *values, size_t *n,
                           struct err *e)
{
    *n = 1;
    for (size_t i = 0; i < p->n_params; i++) {
        if (p->list->params[i].text.ptr)
            continue;
        if (!values[i].n)
            return err_set(e, RC_USAGE,
                           "--param " STR_FMT "=VALUE is required for the list of " STR_FMT,
                           STR_ARG(p->params[i]), STR_ARG(p->name));
        if (values[i].n > LISTS_MAX / *n)
            return err_set(e, RC_USAGE,
                           "--param: more than %d combinations of values, each of which is a list",
                           LISTS_MAX);
        *n *= values[i].n;
    }
    return RC_OK;
}

/* Number `list` of all combinations; the last parameter changes first. */
static void set_list(const struct profile *p, const struct values *values, size_t list,
                     struct str *out)
{
    for (size_t i = p->n_params; i-- > 0;) {
        if (!values[i].n)
            continue;
        out[i] = values[i].items[list % values[i].n];
        list /= values[i].n;
    }
}

/* The values of each parameter; *out is in the arena. */
static enum rc read_values(const struct profile *p, const struct text_list *params,
                           struct arena *memory, struct values **out, struct err *e)
{
    struct values *values = arena_array(memory, p->n_params + 1, sizeof *values);
    if (!values)
        return err_nomem(e);
    for (size_t i = 0; i < p->n_params; i++) {
        values[i] = (struct values){arena_array(memory, params->n + 1, sizeof(struct str)), 0};
        if (!values[i].items)
            return err_nomem(e);
    }
    *out = values;
    for (size_t i = 0; i < params->n; i++) {
        size_t param = 0;
        struct str value = STR_NONE;
        enum rc rc = read_param(p, params->items[i], &param, &value, e);
        if (rc == RC_OK)
            rc = add_value(p, &values[param], param, value, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc make_lists(const struct profile *p, const struct values *values, struct str **out,
                          size_t *n_lists, struct err *e)
{
    size_t n = 0;
    enum rc rc = count_lists(p, values, &n, e);
    if (rc != RC_OK)
        return rc;
    struct str *lists = calloc(n * p->n_params + 1, sizeof *lists);
    if (!lists)
        return err_nomem(e);
    for (size_t i = 0; i < n; i++)
        set_list(p, values, i, lists + i * p->n_params);
    *out = lists;
    *n_lists = n;
    return RC_OK;
}

enum rc lists_of(const struct profile *p, const struct text_list *params, struct str **out,
                 size_t *n_lists, struct err *e)
{
    struct arena memory;
    struct values *values = NULL;
    arena_init(&memory, SIZE_MAX / 2);
    enum rc rc = read_values(p, params, &memory, &values, e);
    if (rc == RC_OK)
        rc = values ? make_lists(p, values, out, n_lists, e) : err_nomem(e);
    arena_free(&memory);
    return rc;
}

/* ---- times ----------------------------------------------------------------------------------- */

enum rc list_time(const char *option, const char *text, int64_t now_ms, int64_t *out_ms,
                  struct err *e)
{
    char midnight[32];
    int64_t ms = 0, us = 0;
    struct str s = str_c(text);
    if (units_duration(s, &ms) && ms <= now_ms) {
        *out_ms = now_ms - ms;
        return RC_OK;
    }
    bool is_date = s.len == sizeof "2026-01-30" - 1;
    if (is_date)
        (void)snprintf(midnight, sizeof midnight, STR_FMT "T00:00:00Z", STR_ARG(s));
    if (!rfc3339_parse(is_date ? str_c(midnight) : s, &us))
        return err_set(e, RC_USAGE,
                       "--%s: \"%s\" is not a time such as 2026-01-30T08:00:00Z, a date such as "
                       "2026-01-30, or a duration before now such as 30d or 12h",
                       option, text);
    if (us < 0)
        return err_set(e, RC_USAGE, "--%s: \"%s\" is before 1970", option, text);
    *out_ms = us / 1000;
    return RC_OK;
}
