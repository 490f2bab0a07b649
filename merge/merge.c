#include "merge/merge.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/open_files.h"
#include "core/base/units.h"
#include "core/file/descriptor.h"
#include "core/file/folder.h"
#include "core/file/outfile.h"
#include "core/run/manifest.h"
#include "core/run/run_check.h"
#include "merge/list_merge.h"
#include "merge/merge_sinks.h"
#include "merge/merge_totals.h"

#define PATHS_BYTES_MAX ((size_t)16 << 20)
#define FILES_BESIDE 64 /* descriptors for everything but the shards' files */

struct output {
    size_t from; /* index of the shards' sink that it combines */
    struct sink *sink;
    struct sink_merge in;
    struct sink_misfits *misfits;
};

struct merge {
    struct merge_cfg cfg;
    struct shard_set set;
    struct column_union columns;
    struct run_sink_cfg *sinks; /* of run_cfg */
    struct output *outputs;
    const char **inputs; /* paths of all files that are read */
    struct run_cfg run_cfg;
    struct run_result result;
    struct sink_result *results;
    struct outfile *failed, *missing, *manifest;
};

const struct run_result *merge_result(const struct merge *m)
{
    return &m->result;
}

const struct run_cfg *merge_run_cfg(const struct merge *m)
{
    return &m->run_cfg;
}

void merge_free(struct merge *m)
{
    if (!m)
        return;
    outfile_close(m->failed, false);
    outfile_close(m->missing, false);
    outfile_close(m->manifest, false);
    for (size_t i = 0; m->outputs && i < m->cfg.n_specs; i++) {
        if (m->outputs[i].sink)
            m->outputs[i].sink->ops->close(m->outputs[i].sink);
        free(m->outputs[i].misfits);
    }
    free(m->outputs);
    free(m->results);
    free(m->sinks);
    free(m->inputs);
    column_union_free(&m->columns);
    shard_set_free(&m->set);
    free(m);
}

/* ---- what is read and written ---------------------------------------------------------------- */

static enum rc add_input(struct merge *m, const struct shard_manifest *of,
                         const struct named_file *file, struct err *e)
{
    if (!file->path)
        return RC_OK;
    if (outfile_is_url(file->path) || descriptor_written(file->path) >= 0)
        return err_set(e, RC_USAGE,
                       "%s: names %s, and only local files can be merged; copy the outputs of the "
                       "shards, with their manifests, to this machine first",
                       of->path, file->path);
    m->inputs[m->run_cfg.ids.n_files++] = file->path;
    return RC_OK;
}

/* Lists all files that are read, so that no output can replace one of them. */
static enum rc list_inputs(struct merge *m, struct err *e)
{
    size_t most = 0;
    for (size_t i = 0; i < m->set.n; i++) {
        most += 4;
        for (size_t k = 0; k < m->cfg.n_specs; k++)
            most += m->set.shards[i].sinks[m->outputs[k].from].n_files;
    }
    m->inputs = calloc(most + 1, sizeof *m->inputs);
    if (!m->inputs)
        return err_nomem(e);
    m->run_cfg.ids.files = m->inputs;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->set.n; i++) {
        const struct shard_manifest *one = &m->set.shards[i];
        m->inputs[m->run_cfg.ids.n_files++] = one->path;
        rc = add_input(m, one, &one->leads, e);
        if (rc == RC_OK)
            rc = add_input(m, one, &one->failed, e);
        if (rc == RC_OK)
            rc = add_input(m, one, &one->missing, e);
        for (size_t k = 0; rc == RC_OK && k < m->cfg.n_specs; k++) {
            const struct shard_sink *s = &one->sinks[m->outputs[k].from];
            for (size_t f = 0; rc == RC_OK && f < s->n_files; f++)
                rc = add_input(m, one, &s->files[f], e);
        }
    }
    return rc;
}

static enum rc count_paths(const struct run_sink_cfg *sink, size_t *n, struct err *e)
{
    struct buf paths;
    buf_init(&paths, PATHS_BYTES_MAX);
    *n = 0;
    enum rc rc = sink->ops->paths(&sink->cfg, &paths, e);
    if (rc == RC_OK && buf_rc(&paths) != RC_OK)
        rc = err_nomem(e);
    for (size_t at = 0; rc == RC_OK && at < paths.len; at += strlen(paths.data + at) + 1)
        ++*n;
    buf_free(&paths);
    return rc;
}

static enum rc allow_files(const struct merge *m, size_t n_files, struct err *e)
{
    char who[64];
    (void)snprintf(who, sizeof(who), "%zu shards", m->set.n);
    return open_files_allow((uint64_t)m->set.n * (n_files + 1) + FILES_BESIDE, who, e);
}

