#include "sinks/postgres/command.h"

#include <string.h>

#include "sinks/postgres/link.h"
#include "sinks/postgres/options.h"

enum rc pg_take_password(const struct sink_cfg *cfg, const char **out, struct err *e)
{
    *out = NULL;
    if (secrets_take_variable(cfg->secrets, "PGPASSWORD", out) != RC_OK ||
        (*out && secrets_add(cfg->secrets, str_c(*out)) != RC_OK))
        return err_nomem(e);
    return RC_OK;
}

static enum rc check_names(const struct pg_opts *opts, struct err *e)
{
    const char *const names[] = {opts->schema, opts->prefix};
    for (size_t i = 0; i < 2; i++) {
        const char *what = i ? "prefix" : "schema";
        if (!names[i])
            continue;
        if (!*names[i] || !utf8_valid(names[i], strlen(names[i])))
            return err_set(e, RC_USAGE, "postgres: %s=: must be a name in UTF-8", what);
        if (strlen(names[i]) > 63)
            return err_set(e, RC_USAGE, "postgres: %s=: a name has at most 63 bytes", what);
    }
    return RC_OK;
}

enum rc pg_make_relations(struct pg_place *p, const struct sink_cfg *cfg, struct arena *memory,
                          struct err *e)
{
    const struct pg_opts *opts = cfg->opts;
    *p = (struct pg_place){.provider = cfg->profile->name,
                           .max_gone = &cfg->max_gone,
                           .mode = (enum sql_mode)opts->mode,
                           .deletes = (enum sql_deletes)opts->deletes,
                           .all_text = opts->types == TYPES_TEXT};
    for (size_t i = 0; (p->dialect = sql_dialect(i)); i++) {
        if (strcmp(p->dialect->name, "postgres") == 0)
            break;
    }
    return sql_relations_make(&p->relations, memory, p->dialect, cfg->profile, opts->prefix,
                              p->all_text, e);
}

enum rc pg_check(const struct sink_cfg *cfg, struct err *e)
{
    struct pg_place place;
    struct arena memory;
    const char *password;
    enum rc rc = pg_conninfo_check(cfg->target, cfg->secrets, e);
    if (rc == RC_OK)
        rc = check_names(cfg->opts, e);
    const struct pg_opts *opts = cfg->opts;
    if (rc == RC_OK)
        rc = sql_load_options_check((enum sql_mode)opts->mode, (enum sql_deletes)opts->deletes,
                                    cfg->spec, e);
    if (rc == RC_OK)
        rc = pg_take_password(cfg, &password, e);
    if (rc != RC_OK)
        return rc;
    arena_init(&memory, PG_MEMORY_MAX);
    rc = pg_make_relations(&place, cfg, &memory, e);
    arena_free(&memory);
    if (rc != RC_OK)
        err_prefix(e, "%s", cfg->spec);
    return rc;
}
