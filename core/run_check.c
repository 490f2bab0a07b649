/* Configurations that cannot work are refused before anything is touched. */
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "outfile.h"
#include "run_internal.h"

/* What a run would write, with who writes it. */
struct claim {
    char *path; /* resolved as far as its folders exist; "-" for standard output */
    char *given;
    const char *who;
};

struct claims {
    struct claim *items;
    size_t n, cap;
};

static char *join(const char *dir, const char *base)
{
    size_t bytes = strlen(dir) + strlen(base) + 2;
    char *joined = malloc(bytes);
    if (joined)
        (void)snprintf(joined, bytes, "%s/%s", dir, base);
    return joined;
}

/* Without what means nothing ("//", "/./"), also where a folder is yet to be made. */
static char *resolve(const char *path)
{
    char *resolved = realpath(path, NULL);
    if (resolved)
        return resolved;
    char *for_dir = strdup(path), *for_base = strdup(path);
    if (for_dir && for_base) {
        const char *dir = dirname(for_dir), *base = basename(for_base);
        char *parent = strcmp(dir, path) != 0 ? resolve(dir) : strdup(dir);
        if (parent && strcmp(base, ".") == 0) {
            resolved = parent;
            parent = NULL;
        } else if (parent) {
            resolved = join(parent, base);
        }
        free(parent);
    }
    free(for_dir);
    free(for_base);
    return resolved;
}

static bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* Is `path` somewhere in what would have to be a folder of that name? */
static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static enum rc refuse_both(const struct claim *file, const struct claim *below, struct err *e)
{
    return err_set(e, RC_USAGE, "%s and %s: %s cannot be a file and a folder", file->who,
                   below->who, file->given);
}

static enum rc tell_apart(const struct claim *a, const struct claim *b, struct err *e)
{
    if (strcmp(a->path, b->path) == 0)
        return err_set(e, RC_USAGE, "%s and %s would both write %s", a->who, b->who, b->given);
    if (is_below(b->path, a->path))
        return refuse_both(a, b, e);
    return is_below(a->path, b->path) ? refuse_both(b, a, e) : RC_OK;
}

static enum rc claim_path(struct claims *c, const char *path, const char *who, struct err *e)
{
    struct claim claim = {is_stdout(path) ? strdup(path) : resolve(path), strdup(path), who};
    struct claim *items = NULL;
    if (claim.path && claim.given)
        items = list_grow(c->items, c->n, &c->cap, sizeof *items);
    if (!items) {
        free(claim.path);
        free(claim.given);
        return err_nomem(e);
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < c->n; i++)
        rc = tell_apart(&items[i], &claim, e);
    c->items = items;
    c->items[c->n++] = claim;
    return rc;
}

static void claims_free(struct claims *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].path);
        free(c->items[i].given);
    }
    free(c->items);
}

/* What went into a pipe cannot be taken back, so a run could not go on with it. */
static enum rc refuse_stream(const char *who, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s: a run with --state writes to files and webhooks only, not to standard "
                   "output, pipes and devices",
                   who);
}

static enum rc claim_sink(struct claims *c, const struct outlet *o, bool has_state, struct err *e)
{
    struct buf paths;
    buf_init(&paths, 1024 * 1024);
    enum rc rc = o->ops->paths(&o->cfg, &paths, e);
    if (rc == RC_OK && buf_rc(&paths) != RC_OK)
        rc = err_nomem(e);
    for (size_t at = 0; rc == RC_OK && at < paths.len; at += strlen(paths.data + at) + 1) {
        if (has_state && !outfile_is_file(paths.data + at))
            rc = refuse_stream(o->cfg.spec, e);
        else
            rc = claim_path(c, paths.data + at, o->cfg.spec, e);
    }
    buf_free(&paths);
    return rc;
}

static enum rc claim_file(struct claims *c, const char *path, const char *option, struct err *e)
{
    if (!path)
        return RC_OK;
    enum rc rc = outfile_check(path, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", option);
    return rc == RC_OK ? claim_path(c, path, option, e) : rc;
}

/* No output may take the place of a file that is read; `what` and `name` say in a message which. */
static enum rc spare(const struct claims *c, const char *path, const char *what, const char *name,
                     struct err *e)
{
    enum rc rc = RC_OK;
    if (!outfile_is_file(path))
        return RC_OK;
    char *resolved = resolve(path);
    if (!resolved)
        return err_nomem(e);
    for (size_t i = 0; rc == RC_OK && i < c->n; i++) {
        if (strcmp(c->items[i].path, resolved) == 0)
            rc = err_set(e, RC_USAGE, "%s would overwrite %s %s; name another file",
                         c->items[i].who, what, name);
    }
    free(resolved);
    return rc;
}

/* With an input's IDs would go those that a stopped run has still to do; of a key or a profile there
 * may be no other copy. */
static enum rc spare_all(const struct claims *c, const struct run_cfg *cfg,
                         const struct outlet *outlets, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < cfg->ids.n_files; i++)
        rc = spare(c, cfg->ids.files[i], "the input", cfg->ids.files[i], e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_reads; i++)
        rc = spare(c, cfg->reads[i].path, "the file of", cfg->reads[i].option, e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_sinks; i++) {
        const struct outlet *o = &outlets[i];
        const char *path = o->ops->secret_file ? o->ops->secret_file(&o->cfg) : NULL;
        if (path)
            rc = spare(c, path, "the secret-file of", o->cfg.spec, e);
    }
    return rc;
}

static enum rc check_paths(const struct run_cfg *cfg, const struct outlet *outlets, struct err *e)
{
    struct claims c = {0};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < cfg->n_sinks; i++)
        rc = claim_sink(&c, &outlets[i], cfg->state_path != NULL, e);
    if (rc == RC_OK)
        rc = claim_file(&c, cfg->failed_path, "--failed", e);
    if (rc == RC_OK)
        rc = claim_file(&c, cfg->missing_path, "--missing", e);
    if (rc == RC_OK)
        rc = claim_file(&c, cfg->manifest_path, "--manifest", e);
    if (rc == RC_OK && cfg->state_path)
        rc = claim_path(&c, cfg->state_path, "--state", e);
    if (rc == RC_OK)
        rc = spare_all(&c, cfg, outlets, e);
    if (rc == RC_OK && cfg->state_path)
        rc = state_check(cfg->state_path, e);
    claims_free(&c);
    return rc;
}

static enum rc check_stdout(const struct run_cfg *cfg, struct err *e)
{
    const char *first = NULL;
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        if (!is_stdout(cfg->sinks[i].cfg.target))
            continue;
        if (first)
            return err_set(e, RC_USAGE, "%s and %s: only one sink can write to standard output",
                           first, cfg->sinks[i].cfg.spec);
        first = cfg->sinks[i].cfg.spec;
    }
    return RC_OK;
}

enum rc run_check(const struct run_cfg *cfg, const struct outlet *outlets, struct err *e)
{
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        enum rc rc = outlets[i].ops->check(&outlets[i].cfg, e);
        if (rc != RC_OK)
            return rc;
    }
    enum rc rc = check_stdout(cfg, e);
    return rc == RC_OK ? check_paths(cfg, outlets, e) : rc;
}
