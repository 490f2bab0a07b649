#include "merge/shard_set.h"

#include <stdlib.h>

#include "core/flatten/schema.h"
#include "merge/shard_rows.h"

#define HEADER_ROOM ((size_t)64 * 1024)
#define MEMORY_BYTES_MAX ((size_t)1 << 30)

/* ---- are they all there? --------------------------------------------------------------------- */

static int compare_shards(const void *a, const void *b)
{
    const struct shard_manifest *x = a;
    const struct shard_manifest *y = b;
    return (x->shard.index > y->shard.index) - (x->shard.index < y->shard.index);
}

static enum rc check_numbers(const struct shard_set *s, struct err *e)
{
    const struct shard_manifest *first = &s->shards[0];
    for (size_t i = 1; i < s->n; i++) {
        const struct shard_manifest *one = &s->shards[i];
        const struct shard_manifest *before = one - 1;
        if (one->shard.of != first->shard.of)
            return err_set(e, RC_USAGE, "%s: is of shard %u/%u, but %s is of shard %u/%u",
                           one->path, one->shard.index, one->shard.of, first->path,
                           first->shard.index, first->shard.of);
        if (one->shard.index == before->shard.index)
            return err_set(e, RC_USAGE, "%s: is of shard %u/%u, and so is %s; give each once",
                           one->path, one->shard.index, one->shard.of, before->path);
    }
    for (uint32_t i = 0; i < first->shard.of; i++) {
        if (i >= s->n || s->shards[i].shard.index != i)
            return err_set(e, RC_USAGE,
                           "the manifest of shard %u/%u is missing: %zu of %u shards were given", i,
                           first->shard.of, s->n, first->shard.of);
    }
    return RC_OK;
}

/* ---- are they of one run? -------------------------------------------------------------------- */

static enum rc check_lists(const struct shard_set *s, struct err *e)
{
    for (size_t i = 1; i < s->n; i++) {
        if (strcmp(s->shards[i].list, s->shards[0].list) != 0)
            return err_set(e, RC_USAGE,
                           "%s: is of another list of IDs than %s, or of the same IDs in another "
                           "order",
                           s->shards[i].path, s->shards[0].path);
    }
    return RC_OK;
}

static enum rc refuse_setting(const struct shard_set *s, size_t shard, struct rows_setting here,
                              struct rows_setting there, struct err *e)
{
    const char *path = s->shards[shard].path;
    const char *first = s->shards[0].path;
    if (str_eq(here.name, there.name))
        return err_set(e, RC_USAGE, "%s: is of another run: %.*s was %.*s, but %.*s in %s", path,
                       STR_ARG(here.name), STR_ARG(here.value), STR_ARG(there.value), first);
    struct rows_setting more = here.name.ptr ? here : there;
    return err_set(e, RC_USAGE, "%s: is of another run: %.*s %.*s was given in %s, and not in %s",
                   path, STR_ARG(more.name), STR_ARG(more.value), here.name.ptr ? path : first,
                   here.name.ptr ? first : path);
}

static size_t count_settings(const struct rows_header *h, struct str name)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n_settings; i++)
        n += str_eq(h->settings[i].name, name);
    return n;
}

static enum rc compare(const struct shard_set *s, size_t shard, const struct rows_header *h,
                       struct err *e)
{
    const struct rows_header *first = &s->header;
    for (size_t i = 0; i < h->n_settings || i < first->n_settings; i++) {
        struct rows_setting here = i < h->n_settings ? h->settings[i] : (struct rows_setting){0};
        struct rows_setting there =
            i < first->n_settings ? first->settings[i] : (struct rows_setting){0};
        if (str_eq(here.name, there.name) && str_eq(here.value, there.value))
            continue;
        if (!str_eq(here.name, there.name) && here.name.ptr && there.name.ptr) {
            /* The lists differ in length here: one of the two occurs more often in its list. */
            if (count_settings(h, here.name) > count_settings(first, here.name))
                there = (struct rows_setting){0};
            else
                here = (struct rows_setting){0};
        }
        return refuse_setting(s, shard, here, there, e);
    }
    if (h->max_columns != first->max_columns)
        return err_set(e, RC_USAGE, "%s: is of another run: --max-columns was %llu, but %llu in %s",
                       s->shards[shard].path, (unsigned long long)h->max_columns,
                       (unsigned long long)first->max_columns, s->shards[0].path);
    if (!str_eq(h->profile, first->profile))
        return err_set(e, RC_USAGE, "%s: is of another run: its profile is not that of %s",
                       s->shards[shard].path, s->shards[0].path);
    return RC_OK;
}

