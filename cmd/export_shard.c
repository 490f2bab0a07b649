/* Which shard a run does, and which outputs, state and rate it therefore has. */
#include <string.h>

#include "cmd/export.h"
#include "cmd/shard_auto.h"
#include "core/file/descriptor.h"

#define STATE_PATH_BYTES_MAX ((size_t)1 << 16)
#define PLACEHOLDER "{shard}"

/* Without --shard, {shard} would be part of a file name, and the runs of all shards would write to that file. */
static enum rc refuse_placeholder(const char *option, const char *text, struct err *e)
{
    if (!text || !strstr(text, PLACEHOLDER))
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "%s: %s: " PLACEHOLDER " is the number of the shard, and needs --shard", option,
                   text);
}

/* Braces in such a target may have another meaning. */
static bool is_web_url(const char *target)
{
    return strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0;
}

static enum rc check_unsharded(const struct export *x, struct err *e)
{
    const struct export_options *o = &x->options;
    const struct {
        const char *option, *text;
    } named[] = {
        {"--failed", o->failed_path}, {"--missing", o->missing_path},
        {"--schema", o->schema_path}, {"--manifest", o->manifest_path},
        {"--state", o->state_path},
    };
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof named / sizeof *named; i++)
        rc = refuse_placeholder(named[i].option, named[i].text, e);
    for (size_t i = 0; rc == RC_OK && i < x->n_specs; i++) {
        rc = is_web_url(x->specs[i].target) ? RC_OK
                                            : refuse_placeholder("--to", x->specs[i].label, e);
    }
    return rc;
}

/* What --changed-only leaves out because a sink has accepted it may never have got into the tables, if the other shards were
 * not done. */
static enum rc check_changed_only(const struct export *x, const struct sink_spec *s, struct err *e)
{
    if (s->ops->shards != SINK_SHARDS_TOGETHER || !x->options.changed_only)
        return RC_OK;
    return err_set(
        e, RC_USAGE,
        "--shard: %s: --changed-only cannot be used with a %s sink, which does not write rows that "
        "are the same anyway; use a command of its own for this sink",
        s->label, s->ops->name);
}

static enum rc check_sinks(const struct export *x, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < x->n_specs; i++)
        rc = check_changed_only(x, &x->specs[i], e);
    return rc;
}

static enum rc check_run_name(const struct export *x, struct err *e)
{
    if (!x->options.shard_run)
        return RC_OK;
    enum rc rc = shard_run_check(x->options.shard_run, e);
    if (rc != RC_OK)
        err_prefix(e, "--shard-run");
    return rc;
}

/* Fills in {shard} as in the outputs (core/run/run_targets.c), but earlier. */
static enum rc name_state(struct export *x, struct err *e)
{
    const char *rest = x->options.state_path;
    if (!rest)
        return RC_OK;
    buf_init(&x->state_path, STATE_PATH_BYTES_MAX);
    for (const char *at; (at = strstr(rest, PLACEHOLDER)); rest = at + strlen(PLACEHOLDER)) {
        buf_add(&x->state_path, rest, (size_t)(at - rest));
        buf_addf(&x->state_path, "%u", x->cfg.shard.index);
    }
    buf_adds(&x->state_path, rest);
    x->options.state_path = buf_cstr(&x->state_path);
    return buf_rc(&x->state_path) == RC_OK ? RC_OK : err_nomem(e);
}

enum rc export_set_shard(struct export *x, struct err *e)
{
    const char *text = x->options.shard;
    if (!text)
        return check_unsharded(x, e);
    bool is_auto = strcmp(text, "auto") == 0;
    enum rc rc =
        is_auto ? shard_auto(&x->cfg.shard, x->shard_run, e) : shard_parse(&x->cfg.shard, text, e);
    if (rc != RC_OK) {
        err_prefix(e, is_auto ? "--shard auto" : "--shard");
        return rc;
    }
    rc = check_run_name(x, e);
    if (rc == RC_OK)
        rc = check_sinks(x, e);
    return rc == RC_OK ? name_state(x, e) : rc;
}

static enum rc set_together(struct export *x, struct err *e)
{
    const char *name = x->options.shard_run ? x->options.shard_run : x->shard_run;
    bool is_needed = false;
    for (size_t i = 0; x->cfg.shard.of && i < x->n_specs; i++) {
        if (x->specs[i].ops->shards != SINK_SHARDS_TOGETHER)
            continue;
        x->run_sinks[i].cfg.shard = &x->sink_shard;
        is_needed = true;
    }
    x->sink_shard = (struct sink_shard){.index = x->cfg.shard.index,
                                        .of = x->cfg.shard.of,
                                        .name = *name ? name : NULL,
                                        .settings = x->shard_digest};
    return is_needed ? export_set_shard_settings(x, e) : RC_OK;
}

/* A manifest that goes to a descriptor has no folder for a companion. */
static enum rc set_rows(struct export *x, struct err *e)
{
    static const char label[] = ROWS_LABEL;
    const char *manifest = x->options.manifest_path;
    if (!x->cfg.shard.of || !manifest || descriptor_written(manifest) >= 0)
        return RC_OK;
    if (x->n_specs == RUN_SINKS_MAX)
        return err_set(e, RC_USAGE, "--shard: at most %d sinks are allowed with --manifest",
                       RUN_SINKS_MAX - 1);
    buf_init(&x->rows_path, STATE_PATH_BYTES_MAX);
    buf_addf(&x->rows_path, "%s%s" ROWS_SUFFIX, label, manifest);
    const char *path = buf_cstr(&x->rows_path);
    if (buf_rc(&x->rows_path) != RC_OK)
        return err_nomem(e);
    x->run_sinks[x->n_specs] = (struct run_sink_cfg){
        .ops = &sink_rows,
        .cfg =
            {
                .spec = path,
                .target = path + strlen(label),
                .opts = &x->rows,
                .want_sha256 = true,
                .max_memory = (size_t)x->options.max_memory_bytes,
                .clock = &clock_system,
                .log = &x->messages->hook,
                .secrets = x->secrets,
            },
    };
    x->cfg.n_sinks = x->n_specs + 1;
    return export_set_rows_settings(x, e);
}

enum rc export_set_shard_sinks(struct export *x, struct err *e)
{
    enum rc rc = set_together(x, e);
    return rc == RC_OK ? set_rows(x, e) : rc;
}
