#include "core/run/run_targets.h"

#include <stdlib.h>

#include "core/file/folder.h"
#include "core/file/outfile.h"

#define TEXTS_BYTES_MAX ((size_t)64 << 20)
#define PATHS_BYTES_MAX ((size_t)16 << 20)
#define TARGET_BYTES_MAX ((size_t)1 << 20)
#define DAY_CHARS 10

struct values {
    char day[25];
    const char *run_id;
    const struct shard *shard;
};

/* ---- one text ------------------------------------------------------------------------------- */

static bool put_value(struct buf *out, struct str name, const struct values *v)
{
    if (str_eq(name, STR("date")))
        buf_add(out, v->day, DAY_CHARS);
    else if (str_eq(name, STR("run_id")))
        buf_adds(out, v->run_id);
    else if (str_eq(name, STR("shard")) && v->shard->of)
        buf_addf(out, "%u", v->shard->index);
    else
        return false;
    return true;
}

/* Text in other braces is left unchanged. */
static void fill(struct buf *out, const char *text, const struct values *v)
{
    for (const char *p = text; *p; p++) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (end && put_value(out, (struct str){p + 1, (size_t)(end - p - 1)}, v))
            p = end;
        else
            buf_addc(out, *p);
    }
}

static enum rc fill_text(struct run_targets *t, const char **text, const struct values *v,
                         struct err *e)
{
    struct buf filled;
    if (!*text || !strchr(*text, '{'))
        return RC_OK;
    buf_init(&filled, TARGET_BYTES_MAX);
    fill(&filled, *text, v);
    const char *copy = buf_rc(&filled) == RC_OK ? arena_strdup(&t->memory, buf_str(&filled)) : NULL;
    buf_free(&filled);
    if (!copy)
        return err_nomem(e);
    *text = copy;
    return RC_OK;
}

/* Does the name of the folder depend on the run? Then nobody else can have made it. */
static bool makes_folder(const char *given, const char *filled)
{
    const char *slash = strrchr(given, '/');
    size_t n = slash ? (size_t)(slash - given) : 0;
    return !outfile_is_url(given) && strncmp(given, filled, n + (slash != NULL)) != 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* A target that is not a file (a webhook's URL) is left unchanged. */
static bool writes_files(const struct run_sink_cfg *sink)
{
    struct buf paths;
    struct err ignored;
    buf_init(&paths, PATHS_BYTES_MAX);
    bool writes = sink->ops->paths(&sink->cfg, &paths, &ignored) == RC_OK && paths.len > 0;
    buf_free(&paths);
    return writes;
}

enum rc run_targets_fill(struct run_targets *t, const struct run_cfg *given, const char *run_id,
                         int64_t started_wall_ms, struct err *e)
{
    struct values v = {.run_id = run_id, .shard = &given->shard};
    clock_format(started_wall_ms, v.day);
    if (!t->files) {
        arena_init(&t->memory, TEXTS_BYTES_MAX);
        t->files = calloc(given->n_files + 1, sizeof *t->files);
    }
    if (!t->files)
        return err_nomem(e);
    t->given = given;
    t->cfg = *given;
    t->cfg.sinks = t->sinks;
    t->cfg.files = t->files;
    enum rc rc = fill_text(t, &t->cfg.failed_path, &v, e);
    if (rc == RC_OK)
        rc = fill_text(t, &t->cfg.missing_path, &v, e);
    if (rc == RC_OK)
        rc = fill_text(t, &t->cfg.schema_path, &v, e);
    if (rc == RC_OK)
        rc = fill_text(t, &t->cfg.manifest_path, &v, e);
    for (size_t i = 0; rc == RC_OK && i < given->n_sinks; i++) {
        t->sinks[i] = given->sinks[i];
        if (writes_files(&t->sinks[i]))
            rc = fill_text(t, &t->sinks[i].cfg.target, &v, e);
        t->sinks[i].cfg.makes_folder =
            makes_folder(given->sinks[i].cfg.target, t->sinks[i].cfg.target);
    }
    for (size_t i = 0; rc == RC_OK && i < given->n_files; i++) {
        t->files[i] = given->files[i];
        if (t->files[i].use == FILE_WRITTEN)
            rc = fill_text(t, &t->files[i].path, &v, e);
        t->files[i].makes_folder = makes_folder(given->files[i].path, t->files[i].path);
    }
    return rc;
}

static enum rc make_folder(const char *path, struct err *e)
{
    if (!outfile_is_file(path))
        return RC_OK;
    char *folder = folder_of(path);
    enum rc rc = folder ? outfile_make_dirs(folder, e) : err_nomem(e);
    free(folder);
    return rc;
}

enum rc run_targets_make_folders(const struct run_targets *t, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < t->cfg.n_sinks; i++) {
        if (t->sinks[i].cfg.makes_folder)
            rc = make_folder(t->sinks[i].cfg.target, e);
    }
    for (size_t i = 0; rc == RC_OK && i < t->cfg.n_files; i++) {
        if (t->files[i].makes_folder)
            rc = make_folder(t->files[i].path, e);
    }
    return rc;
}

void run_targets_free(struct run_targets *t)
{
    if (t->files)
        arena_free(&t->memory);
    free(t->files);
    *t = (struct run_targets){0};
}

/* ---- what another run left -------------------------------------------------------------------- */

static void discard(const struct run_targets *then, const char *path, const char *now)
{
    if (path && now && strcmp(path, now) != 0)
        outfile_discard(then->cfg.places, path);
}

static void discard_sink(const struct run_sink_cfg *then, const struct run_sink_cfg *now)
{
    struct buf paths;
    struct err ignored;
    if (strcmp(then->cfg.target, now->cfg.target) == 0)
        return;
    buf_init(&paths, PATHS_BYTES_MAX);
    if (then->ops->paths(&then->cfg, &paths, &ignored) == RC_OK && buf_rc(&paths) == RC_OK) {
        for (size_t at = 0; at < paths.len; at += strlen(paths.data + at) + 1)
            outfile_discard(then->cfg.places, paths.data + at);
    }
    buf_free(&paths);
}

void run_targets_discard(const struct run_targets *then, const struct run_targets *now)
{
    for (size_t i = 0; i < then->cfg.n_sinks; i++)
        discard_sink(&then->sinks[i], &now->sinks[i]);
    discard(then, then->cfg.failed_path, now->cfg.failed_path);
    discard(then, then->cfg.missing_path, now->cfg.missing_path);
    discard(then, then->cfg.schema_path, now->cfg.schema_path);
    discard(then, then->cfg.manifest_path, now->cfg.manifest_path);
}
