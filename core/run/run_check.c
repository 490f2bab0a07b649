#include "core/run/run_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/file/outfile.h"

#define PATHS_BYTES_MAX ((size_t)1024 * 1024)
#define OPTION_BYTES 64
#define WHO_BYTES 4096

/* ---- what is written ------------------------------------------------------------------------- */

/* What was written to a pipe cannot be taken back, so such an output cannot be resumed. */
static enum rc refuse_stream(const char *who, struct err *e)
{
    return err_set(
        e, RC_USAGE,
        "%s: with --state, output cannot go to standard output, a pipe or a device, where "
        "it could not be resumed",
        who);
}

/* Adds files that are made beside the last written one: names, each followed by a NUL. `purpose`: what they are. */
static enum rc add_derived(struct run_files *l, const struct buf *names, const char *purpose,
                           struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t at = 0; rc == RC_OK && at < names->len; at += strlen(names->data + at) + 1)
        rc = run_files_add_derived(l, names->data + at, purpose, e);
    return rc;
}

static enum rc add_output(struct run_files *l, const struct places *places, const char *path,
                          const char *who, struct err *e)
{
    struct buf names;
    buf_init(&names, PATHS_BYTES_MAX);
    enum rc rc = run_files_add_written(l, path, who, e);
    if (rc == RC_OK)
        rc = outfile_unfinished(places, path, &names, e);
    if (rc == RC_OK)
        rc = add_derived(l, &names, "its unfinished file", e);
    buf_free(&names);
    return rc;
}

static enum rc add_database(struct run_files *l, const char *path, const char *who, struct err *e)
{
    struct buf names;
    buf_init(&names, PATHS_BYTES_MAX);
    enum rc rc = run_files_add_written(l, path, who, e);
    if (rc == RC_OK)
        rc = state_file_names(path, &names, e);
    if (rc == RC_OK)
        rc = add_derived(l, &names, "its database", e);
    buf_free(&names);
    return rc;
}

static enum rc add_beside(struct run_files *l, const struct run_sink_cfg *sink, struct err *e)
{
    struct buf names;
    if (!sink->ops->beside)
        return RC_OK;
    buf_init(&names, PATHS_BYTES_MAX);
    enum rc rc = sink->ops->beside(&sink->cfg, &names, e);
    if (rc == RC_OK && buf_rc(&names) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = add_derived(l, &names, "its database", e);
    buf_free(&names);
    return rc;
}

static bool spools(const struct run_sink_cfg *sink, bool has_state)
{
    return sink->ops->spools == SINK_SPOOLS ||
           (has_state && sink->ops->spools == SINK_SPOOLS_MARKS);
}

enum rc run_check_add_sink(struct run_files *l, const struct run_sink_cfg *sink, bool has_state,
                           struct err *e)
{
    struct buf paths;
    buf_init(&paths, PATHS_BYTES_MAX);
    enum rc rc = sink->ops->paths(&sink->cfg, &paths, e);
    if (rc == RC_OK && buf_rc(&paths) != RC_OK)
        rc = err_nomem(e);
    for (size_t at = 0; rc == RC_OK && at < paths.len; at += strlen(paths.data + at) + 1) {
        if (has_state && !outfile_is_file(paths.data + at))
            rc = refuse_stream(sink->cfg.spec, e);
        else
            rc = add_output(l, sink->cfg.places, paths.data + at, sink->cfg.spec, e);
        if (rc == RC_OK && spools(sink, has_state))
            rc = outfile_check_spool(sink->cfg.places, paths.data + at, e);
    }
    buf_free(&paths);
    return rc == RC_OK ? add_beside(l, sink, e) : rc;
}

/* A folder that does not exist is no error if the run makes it for an output. */
static enum rc check_written(const struct run_files *l, const struct places *places,
                             const struct run_file *f, struct err *e)
{
    bool makes_folder;
    enum rc rc = run_files_make_folder(l, f->path, &makes_folder, e);
    if (rc != RC_OK || makes_folder)
        return rc;
    return f->makes_folder ? outfile_check_new(places, f->path, e)
                           : outfile_check(places, f->path, e);
}

/* In messages a file that is written is called `who`, and one that is read "`what` `of`". */
static enum rc add_file(struct run_files *l, const struct places *places, const struct run_file *f,
                        const char *who, const char *what, const char *of, struct err *e)
{
    const char *path = f->path;
    enum rc rc = RC_OK;
    switch (f->use) {
    case FILE_DATABASE:
        return add_database(l, path, who, e);
    case FILE_WRITTEN:
        rc = check_written(l, places, f, e);
        if (rc == RC_OK)
            return add_output(l, places, path, who, e);
        err_prefix(e, "%s", who);
        return rc;
    case FILE_READ:
        return run_files_add_read(l, path, what, of, e);
    case FILE_UNUSED:
        break;
    }
    return rc;
}

enum rc run_check_add_option(struct run_files *l, const struct places *places,
                             const struct run_file *f, struct err *e)
{
    char option[OPTION_BYTES];
    (void)snprintf(option, sizeof option, "--%s", f->option);
    return add_file(l, places, f, option, "the file of", option, e);
}

/* Files that options of a sink name: they are read, or written in addition to those of paths(). */
static enum rc add_sink_options(struct run_files *l, const struct run_sink_cfg *sink, bool reads,
                                struct err *e)
{
    enum rc rc = RC_OK;
    for (const struct option_spec *spec = sink->ops->opts; rc == RC_OK && spec && spec->name;
         spec++) {
        const char *const *paths = NULL;
        size_t n =
            (spec->file == FILE_READ) == reads ? option_paths(spec, sink->cfg.opts, &paths) : 0;
        char what[OPTION_BYTES], who[OPTION_BYTES + WHO_BYTES];
        (void)snprintf(what, sizeof what, "the %s of", spec->name);
        (void)snprintf(who, sizeof who, "%s of %s", spec->name, sink->cfg.spec);
        for (size_t i = 0; rc == RC_OK && i < n; i++) {
            const struct run_file f = {.path = paths[i], .option = spec->name, .use = spec->file};
            rc = add_file(l, sink->cfg.places, &f, who, what, sink->cfg.spec, e);
        }
    }
    return rc;
}

/* ---- the list -------------------------------------------------------------------------------- */

/* Inputs must not be overwritten: a stopped run still needs the rest of its IDs, and there may be no other copy of a key or a
 * profile. */
static enum rc add_all(struct run_files *l, const struct run_cfg *cfg, struct err *e)
{
    enum rc rc = run_files_add_standard(l, e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_sinks; i++)
        rc = run_check_add_sink(l, &cfg->sinks[i], cfg->state_path != NULL, e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_sinks; i++)
        rc = add_sink_options(l, &cfg->sinks[i], false, e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_files; i++)
        rc = run_check_add_option(l, cfg->places, &cfg->files[i], e);
    for (size_t i = 0; rc == RC_OK && i < cfg->ids.n_files; i++)
        rc = run_files_add_read(l, cfg->ids.files[i], "the input", cfg->ids.files[i], e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_sinks; i++)
        rc = add_sink_options(l, &cfg->sinks[i], true, e);
    return rc;
}

static enum rc check_files(const struct run_cfg *cfg, struct err *e)
{
    struct run_files l = {0};
    enum rc rc = add_all(&l, cfg, e);
    if (rc == RC_OK && cfg->state_path)
        rc = state_check(cfg->state_path, e);
    run_files_free(&l);
    return rc;
}

static enum rc check_stdout(const struct run_cfg *cfg, struct err *e)
{
    const char *first = NULL;
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        if (descriptor_written(cfg->sinks[i].cfg.target) != STDOUT_FILENO)
            continue;
        if (first)
            return err_set(e, RC_USAGE, "%s and %s: only one sink can write to standard output",
                           first, cfg->sinks[i].cfg.spec);
        first = cfg->sinks[i].cfg.spec;
    }
    return RC_OK;
}

