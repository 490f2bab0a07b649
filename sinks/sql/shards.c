#include "sinks/sql/shards.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES_MAX ((size_t)1 << 20)
#define NAMED_MAX 3 /* of which two have up to 7 digits each, and the others are counted */

/* ---- digests --------------------------------------------------------------------------------- */

/* With its length, so that no two lists of texts are the same bytes. */
static void put_text(struct buf *b, struct str text)
{
    buf_addf(b, "%zu ", text.len);
    buf_add_str(b, text);
}

static enum rc end_digest(struct buf *b, char out[SQL_SHARDS_DIGEST_CHARS + 1], struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    bool made =
        buf_rc(b) == RC_OK && EVP_Digest(b->data, b->len, digest, NULL, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; made && i < SQL_SHARDS_DIGEST_CHARS / 2; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    buf_free(b);
    return made ? RC_OK : err_nomem(e);
}

enum rc sql_shards_group(const struct sink_shard *shard, const struct sql_shards_place *place,
                         char out[SQL_SHARDS_DIGEST_CHARS + 1], struct err *e)
{
    struct buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    buf_addf(&b, "leadpipe shards 1 %" PRIu32 " %d %d %d ", shard->of, (int)place->mode,
             (int)place->deletes, place->all_text);
    put_text(&b, str_c(shard->name ? shard->name : ""));
    put_text(&b, str_c(shard->settings));
    put_text(&b, place->schema);
    for (size_t i = 0; i < place->relations->n; i++)
        put_text(&b, place->relations->items[i].name);
    return end_digest(&b, out, e);
}

enum rc sql_shards_set(const char *group, const struct sink_list *list,
                       char out[SQL_SHARDS_DIGEST_CHARS + 1], struct err *e)
{
    struct buf b;
    buf_init(&b, TEXT_BYTES_MAX);
    put_text(&b, str_c(group));
    put_text(&b, str_c(list->sha256));
    return end_digest(&b, out, e);
}

/* ---- which are due --------------------------------------------------------------------------- */

enum rc sql_shards_seen_init(struct sql_shards_seen *s, uint32_t of, struct err *e)
{
    *s = (struct sql_shards_seen){.is = calloc(of ? of : 1, 1), .of = of};
    return s->is ? RC_OK : err_nomem(e);
}

void sql_shards_seen_free(struct sql_shards_seen *s)
{
    free(s->is);
    *s = (struct sql_shards_seen){.is = NULL};
}

bool sql_shards_see(struct sql_shards_seen *s, uint64_t index)
{
    if (index >= s->of)
        return false;
    s->n += !s->is[index];
    s->is[index] = 1;
    return true;
}

void sql_shards_names(const struct sql_shards_seen *s, bool seen, char out[SINK_WAITS_FOR_BYTES])
{
    uint32_t n = seen ? s->n : s->of - s->n;
    uint32_t named = n <= NAMED_MAX ? n : NAMED_MAX;
    uint32_t done = 0;
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < s->of && done < named; i++) {
        if ((s->is[i] != 0) != seen)
            continue;
        const char *comma = done + 1 == n ? " and " : ", ";
        at += (size_t)snprintf(out + at, SINK_WAITS_FOR_BYTES - at, "%s%" PRIu32, done ? comma : "",
                               i);
        done++;
    }
    if (n > named)
        at += (size_t)snprintf(out + at, SINK_WAITS_FOR_BYTES - at, " and %" PRIu32 " other%s",
                               n - named, n - named == 1 ? "" : "s");
    (void)snprintf(out + at, SINK_WAITS_FOR_BYTES - at, " of %" PRIu32, s->of);
}

void sql_shards_warn_of_list(const char *discarded, const char *set, const struct log_hook *log,
                             const char *spec)
{
    if (discarded[0] && strcmp(discarded, set) != 0)
        log_msg(
            log, LOG_LEVEL_WARN_ALWAYS, spec,
            "what this shard had loaded of another list was discarded when this run began, and the "
            "other shards of that list wait for it: give each list a --shard-run of its own, and "
            "run that shard again");
}

void sql_shards_due(const struct sql_shards_seen *loaded, struct sink_result *out)
{
    out->due = loaded->of - loaded->n;
    out->waits_for[0] = '\0';
    if (out->due)
        sql_shards_names(loaded, false, out->waits_for);
}

void sql_shards_tell(const struct sink_result *r, const struct log_hook *log, const char *spec)
{
    if (r->due)
        log_msg(log, LOG_LEVEL_INFO, spec, "loaded; the tables change when shard%s %s %s done",
                r->due == 1 ? "" : "s", r->waits_for, r->due == 1 ? "is" : "are");
}
