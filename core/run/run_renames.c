#include "core/run/run_renames.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/grow.h"
#include "core/file/outfile.h"
#include "core/file/outfile_place.h"

#define PATHS_BYTES_MAX ((size_t)16 << 20)

/* A file that this command writes. */
struct output {
    struct place place, wide; /* their unfinished names differ */
    bool renamed, from_wide, removed, wide_removed;
};

struct outputs {
    struct output *items; /* the sinks' first */
    size_t n, cap, n_of_sinks;
    bool withheld;
    struct due_renames due;
    const char *state_path;
};

void due_renames_free(struct due_renames *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->items[i].from);
        free(d->items[i].to);
    }
    free(d->items);
    *d = (struct due_renames){0};
}

static void outputs_free(struct outputs *o)
{
    for (size_t i = 0; i < o->n; i++) {
        place_free(&o->items[i].place);
        place_free(&o->items[i].wide);
    }
    free(o->items);
    due_renames_free(&o->due);
}

/* ---- what the configuration calls for -------------------------------------------------------- */

static enum rc add_output(struct outputs *o, const char *path, struct err *e)
{
    struct output *items = list_grow(o->items, o->n, &o->cap, sizeof *items);
    if (!items)
        return err_nomem(e);
    o->items = items;
    struct output *output = &o->items[o->n];
    *output = (struct output){0};
    enum rc rc = place_find(&output->place, path, OUTFILE_PART, e);
    if (rc == RC_OK)
        rc = place_find(&output->wide, path, OUTFILE_WIDE, e);
    if (rc != RC_OK) {
        place_free(&output->place);
        return rc;
    }
    o->n++;
    return output->place.part ? RC_OK
                              : err_set(e, RC_USAGE, "%s: is no longer a regular file", path);
}

/* A list or the manifest, or NULL. One that goes to a stream has no name to get. */
static enum rc add_told(struct outputs *o, const char *path, struct err *e)
{
    return path && outfile_is_file(path) ? add_output(o, path, e) : RC_OK;
}

static enum rc add_sink(struct outputs *o, const struct run_sink_cfg *sink, struct err *e)
{
    struct buf paths;
    buf_init(&paths, PATHS_BYTES_MAX);
    enum rc rc = sink->ops->paths(&sink->cfg, &paths, e);
    for (size_t at = 0; rc == RC_OK && at < paths.len; at += strlen(paths.data + at) + 1)
        rc = add_output(o, paths.data + at, e);
    buf_free(&paths);
    return rc;
}

static enum rc add_all(struct outputs *o, const struct run_cfg *cfg, struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < cfg->n_sinks; i++)
        rc = add_sink(o, &cfg->sinks[i], e);
    o->n_of_sinks = o->n;
    if (rc == RC_OK)
        rc = add_told(o, cfg->failed_path, e);
    if (rc == RC_OK)
        rc = add_told(o, cfg->missing_path, e);
    return rc == RC_OK ? add_told(o, cfg->manifest_path, e) : rc;
}

/* ---- what the state says --------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool stat_folder(const char *path, struct stat *st)
{
    size_t n = (size_t)(base_name(path) - path);
    char *folder = n > 0 ? strndup(path, n) : strdup(".");
    bool known = folder && stat(folder, st) == 0;
    free(folder);
    return known;
}

/* The same name in the same folder, however the paths to it are written. */
static bool same_place(const char *a, const char *b)
{
    struct stat folder_a;
    struct stat folder_b;
    return strcmp(base_name(a), base_name(b)) == 0 && stat_folder(a, &folder_a) &&
           stat_folder(b, &folder_b) && folder_a.st_dev == folder_b.st_dev &&
           folder_a.st_ino == folder_b.st_ino;
}

static enum rc add_due(struct outputs *o, const char *from, const char *to, struct file_print print,
                       struct err *e)
{
    struct due_rename *items = list_grow(o->due.items, o->due.n, &o->due.cap, sizeof *items);
    if (!items)
        return err_nomem(e);
    o->due.items = items;
    struct due_rename due = {strdup(from), to ? strdup(to) : NULL, print};
    if (!due.from || (to && !due.to)) {
        free(due.from);
        free(due.to);
        return err_nomem(e);
    }
    o->due.items[o->due.n++] = due;
    return RC_OK;
}

/* True: it is this output's, and that is noted. */
static bool take_rename(struct output *output, const struct file_rename *r)
{
    if (output->renamed || !same_place(r->to.ptr, output->place.final))
        return false;
    output->from_wide = same_place(r->from.ptr, output->wide.part);
    output->renamed = output->from_wide || same_place(r->from.ptr, output->place.part);
    return output->renamed;
}

/* What was written first goes away when it was written once more; all that was written does when it
 * is withheld. The path, or NULL: it is not this output's. */
static const char *take_removal(struct output *output, bool withheld, const struct file_rename *r)
{
    if ((withheld || output->from_wide) && !output->removed &&
        same_place(r->from.ptr, output->place.part)) {
        output->removed = true;
        return output->place.part;
    }
    if (withheld && !output->wide_removed && same_place(r->from.ptr, output->wide.part)) {
        output->wide_removed = true;
        return output->wide.part;
    }
    return NULL;
}

static enum rc match(void *ctx, const struct file_rename *r, struct err *e)
{
    struct outputs *o = ctx;
    bool is_removal = r->to.len == 0;
    for (size_t i = 0; i < o->n; i++) {
        struct output *output = &o->items[i];
        bool withheld = o->withheld && i < o->n_of_sinks;
        const char *removed = is_removal ? take_removal(output, withheld, r) : NULL;
        if (removed)
            return add_due(o, removed, NULL, r->print, e);
        if (!is_removal && !withheld && take_rename(output, r))
            return add_due(o, output->from_wide ? output->wide.part : output->place.part,
                           output->place.final, r->print, e);
    }
    return err_set(
        e, RC_USAGE,
        "%s: the unfinished run was to publish %s, which this command does not write; give the "
        "same --failed, --missing and --manifest again, or --fresh to discard that run",
        o->state_path, is_removal ? r->from.ptr : r->to.ptr);
}

static const struct output *find_missing(const struct outputs *o)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct output *output = &o->items[i];
        bool withheld = o->withheld && i < o->n_of_sinks;
        if (!(withheld ? output->removed : output->renamed))
            return output;
    }
    return NULL;
}

enum rc due_renames_load(struct due_renames *out, const struct run_cfg *cfg, struct state *state,
                         bool withheld, struct err *e)
{
    struct outputs o = {.state_path = cfg->state_path, .withheld = withheld};
    enum rc rc = add_all(&o, cfg, e);
    if (rc == RC_OK)
        rc = state_each_rename(state, match, &o, e);
    const struct output *missing = rc == RC_OK ? find_missing(&o) : NULL;
    if (missing)
        rc = err_set(
            e, RC_USAGE,
            "%s: the unfinished run did not write %s; give the same --failed, --missing and "
            "--manifest again, or --fresh to discard that run",
            cfg->state_path, missing->place.final);
    if (rc == RC_OK) {
        *out = o.due;
        o.due = (struct due_renames){0};
    }
    outputs_free(&o);
    return rc;
}
