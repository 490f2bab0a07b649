#include "merge/merge_sinks.h"

#include <stdlib.h>

#include "merge/lead_feed.h"

#define ROOM_ALL ((size_t)32 << 20)
#define ROOM_MIN ((size_t)16 << 10)
#define ROOM_MAX ((size_t)1 << 20)
#define FORM_BYTES_MAX ((size_t)1 << 20)

/* ---- which is which -------------------------------------------------------------------------- */

/* The forms of the shards' sinks (kind, options and form of the target), for a message. */
static void list_forms(const struct shard_set *set, struct buf *out)
{
    for (size_t i = 0; i < set->header.n_settings; i++) {
        if (!str_eq(set->header.settings[i].name, STR("--to")))
            continue;
        buf_adds(out, out->len ? ", " : "");
        buf_add_str(out, set->header.settings[i].value);
    }
}

enum rc merge_find_sink(const struct shard_set *set, const struct sink_spec *spec, bool taken[],
                        size_t *out, struct err *e)
{
    struct buf form;
    struct buf forms;
    size_t n = 0;
    bool found = false;
    if (!spec->ops->merge)
        return err_set(e, RC_USAGE, "--to: %s: outputs of the sink %s cannot be merged",
                       spec->label, spec->ops->name);
    buf_init(&form, FORM_BYTES_MAX);
    buf_init(&forms, FORM_BYTES_MAX);
    sink_spec_form(spec, &form);
    for (size_t i = 0; !found && i < set->header.n_settings; i++) {
        if (!str_eq(set->header.settings[i].name, STR("--to")))
            continue;
        found =
            n < RUN_SINKS_MAX && !taken[n] && str_eq(set->header.settings[i].value, buf_str(&form));
        if (found) {
            taken[n] = true;
            *out = n;
        }
        n++;
    }
    list_forms(set, &forms);
    enum rc rc = RC_OK;
    if (buf_rc(&form) != RC_OK || buf_rc(&forms) != RC_OK)
        rc = err_nomem(e);
    else if (!found)
        rc = err_set(e, RC_USAGE,
                     "--to: %s: the shards have no such output, or another --to has merged it "
                     "already; theirs (\":/\": a file for each table in a directory): %s",
                     spec->label, buf_cstr(&forms));
    buf_free(&form);
    buf_free(&forms);
    return rc;
}

enum rc merge_check_files(const struct shard_set *set, size_t sink, size_t n_files, struct err *e)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct shard_manifest *m = &set->shards[i];
        if (sink >= m->n_sinks || m->sinks[sink].n_files != n_files)
            return err_set(e, RC_USAGE, "%s: is damaged: it does not name the files of all sinks",
                           m->path);
    }
    return RC_OK;
}

/* ---- the rows -------------------------------------------------------------------------------- */

static enum rc open_files(struct sink_merge *in, const struct shard_set *set, size_t sink,
                          struct hasher *hasher, struct err *e)
{
    size_t n = in->n_shards * in->n_files;
    size_t room = ROOM_ALL / (n + 1);
    room = room < ROOM_MIN ? ROOM_MIN : room > ROOM_MAX ? ROOM_MAX : room;
    in->files = calloc(n + 1, sizeof(struct shard_file *));
    if (!in->files)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        const struct shard_manifest *m = &set->shards[i / in->n_files];
        const struct named_file *file = &m->sinks[sink].files[i % in->n_files];
        const struct shard_file_cfg cfg = {.path = file->path,
                                           .manifest = m->path,
                                           .bytes = file->bytes,
                                           .sha256 = file->sha256,
                                           .room = room,
                                           .hasher = hasher,
                                           .signal = set->signal};
        rc = shard_file_open(&in->files[i], &cfg, e);
    }
    return rc;
}

static enum rc copy_leads(struct sink *to, const struct column_union *columns,
                          const atomic_int *signal, struct err *e)
{
    struct lead_feed *feed = NULL;
    struct merge_lead lead;
    enum rc rc = lead_feed_open(&feed, columns->set, e);
    while (rc == RC_OK && (rc = lead_feed_next(feed, &lead, e)) == RC_OK)
        rc = atomic_load_explicit(signal, memory_order_relaxed) ? err_set(e, RC_STOPPED, "stopped")
                                                                : to->ops->merge->put(to, &lead, e);
    lead_feed_close(feed);
    return rc == RC_END ? RC_OK : rc;
}

enum rc merge_copy(struct sink *to, size_t from, const struct column_union *columns,
                   struct sink_merge *in, const atomic_int *signal, struct err *e)
{
    const struct shard_set *set = columns->set;
    *in = (struct sink_merge){.n_shards = set->n,
                              .n_tables = set->profile->n_tables,
                              .n_files = set->shards[0].sinks[from].n_files,
                              .columns = columns->columns,
                              .schema = columns->schema,
                              .first = columns->first};
    struct hasher *hasher = NULL;
    enum rc rc = hasher_new(&hasher, e);
    if (rc == RC_OK)
        rc = open_files(in, set, from, hasher, e);
    if (rc == RC_OK)
        rc = to->ops->merge->begin(to, in, e);
    if (rc == RC_OK)
        rc = copy_leads(to, columns, signal, e);
    if (rc == RC_OK && to->ops->merge->end)
        rc = to->ops->merge->end(to, e);
    for (size_t i = 0; rc == RC_OK && i < in->n_shards * in->n_files; i++)
        rc = shard_file_end(in->files[i], e);
    for (size_t i = 0; in->files && i < in->n_shards * in->n_files; i++)
        shard_file_close(in->files[i]);
    free(in->files);
    in->files = NULL;
    hasher_free(hasher);
    return rc;
}