/* ---- configuration --------------------------------------------------------------------------- */

/* The --max-memory of the shards, if they have it: row groups must be cut as in their runs. In bytes. */
static size_t max_memory(const struct shard_set *set)
{
    uint64_t n = 0;
    struct str text = shard_set_setting(set, "--max-memory");
    bool given = text.ptr && units_uint(text, &n) && n >= RUN_MEMORY_MIN && n < SIZE_MAX / 2;
    return given ? (size_t)n : (size_t)1 << 30;
}

static struct sink_cfg sink_cfg(const struct merge *m, const struct sink_spec *spec)
{
    return (struct sink_cfg){
        .spec = spec->label,
        .target = spec->target,
        .opts = spec->opts,
        .run_id = m->result.run_id,
        .started_ms = m->result.started_wall_ms,
        .discarded_run_id = "",
        .want_sha256 = m->cfg.manifest_path != NULL,
        .max_memory = max_memory(&m->set),
        .clock = m->cfg.clock,
        .log = m->cfg.log,
        .secrets = m->cfg.secrets,
    };
}

/* The configuration of the one run that the merge stands for. */
static void set_run_cfg(struct merge *m)
{
    const struct merge_cfg *cfg = &m->cfg;
    m->run_cfg = (struct run_cfg){
        .version = cfg->version,
        .profile = m->set.profile,
        .server = m->set.shards[0].server,
        .merged_of = m->set.shards[0].shard.of,
        .max_missing = m->set.header.max_missing,
        .max_memory = max_memory(&m->set),
        .max_columns = (size_t)m->set.header.max_columns,
        .sinks = m->sinks,
        .n_sinks = cfg->n_specs,
        .failed_path = cfg->failed_path,
        .missing_path = cfg->missing_path,
        .manifest_path = cfg->manifest_path,
        .arguments = cfg->arguments,
        .n_arguments = cfg->n_arguments,
        .clock = cfg->clock,
        .stop = cfg->stop,
        .log = cfg->log,
        .secrets = cfg->secrets,
    };
}

static enum rc find_sinks(struct merge *m, struct err *e)
{
    bool taken[RUN_SINKS_MAX] = {false};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->cfg.n_specs; i++) {
        size_t n_files = 0;
        const struct sink_spec *spec = &m->cfg.specs[i];
        rc = merge_find_sink(&m->set, spec, taken, &m->outputs[i].from, e);
        if (rc == RC_OK)
            rc = count_paths(&m->sinks[i], &n_files, e);
        if (rc == RC_OK)
            rc = merge_check_files(&m->set, m->outputs[i].from, n_files, e);
        if (rc == RC_OK)
            rc = allow_files(m, n_files, e);
    }
    return rc;
}

static enum rc check_all(struct merge *m, struct err *e)
{
    const struct run_file files[] = {
        {.path = m->cfg.failed_path, .option = "failed", .use = FILE_WRITTEN},
        {.path = m->cfg.missing_path, .option = "missing", .use = FILE_WRITTEN},
        {.path = m->cfg.manifest_path, .option = "manifest", .use = FILE_WRITTEN}};
    struct run_file wanted[3];
    m->run_cfg.files = wanted;
    for (size_t i = 0; i < 3; i++) {
        if (files[i].path)
            wanted[m->run_cfg.n_files++] = files[i];
    }
    enum rc rc = run_check(&m->run_cfg, e);
    m->run_cfg.files = NULL;
    m->run_cfg.n_files = 0;
    return rc;
}

static enum rc prepare(struct merge *m, struct err *e)
{
    const struct merge_cfg *cfg = &m->cfg;
    enum rc rc = shard_set_read(&m->set, cfg->manifests, cfg->n_manifests, cfg->signal, e);
    if (rc == RC_OK)
        rc = merge_totals(&m->set, &m->result, e);
    if (rc != RC_OK)
        return rc;
    m->sinks = calloc(cfg->n_specs, sizeof *m->sinks);
    m->outputs = calloc(cfg->n_specs, sizeof *m->outputs);
    m->results = calloc(cfg->n_specs, sizeof *m->results);
    if (!m->sinks || !m->outputs || !m->results)
        return err_nomem(e);
    m->result.sinks = m->results;
    for (size_t i = 0; i < cfg->n_specs; i++)
        m->sinks[i] = (struct run_sink_cfg){cfg->specs[i].ops, sink_cfg(m, &cfg->specs[i]), NULL};
    set_run_cfg(m);
    run_check_complete(&m->run_cfg);
    rc = find_sinks(m, e);
    if (rc == RC_OK)
        rc = list_inputs(m, e);
    if (rc == RC_OK)
        rc = check_all(m, e);
    return rc == RC_OK ? column_union_make(&m->columns, &m->set, e) : rc;
}

