#include "merge/merge_totals.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/checked.h"
#include "core/base/grow.h"

static bool add_counts(struct run_result *out, const struct run_result *one)
{
    const struct ids_counts *ids = &one->ids;
    const struct ledger_counts *l = &one->ledger;
    bool fits = u64_add(out->ids.read, ids->read, &out->ids.read) &&
                u64_add(out->ids.unique, ids->unique, &out->ids.unique) &&
                u64_add(out->ids.duplicates, ids->duplicates, &out->ids.duplicates) &&
                u64_add(out->ledger.exported, l->exported, &out->ledger.exported) &&
                u64_add(out->ledger.unchanged, l->unchanged, &out->ledger.unchanged) &&
                u64_add(out->ledger.missing, l->missing, &out->ledger.missing) &&
                u64_add(out->ledger.failed, l->failed, &out->ledger.failed) &&
                u64_add(out->ledger.pending, l->pending, &out->ledger.pending) &&
                u64_add(out->http.requests, one->http.requests, &out->http.requests) &&
                u64_add(out->http.retries, one->http.retries, &out->http.retries);
    for (size_t i = 0; fits && i < HTTP_STATUS_MAX; i++)
        fits = u64_add(out->http.statuses[i], one->http.statuses[i], &out->http.statuses[i]);
    return fits;
}

/* The same shards always give the same id. */
static enum rc make_run_id(const struct shard_set *set, char out[33], struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *sha256 = EVP_MD_CTX_new();
    if (!sha256)
        return err_nomem(e);
    if (!EVP_DigestInit_ex(sha256, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(sha256);
        return err_nomem(e);
    }
    bool good = true;
    for (size_t i = 0; good && i < set->n; i++) {
        const char *id = set->shards[i].counts.run_id;
        good = EVP_DigestUpdate(sha256, id, strlen(id) + 1);
    }
    good = good && EVP_DigestFinal_ex(sha256, digest, &n) && n >= 16;
    EVP_MD_CTX_free(sha256);
    for (size_t i = 0; good && i < 16; i++)
        (void)snprintf(out + i * 2, 3, "%02x", digest[i]);
    return good ? RC_OK : err_set(e, RC_INTERNAL, "SHA-256 cannot be computed");
}

enum rc merge_totals(const struct shard_set *set, struct run_result *out, struct err *e)
{
    *out = (struct run_result){.first_failure = "", .ids_ended = true, .error = {.rc = RC_OK}};
    out->started_wall_ms = INT64_MAX;
    out->ended_wall_ms = INT64_MIN;
    for (size_t i = 0; i < set->n; i++) {
        const struct run_result *one = &set->shards[i].counts;
        if (!add_counts(out, one))
            return err_set(e, RC_USAGE, "%s: is damaged: its counts are too large",
                           set->shards[i].path);
        if (one->started_wall_ms < out->started_wall_ms)
            out->started_wall_ms = one->started_wall_ms;
        if (one->ended_wall_ms > out->ended_wall_ms)
            out->ended_wall_ms = one->ended_wall_ms;
        if (one->http.latency_max_ms > out->http.latency_max_ms)
            out->http.latency_max_ms = one->http.latency_max_ms;
        if (one->exit_status != EXIT_STATUS_OK)
            out->exit_status = EXIT_STATUS_LEADS;
    }
    out->missing_allowed = portion_of(&set->header.max_missing, out->ids.unique);
    if (out->ids.unique && !ledger_any_found(&out->ledger))
        out->withheld = WITHHELD_NONE_FOUND;
    else if (out->ledger.missing > out->missing_allowed)
        out->withheld = WITHHELD_MISSING;
    if (out->withheld || out->ledger.failed)
        out->exit_status = EXIT_STATUS_LEADS;
    return make_run_id(set, out->run_id, e);
}

/* ---- misfits --------------------------------------------------------------------------------- */

/* False: more than can be counted. */
static bool count_misfits(const struct shard_set *set, size_t sink, const char *table,
                          struct str column, uint64_t *out)
{
    bool fits = true;
    *out = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct shard_sink *s = &set->shards[i].sinks[sink];
        for (size_t k = 0; k < s->n_misfits; k++) {
            if (strcmp(s->misfits[k].table, table) == 0 && str_eq_c(column, s->misfits[k].column))
                fits &= u64_add(*out, s->misfits[k].n, out);
        }
    }
    return fits;
}

static bool has_misfits(const struct shard_set *set, size_t sink)
{
    bool has = false;
    for (size_t i = 0; i < set->n; i++)
        has |= set->shards[i].sinks[sink].n_misfits > 0;
    return has;
}

enum rc merge_misfits(const struct shard_set *set, size_t sink, const struct sink_result *result,
                      struct sink_misfits **list, size_t *n, struct err *e)
{
    size_t cap = 0;
    *list = NULL;
    *n = 0;
    if (!has_misfits(set, sink))
        return RC_OK;
    for (size_t i = 0; i < result->n_files; i++) {
        const struct sink_file *file = &result->files[i];
        for (size_t k = 0; file->table && k < file->n_columns; k++) {
            uint64_t count = 0;
            if (!count_misfits(set, sink, file->table, file->columns[k], &count))
                return err_set(e, RC_USAGE, "a manifest is damaged: the misfits of %s are too many",
                               file->path);
            if (count == 0)
                continue;
            struct sink_misfits *more = list_grow(*list, *n, &cap, sizeof *more);
            if (!more)
                return err_nomem(e);
            *list = more;
            more[(*n)++] = (struct sink_misfits){
                .table = file->table, .column = file->columns[k].ptr, .n = count};
        }
    }
    return RC_OK;
}
