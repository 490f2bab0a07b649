#include "core/source/ids_item.h"

#include "core/source/ids_text.h"

static size_t n_params(const struct ids_cfg *cfg)
{
    return cfg->profile ? cfg->profile->n_params : 0;
}

/* The index of the first parameter without a value, or -1. `params` may be NULL: there are only defaults. */
int ids_missing_param(const struct ids_cfg *cfg, const struct str *params)
{
    for (size_t i = 0; i < n_params(cfg); i++) {
        bool has_default = cfg->defaults && cfg->defaults[i].ptr;
        if (!has_default && !(params && params[i].ptr))
            return (int)i;
    }
    return -1;
}

enum rc ids_missing_error(const struct ids_cfg *cfg, int param, enum rc rc, struct err *e)
{
    struct str name = cfg->profile->params[param];
    return err_set(e, rc,
                   STR_FMT " is missing: give --param " STR_FMT "=VALUE, or the column " STR_FMT
                           " in csv or ndjson input",
                   STR_ARG(name), STR_ARG(name), STR_ARG(name));
}

enum rc ids_check_defaults(const struct ids_cfg *cfg, struct err *e)
{
    for (size_t i = 0; cfg->defaults && i < n_params(cfg); i++) {
        struct str value = ids_trim(cfg->defaults[i]);
        struct err why;
        if (value.ptr && ids_value_check(cfg->profile->params[i], value, &why) != RC_OK)
            return err_set(e, RC_USAGE, "--param: %s", why.msg);
    }
    return RC_OK;
}

bool ids_found_complete(const struct ids_cfg *cfg, struct ids_found *f)
{
    if (f->bad.rc != RC_OK || id_check(f->id, &f->bad) != RC_OK)
        return false;
    int missing = ids_missing_param(cfg, f->params);
    if (missing >= 0) {
        (void)ids_missing_error(cfg, missing, RC_SYNTAX, &f->bad);
        return false;
    }
    for (size_t i = 0; i < n_params(cfg); i++) {
        if (!f->params[i].ptr)
            f->params[i] = ids_trim(cfg->defaults[i]);
        else if (ids_value_check(cfg->profile->params[i], f->params[i], &f->bad) != RC_OK)
            return false;
    }
    return true;
}

static enum rc copy_str(struct arena *a, struct str *s)
{
    if (!s->ptr)
        return RC_OK;
    s->ptr = arena_strdup(a, *s);
    return s->ptr ? RC_OK : RC_NOMEM;
}

/* The item of a bad line has an ID only if it is complete: the list of failed leads may be used as an input, and a
 * truncated or altered ID would be that of another lead. */
static bool shows_id(struct str id)
{
    return id.ptr && id.len && id.len <= ID_BYTES_MAX && utf8_valid(id.ptr, id.len);
}

enum rc ids_item_make(const struct ids_cfg *cfg, const struct ids_found *found, bool bad,
                      const char *file, struct arena *a, struct id_item *out)
{
    struct id_item item = {.id = found->id, .file = file, .line = found->line};
    if (bad) {
        if (!shows_id(item.id))
            item.id = STR_NONE;
        item.bad = arena_strdup(a, str_c(found->bad.msg));
        if (!item.bad)
            return RC_NOMEM;
    }
    enum rc rc = copy_str(a, &item.id);
    if (rc == RC_OK && n_params(cfg)) {
        item.params = arena_array(a, n_params(cfg), sizeof *item.params);
        rc = item.params ? RC_OK : RC_NOMEM;
    }
    for (size_t i = 0; rc == RC_OK && i < n_params(cfg); i++) {
        if (bad && !shows_id(found->params[i]))
            continue;
        item.params[i] = found->params[i];
        rc = copy_str(a, &item.params[i]);
    }
    if (rc == RC_OK)
        *out = item;
    return rc;
}