/* A damaged or foreign file is an error of whoever gave it to the command. */
static enum rc as_usage(enum rc rc, struct err *e)
{
    return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
}

enum rc merge_new(struct merge **out, const struct merge_cfg *cfg, struct err *e)
{
    if (cfg->n_specs == 0 || cfg->n_specs > RUN_SINKS_MAX)
        return err_set(e, RC_USAGE, "1 to %d sinks (-t) are allowed", RUN_SINKS_MAX);
    struct merge *m = calloc(1, sizeof *m);
    if (!m)
        return err_nomem(e);
    m->cfg = *cfg;
    enum rc rc = as_usage(prepare(m, e), e);
    if (rc != RC_OK) {
        merge_free(m);
        return rc;
    }
    *out = m;
    return RC_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum rc write_output(struct merge *m, size_t i, struct err *e)
{
    struct output *o = &m->outputs[i];
    struct sink_cfg cfg = m->sinks[i].cfg;
    cfg.schema = m->columns.schema;
    enum rc rc = m->sinks[i].ops->open(&o->sink, &cfg, NULL, e);
    if (rc == RC_OK)
        rc = merge_copy(o->sink, o->from, &m->columns, &o->in, m->cfg.signal, e);
    if (rc == RC_OK)
        rc = o->sink->ops->prepare(o->sink, NULL, e);
    if (rc != RC_OK)
        return rc;
    struct sink_result *result = &m->results[i];
    o->sink->ops->result(o->sink, result);
    rc = merge_misfits(&m->set, o->from, result, &o->misfits, &result->n_misfits, e);
    result->misfits = o->misfits;
    return rc;
}

static enum rc write_list(struct merge *m, enum list_kind kind, const char *path,
                          struct outfile **out, struct err *e)
{
    const struct outfile_cfg cfg = {
        .path = path, .places = m->run_cfg.places, .spool = true, .stop = m->cfg.stop};
    if (!path)
        return RC_OK;
    enum rc rc = outfile_open_cfg(out, &cfg, e);
    if (rc == RC_OK)
        rc = list_merge(&m->set, kind, *out, e);
    return rc == RC_OK ? outfile_complete(*out, e) : rc;
}

/* After this, all outputs are complete and on disk, but none is visible. */
static enum rc write_all(struct merge *m, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && !m->result.withheld && i < m->cfg.n_specs; i++)
        rc = write_output(m, i, e);
    if (rc == RC_OK)
        rc = write_list(m, LIST_OF_FAILED, m->cfg.failed_path, &m->failed, e);
    if (rc == RC_OK)
        rc = write_list(m, LIST_OF_MISSING, m->cfg.missing_path, &m->missing, e);
    if (rc == RC_OK && atomic_load(m->cfg.signal))
        rc = err_set(e, RC_STOPPED, "stopped");
    m->result.published = !m->result.withheld;
    if (rc == RC_OK && m->cfg.manifest_path)
        rc = manifest_write(&m->manifest, &m->run_cfg, &m->result, e);
    return rc;
}

/* In the order of a run: the sinks, the lists, then the manifest. */
static enum rc make_visible(struct merge *m, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < m->cfg.n_specs; i++) {
        struct sink *sink = m->outputs[i].sink;
        rc = sink ? sink->ops->commit(sink, e) : RC_OK;
    }
    if (rc == RC_OK && m->failed)
        rc = outfile_publish(m->failed, e);
    if (rc == RC_OK && m->missing)
        rc = outfile_publish(m->missing, e);
    if (rc == RC_OK && m->manifest)
        rc = outfile_publish(m->manifest, e);
    return rc;
}

static void take_back(struct merge *m)
{
    struct err ignored;
    m->result.published = false;
    for (size_t i = 0; i < m->cfg.n_specs; i++) {
        struct sink *sink = m->outputs[i].sink;
        if (sink && sink->ops->abort)
            (void)sink->ops->abort(sink, &ignored); /* only the first error is reported */
    }
}

enum rc merge_run(struct merge *m, struct err *e)
{
    enum rc rc = as_usage(write_all(m, e), e);
    if (rc != RC_OK) {
        take_back(m);
        return rc;
    }
    return make_visible(m, e);
}
