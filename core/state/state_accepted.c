#include "core/state/state_internal.h"

#include <string.h>

/* ---- by whom -------------------------------------------------------------------------------- */

struct sinks_compared {
    const struct str *sinks;
    size_t n;
    uint64_t known; /* bit i: sinks[i] is among the state's */
    size_t n_state; /* how many the state has */
    bool has_mark;
    bool has_other_mark; /* of a hash that is not known */
};

bool state_is_mark(struct str sink)
{
    size_t n = sizeof STATE_HASH_MARKS - 1;
    return sink.len >= n && memcmp(sink.ptr, STATE_HASH_MARKS, n) == 0;
}

/* `compared` may be NULL: then the row is verified and no more. */
static enum rc take_sink(struct query *q, void *compared, struct err *e)
{
    struct sinks_compared *c = compared;
    (void)row_number(q, STATE_ROWS_MAX);
    struct str sink = row_text(q);
    enum rc rc = row_checksum(q, "the sinks that accepted", e);
    if (rc != RC_OK || !c)
        return rc;
    if (state_is_mark(sink)) {
        bool is_known = str_eq_c(sink, STATE_XXH3_MARK);
        c->has_mark |= is_known;
        c->has_other_mark |= !is_known;
        return RC_OK;
    }
    c->n_state++;
    for (size_t i = 0; i < c->n; i++)
        c->known |= (uint64_t)str_eq(c->sinks[i], sink) << i;
    return RC_OK;
}

static enum rc put_sink(struct state *s, size_t position, struct str sink, struct err *e)
{
    struct query q = query_of(s, SQL_ACCEPTED_BY_PUT);
    query_int(&q, (int64_t)position);
    query_text(&q, sink);
    query_checksum(&q);
    return query_run(&q, e);
}

static enum rc put_sinks(struct state *s, const struct str *sinks, size_t n, enum state_hash hash,
                         struct err *e)
{
    enum rc rc = state_run_sql(s, SQL_ACCEPTED_BY_DROP, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = put_sink(s, i, sinks[i], e);
    if (rc == RC_OK && hash == STATE_HASH_XXH3)
        rc = put_sink(s, n, STR(STATE_XXH3_MARK), e);
    return rc;
}

static enum rc forget_accepted(struct state *s, struct err *e)
{
    s->n_pack = 0;
    enum rc rc = state_run_sql(s, SQL_ACCEPTED_DROP, e);
    return rc == RC_OK ? state_run_sql(s, SQL_NOTES_DROP, e) : rc;
}

static enum rc accept_by(struct state *s, const struct str *sinks, size_t n, enum state_hash *hash,
                         struct err *e)
{
    struct sinks_compared c = {.sinks = sinks, .n = n};
    enum rc rc = state_each_row(s, SQL_ACCEPTED_BY_EACH, take_sink, &c, e);
    if (rc != RC_OK)
        return rc;
    bool all_known = c.n_state > 0 && !c.has_other_mark &&
                     c.known == (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1);
    if (all_known)
        *hash = c.has_mark ? STATE_HASH_XXH3 : STATE_HASH_SHA256;
    if (all_known && c.n_state == n)
        return RC_OK;
    rc = all_known ? RC_OK : forget_accepted(s, e);
    if (rc == RC_OK)
        rc = put_sinks(s, sinks, n, *hash, e);
    return rc == RC_OK ? state_commit(s, e) : rc;
}

enum rc state_accept_by(struct state *s, const struct str *sinks, size_t n, enum state_hash *hash,
                        struct err *e)
{
    if (n > 64) /* a run has fewer */
        return err_set(e, RC_INTERNAL, "%zu sinks", n);
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    int64_t any = 1;
    rc = accept_by(s, sinks, n, hash, e);
    if (rc == RC_OK)
        rc = state_number(s, SQL_ACCEPTED_EARLIER, &any, e);
    s->none_accepted = rc == RC_OK && any == 0;
    return state_leave(s, rc);
}

enum rc state_has_accepted(struct state *s, bool *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    int64_t any = 0;
    rc = state_number(s, SQL_ACCEPTED_ANY, &any, e);
    if (rc == RC_OK)
        *out = any != 0;
    return state_leave(s, rc);
}

/* ---- looking up ----------------------------------------------------------------------------- */

static enum rc look_up(struct state *s, const struct state_content *content, bool *out,
                       struct err *e)
{
    struct query q = query_of(s, SQL_ACCEPTED_GET);
    query_blob(&q, (struct str){(const char *)content->key, LEAD_KEY_BYTES});
    enum rc rc = query_row(&q, e);
    *out = rc == RC_OK && str_eq(row_blob(&q), (struct str){(const char *)content->fingerprint,
                                                            STATE_FINGERPRINT_BYTES});
    query_end(&q);
    return rc == RC_END ? RC_OK : rc;
}

enum rc state_is_accepted(struct state *s, const struct state_content *contents, size_t n,
                          bool *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        out[i] = false;
        if (!s->none_accepted)
            rc = look_up(s, &contents[i], &out[i], e);
    }
    return state_leave(s, rc);
}

/* ---- noting --------------------------------------------------------------------------------- */

enum rc state_flush_notes(struct state *s, struct err *e)
{
    if (s->n_pack == 0)
        return RC_OK;
    enum rc rc = state_begin_transaction(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_NOTES_PUT);
    query_int(&q, (int64_t)s->n_pack);
    query_blob(&q, (struct str){(const char *)s->pack, s->n_pack * NOTE_BYTES});
    query_checksum(&q);
    rc = query_run(&q, e);
    if (rc == RC_OK)
        s->n_pack = 0;
    return rc;
}

static void add_note(struct state *s, const struct state_content *content)
{
    unsigned char *note = s->pack + s->n_pack++ * NOTE_BYTES;
    memcpy(note, content->key, LEAD_KEY_BYTES);
    memcpy(note + LEAD_KEY_BYTES, content->fingerprint, STATE_FINGERPRINT_BYTES);
    note[NOTE_BYTES - 1] = (unsigned char)content->acceptance;
}

enum rc state_note_accepted(struct state *s, const struct state_content *contents, size_t n,
                            struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        add_note(s, &contents[i]);
        if (s->n_pack == PACK_NOTES)
            rc = state_flush_notes(s, e);
    }
    return state_leave(s, rc);
}

/* ---- what is there -------------------------------------------------------------------------- */

enum rc state_take_pack(struct query *q, struct str *out, struct err *e)
{
    static const char what[] = "what sinks accepted";
    uint64_t n = row_number(q, PACK_NOTES);
    struct str pack = row_blob(q);
    q->malformed |= pack.len != n * NOTE_BYTES;
    for (size_t i = 0; i < n && !q->malformed; i++)
        q->malformed = (unsigned char)pack.ptr[(i + 1) * NOTE_BYTES - 1] >= STATE_ACCEPTANCES;
    enum rc rc = row_checksum(q, what, e);
    if (rc == RC_OK)
        *out = pack;
    return rc;
}

static enum rc verify_pack(struct query *q, void *ctx, struct err *e)
{
    struct str pack;
    (void)ctx;
    return state_take_pack(q, &pack, e);
}

enum rc state_verify_accepted(struct state *s, struct err *e)
{
    enum rc rc = state_each_row(s, SQL_ACCEPTED_BY_EACH, take_sink, NULL, e);
    return rc == RC_OK ? state_each_row(s, SQL_NOTES_EACH, verify_pack, NULL, e) : rc;
}