static enum rc read_header(struct shard_set *s, size_t shard, struct arena *a,
                           struct rows_header *out, struct err *e)
{
    struct shard_rows rows;
    enum rc rc = shard_rows_open(&rows, &s->shards[shard], HEADER_ROOM, s->signal, e);
    if (rc == RC_OK)
        rc = shard_rows_header(&rows, a, out, e);
    shard_rows_close(&rows);
    return rc;
}

static enum rc check_headers(struct shard_set *s, struct err *e)
{
    struct arena a;
    enum rc rc = read_header(s, 0, &s->memory, &s->header, e);
    arena_init(&a, MEMORY_BYTES_MAX);
    for (size_t i = 1; rc == RC_OK && i < s->n; i++) {
        struct rows_header h;
        arena_reset(&a, MEMORY_BYTES_MAX);
        rc = read_header(s, i, &a, &h, e);
        if (rc == RC_OK)
            rc = compare(s, i, &h, e);
    }
    arena_free(&a);
    return rc;
}

/* A shard that had no room for a column has put its values elsewhere; one run might have had room, or lacked it for
 * another column. */
static enum rc check_beyond(const struct shard_set *s, struct err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->shards[i].counts.beyond.leads)
            return err_set(e, RC_USAGE,
                           "%s: had more columns than --max-columns allows (%llu): one run would "
                           "have other rows; run the shards again with a larger --max-columns",
                           s->shards[i].path, (unsigned long long)s->header.max_columns);
        if (s->shards[i].n_sinks != s->shards[0].n_sinks)
            return err_set(e, RC_USAGE, "%s: is of another run: it has other sinks than %s",
                           s->shards[i].path, s->shards[0].path);
    }
    return RC_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum rc make_profile(struct shard_set *s, struct err *e)
{
    enum rc rc = profile_parse(&s->profile, s->header.profile, s->shards[0].leads.path, e);
    if (rc == RC_OK && s->header.max_columns > 0 && s->header.max_columns <= SCHEMA_COLUMNS_MAX)
        return RC_OK;
    if (rc == RC_NOMEM)
        return rc;
    return err_set(e, RC_USAGE, "%s: is not the file that %s describes", s->shards[0].leads.path,
                   s->shards[0].path);
}

enum rc shard_set_read(struct shard_set *s, const char *const *paths, size_t n,
                       const atomic_int *signal, struct err *e)
{
    *s = (struct shard_set){.signal = signal};
    arena_init(&s->memory, MEMORY_BYTES_MAX);
    s->shards = calloc(n, sizeof *s->shards);
    if (!s->shards)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        s->n_read++;
        rc = shard_manifest_read(&s->shards[i], paths[i], e);
    }
    if (rc != RC_OK)
        return rc;
    s->n = n;
    qsort(s->shards, n, sizeof *s->shards, compare_shards);
    rc = check_numbers(s, e);
    if (rc == RC_OK)
        rc = check_lists(s, e);
    if (rc == RC_OK)
        rc = check_headers(s, e);
    if (rc == RC_OK)
        rc = check_beyond(s, e);
    return rc == RC_OK ? make_profile(s, e) : rc;
}

void shard_set_free(struct shard_set *s)
{
    for (size_t i = 0; i < s->n_read; i++)
        shard_manifest_free(&s->shards[i]);
    free(s->shards);
    profile_free(s->profile);
    arena_free(&s->memory);
    *s = (struct shard_set){0};
}

struct str shard_set_setting(const struct shard_set *s, const char *name)
{
    for (size_t i = 0; i < s->header.n_settings; i++) {
        if (str_eq_c(s->header.settings[i].name, name))
            return s->header.settings[i].value;
    }
    return STR_NONE;
}
