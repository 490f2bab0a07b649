/* What must be the same for a run to be resumed, and in all shards for their outputs to be merged. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/export.h"
#include "core/file/digest.h"

#define VALUE_BYTES_MAX ((size_t)1 << 20)
#define OPTION_BYTES 64

void settings_free(struct settings *t)
{
    arena_free(&t->memory);
    free(t->items);
    *t = (struct settings){0};
}

enum rc settings_add(struct settings *t, const char *name, struct str value, struct err *e)
{
    if (!t->items) {
        t->items = calloc(SETTINGS_MAX, sizeof *t->items);
        arena_init(&t->memory, (size_t)SETTINGS_MAX * VALUE_BYTES_MAX);
    }
    if (!t->items)
        return err_nomem(e);
    if (t->n == SETTINGS_MAX)
        return err_set(e, RC_USAGE, "--state: a command can have at most %d options", SETTINGS_MAX);
    const char *name_copy = arena_strdup(&t->memory, str_c(name));
    const char *value_copy = arena_strdup(&t->memory, value);
    if (!name_copy || !value_copy)
        return err_nomem(e);
    t->items[t->n++] = (struct state_setting){str_c(name_copy), {value_copy, value.len}};
    return RC_OK;
}

static enum rc add_buf(struct settings *to, const char *name, struct buf *value, struct err *e)
{
    enum rc rc = buf_rc(value) == RC_OK ? settings_add(to, name, buf_str(value), e) : err_nomem(e);
    buf_clear(value);
    return rc;
}

/* A profile is identified by its content, not by the name of its file. A built-in one may differ in another version of
 * the program. */
static enum rc add_provider(struct export *x, struct settings *to, struct buf *value, struct err *e)
{
    buf_add_str(value, x->profile->name);
    buf_addf(value, " (%016llx)", (unsigned long long)x->profile->digest);
    enum rc rc = add_buf(to, "--provider", value, e);
    arguments_redact_url(value, x->cfg.base_url);
    return rc == RC_OK ? add_buf(to, "the server", value, e) : rc;
}

static enum rc add_params(struct export *x, struct settings *to, struct buf *value, struct err *e)
{
    const struct profile *p = x->profile;
    const struct text_list *given = &x->options.params;
    enum rc rc = RC_OK;
    /* All of them together say which lists there are, and in which order. */
    for (size_t i = 0; rc == RC_OK && x->options.all && i < given->n; i++)
        rc = settings_add(to, "--param", str_c(given->items[i]), e);
    for (size_t i = 0; rc == RC_OK && i < p->n_params; i++) {
        if (!x->defaults[i].ptr)
            continue;
        buf_add_str(value, p->params[i]);
        buf_addc(value, '=');
        buf_add_str(value, x->defaults[i]);
        rc = add_buf(to, "--param", value, e);
    }
    return rc;
}

/* The shard that was found, because "auto" is different on each machine. Its run matters where shards become one in a database:
 * leads of a run that was cut off must not get into another one. */
static enum rc add_shard(struct export *x, struct buf *value, struct err *e)
{
    const char *run = x->sink_shard.name;
    bool is_together = x->shard_digest[0];
    if (!x->cfg.shard.of)
        return RC_OK;
    buf_addf(value, "%u/%u", x->cfg.shard.index, x->cfg.shard.of);
    enum rc rc = add_buf(&x->settings, "--shard", value, e);
    return rc == RC_OK && is_together && run
               ? settings_add(&x->settings, "--shard-run", str_c(run), e)
               : rc;
}

/* What a sink has accepted only counts for the same sink with leads from the same provider and server. */
static enum rc set_identity(struct export *x, size_t sink, struct buf *value, struct err *e)
{
    buf_addf(value, " of %s at ", x->profile->name.ptr);
    arguments_redact_url(value, x->cfg.base_url);
    for (const struct option_spec *o = export_option_specs; o->name; o++) {
        size_t n = o->identity ? option_count_values(o, &x->options) : 0;
        for (size_t i = 0; i < n; i++) {
            buf_addf(value, ", %s ", o->identity);
            option_put_value(value, o, &x->options, i);
        }
    }
    x->run_sinks[sink].identity = arena_strdup(&x->settings.memory, buf_str(value));
    bool made = buf_rc(value) == RC_OK && x->run_sinks[sink].identity;
    buf_clear(value);
    return made ? RC_OK : err_nomem(e);
}

static enum rc add_sinks(struct export *x, const char *folder, struct buf *value, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < x->n_specs; i++) {
        const char *target = x->specs[i].target;
        sink_spec_identity(&x->specs[i], folder, value);
        if (!strstr(target, "://") && target[0] != '/')
            buf_addf(value, " in %s", folder); /* the folder to which the path is relative */
        rc = buf_rc(value) == RC_OK ? settings_add(&x->settings, "--to", buf_str(value), e)
                                    : err_nomem(e);
        if (rc == RC_OK)
            rc = set_identity(x, i, value, e);
    }
    if (rc != RC_OK || x->cfg.n_sinks == x->n_specs)
        return rc;
    buf_addf(value, "%s in %s", x->run_sinks[x->n_specs].cfg.spec, folder);
    rc = add_buf(&x->settings, "--to", value, e);
    return rc == RC_OK ? set_identity(x, x->n_specs, value, e) : rc;
}