static enum rc check_columns(const struct run_cfg *cfg, const struct run_sink_cfg *sink,
                             struct err *e)
{
    if (!sink->ops->columns_max || cfg->max_columns <= sink->ops->columns_max)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "--max-columns %zu is more than the sink %s can take in one table (%zu)",
                   cfg->max_columns, sink->ops->name, sink->ops->columns_max);
}

size_t run_kept_bytes(const struct run_cfg *cfg, size_t max_memory)
{
    size_t sum = cfg->queue.max_memory + (cfg->listing ? max_memory / RUN_LISTING_SHARE : 0);
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        struct sink_cfg sink = cfg->sinks[i].cfg;
        sink.max_memory = max_memory;
        size_t kept = cfg->sinks[i].ops->keeps ? cfg->sinks[i].ops->keeps(&sink) : 0;
        sum = kept < SIZE_MAX / 2 - sum ? sum + kept : SIZE_MAX / 2;
    }
    return sum;
}

static size_t mib_up(size_t bytes)
{
    return (bytes + ((size_t)1 << 20) - 1) >> 20;
}

#define LEADS_MEMORY_MIN (RUN_MEMORY_MIN / 2)

/* Some sinks keep more memory if --max-memory is larger, up to a limit of their own, so the smallest --max-memory that is
 * enough is found step by step. */
static enum rc check_memory(const struct run_cfg *cfg, struct err *e)
{
    size_t enough = cfg->max_memory;
    size_t kept = run_kept_bytes(cfg, enough);
    if (kept == 0 || kept + LEADS_MEMORY_MIN <= cfg->max_memory)
        return RC_OK;
    for (int i = 0; i < 64 && run_kept_bytes(cfg, enough) + LEADS_MEMORY_MIN > enough; i++)
        enough = run_kept_bytes(cfg, enough) + LEADS_MEMORY_MIN;
    return err_set(
        e, RC_USAGE,
        "--max-memory: %zu MiB is not enough: the outputs%s keep up to %zu MiB of it, and "
        "leads need %zu MiB; give at least --max-memory %zuM, fewer outputs, or options "
        "with which they keep less (see leadpipe sinks)",
        cfg->max_memory >> 20,
        cfg->listing      ? " and the list of leads"
        : cfg->queue.open ? " and the topic of IDs"
                          : "",
        mib_up(kept), LEADS_MEMORY_MIN >> 20, mib_up(enough));
}

void run_check_complete(const struct run_cfg *cfg)
{
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        cfg->sinks[i].cfg.profile = cfg->profile;
        cfg->sinks[i].cfg.stop = cfg->stop;
        cfg->sinks[i].cfg.places = cfg->places;
        cfg->sinks[i].cfg.index = (unsigned)i;
        cfg->sinks[i].cfg.max_gone = cfg->max_gone;
    }
}

enum rc run_check_sink(const struct run_cfg *cfg, const struct run_sink_cfg *sink, struct err *e)
{
    enum rc rc = sink->ops->check(&sink->cfg, e);
    return rc == RC_OK ? check_columns(cfg, sink, e) : rc;
}

enum rc run_check(const struct run_cfg *cfg, struct err *e)
{
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        enum rc rc = run_check_sink(cfg, &cfg->sinks[i], e);
        if (rc != RC_OK)
            return rc;
    }
    enum rc rc = check_memory(cfg, e);
    if (rc == RC_OK)
        rc = check_stdout(cfg, e);
    return rc == RC_OK ? check_files(cfg, e) : rc;
}