/* Adds all other options of the table, except for those with one of the flags. */
static enum rc add_options(struct export *x, struct settings *to, unsigned flags,
                           const char *folder, struct buf *value, struct err *e)
{
    enum rc rc = RC_OK;
    for (const struct option_spec *o = export_option_specs; rc == RC_OK && o->name; o++) {
        char name[OPTION_BYTES];
        size_t n = o->flags & flags ? 0 : option_count_values(o, &x->options);
        (void)snprintf(name, sizeof name, "--%s", o->name);
        for (size_t i = 0; rc == RC_OK && i < n; i++) {
            option_put_identity(value, o, &x->options, i, folder);
            rc = add_buf(to, name, value, e);
        }
    }
    return rc;
}

enum rc export_set_settings(struct export *x, struct err *e)
{
    char folder[PATH_MAX];
    struct buf value;
    if (!getcwd(folder, sizeof folder))
        return err_sys(e, RC_USAGE, errno, "the working directory");
    buf_init(&value, VALUE_BYTES_MAX);
    /* Another version of leadpipe may write other bytes. */
    enum rc rc = settings_add(&x->settings, "leadpipe", STR(LEADPIPE_VERSION), e);
    if (rc == RC_OK)
        rc = add_provider(x, &x->settings, &value, e);
    if (rc == RC_OK)
        rc = add_params(x, &x->settings, &value, e);
    if (rc == RC_OK)
        rc = add_shard(x, &value, e);
    if (rc == RC_OK)
        rc = add_sinks(x, folder, &value, e);
    if (rc == RC_OK)
        rc = add_options(x, &x->settings, OPTION_MAY_CHANGE | OPTION_RESOLVED, folder, &value, e);
    buf_free(&value);
    x->cfg.settings = x->settings.items;
    x->cfg.n_settings = x->settings.n;
    return rc;
}

/* ---- shards ---------------------------------------------------------------------------------- */

static bool has_typed_groups(const struct export *x)
{
    bool has = false;
    for (size_t i = 0; i < x->n_specs; i++)
        has |= x->specs[i].ops->keeps != NULL && x->specs[i].ops->merge;
    return has;
}

/* Paths and states differ from shard to shard. */
static enum rc add_forms(struct export *x, struct buf *value, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < x->n_specs; i++) {
        sink_spec_form(&x->specs[i], value);
        rc = add_buf(&x->rows_settings, "--to", value, e);
    }
    if (rc == RC_OK && has_typed_groups(x)) { /* the size of row groups depends on it */
        buf_addf(value, "%lld", (long long)x->options.max_memory_bytes);
        rc = add_buf(&x->rows_settings, "--max-memory", value, e);
    }
    return rc;
}

static enum rc list_rows_settings(struct export *x, struct err *e)
{
    const struct settings *t = &x->rows_settings;
    struct rows_setting *list = calloc(t->n, sizeof *list);
    if (!list)
        return err_nomem(e);
    for (size_t i = 0; i < t->n; i++)
        list[i] = (struct rows_setting){t->items[i].name, t->items[i].value};
    x->rows.header = (struct rows_header){.max_columns = x->cfg.max_columns,
                                          .max_missing = x->cfg.max_missing,
                                          .settings = list,
                                          .n_settings = t->n};
    return RC_OK;
}

enum rc export_set_rows_settings(struct export *x, struct err *e)
{
    struct buf value;
    buf_init(&value, VALUE_BYTES_MAX);
    enum rc rc = settings_add(&x->rows_settings, "leadpipe", STR(LEADPIPE_VERSION), e);
    if (rc == RC_OK)
        rc = add_provider(x, &x->rows_settings, &value, e);
    if (rc == RC_OK)
        rc = add_params(x, &x->rows_settings, &value, e);
    if (rc == RC_OK)
        rc = add_forms(x, &value, e);
    if (rc == RC_OK)
        rc = add_options(x, &x->rows_settings, OPTION_MAY_CHANGE | OPTION_RESOLVED | OPTION_PACKING,
                         "", &value, e);
    buf_free(&value);
    return rc == RC_OK ? list_rows_settings(x, e) : rc;
}

/* Each with its length, so that no two lists of settings have the same digest. */
static enum rc digest_settings(struct export *x, struct err *e)
{
    const struct settings *t = &x->shard_settings;
    struct digest *d = digest_new();
    if (!d)
        return err_nomem(e);
    for (size_t i = 0; i < t->n; i++) {
        const struct str texts[] = {t->items[i].name, t->items[i].value};
        for (size_t k = 0; k < 2; k++) {
            char length[24];
            int n = snprintf(length, sizeof length, "%zu ", texts[k].len);
            digest_add(d, length, (size_t)n);
            digest_add(d, texts[k].ptr, texts[k].len);
        }
    }
    digest_end(d, x->shard_digest);
    digest_free(d);
    return x->shard_digest[0] ? RC_OK : err_nomem(e);
}

/* What other sinks get does not matter; the sink's own options are its own business. */
enum rc export_set_shard_settings(struct export *x, struct err *e)
{
    struct settings *to = &x->shard_settings;
    struct buf value;
    buf_init(&value, VALUE_BYTES_MAX);
    enum rc rc = settings_add(to, "leadpipe", STR(LEADPIPE_VERSION), e);
    if (rc == RC_OK)
        rc = add_provider(x, to, &value, e);
    if (rc == RC_OK)
        rc = add_params(x, to, &value, e);
    if (rc == RC_OK)
        rc =
            add_options(x, to, OPTION_MAY_CHANGE | OPTION_RESOLVED | OPTION_PACKING, "", &value, e);
    buf_addf(&value, "%zu", x->cfg.max_columns);
    if (rc == RC_OK)
        rc = add_buf(to, "--max-columns", &value, e);
    buf_free(&value);
    return rc == RC_OK ? digest_settings(x, e) : rc;
}
