#include "state_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- failed leads --------------------------------------------------------------------------- */

enum rc state_fail(struct state *s, uint64_t place, bool by_sink, struct str row,
                   struct str summary, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_PUT);
    query_int(&q, (int64_t)place);
    query_int(&q, by_sink);
    query_text(&q, summary);
    query_text(&q, row);
    query_seal(&q);
    return state_leave(s, query_run(&q, e));
}

enum rc state_count_failures(struct state *s, struct state_failures *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_COUNT);
    rc = query_row(&q, e);
    if (rc == RC_OK) {
        out->n = (uint64_t)row_int(&q);
        out->by_sink = (uint64_t)row_int(&q);
    }
    query_end(&q);
    return state_leave(s, rc);
}

enum rc state_has_failed(struct state *s, uint64_t place, bool *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_HAS);
    query_int(&q, (int64_t)place);
    rc = query_row(&q, e);
    query_end(&q);
    if (rc == RC_OK || rc == RC_END)
        *out = rc == RC_OK;
    return state_leave(s, rc == RC_END ? RC_OK : rc);
}

struct failure_row {
    struct str summary, line;
};

static enum rc next_failure(struct query *q, struct failure_row *out, struct err *e)
{
    enum rc rc = query_row(q, e);
    if (rc != RC_OK)
        return rc;
    (void)row_int(q);
    (void)row_int(q);
    out->summary = row_str(q);
    out->line = row_str(q);
    return row_sealed(q, "a failed lead", e);
}

enum rc state_first_failure(struct state *s, char *out, size_t size, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_EACH);
    struct failure_row row;
    rc = next_failure(&q, &row, e);
    if (rc == RC_OK)
        (void)snprintf(out, size, STR_FMT, STR_ARG(row.summary));
    else if (rc == RC_END && size > 0)
        *out = '\0';
    query_end(&q);
    return state_leave(s, rc == RC_END ? RC_OK : rc);
}

enum rc state_each_failure(struct state *s, enum rc (*fn)(void *ctx, struct str row, struct err *e),
                           void *ctx, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_EACH);
    struct failure_row row;
    while ((rc = next_failure(&q, &row, e)) == RC_OK) {
        rc = fn(ctx, row.line, e);
        if (rc != RC_OK)
            break;
    }
    query_end(&q);
    return state_leave(s, rc == RC_END ? RC_OK : rc);
}

/* ---- kept payloads -------------------------------------------------------------------------- */

enum rc state_keep(struct state *s, const struct state_kept *kept, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_KEPT_PUT);
    query_int(&q, (int64_t)kept->place);
    query_blob(&q, (struct str){(const char *)kept->key, LEAD_KEY_BYTES});
    query_int(&q, kept->http_status);
    query_int(&q, kept->attempts);
    query_int(&q, (int64_t)kept->mended);
    query_blob(&q, kept->body);
    query_seal(&q);
    return state_leave(s, query_run(&q, e));
}

static enum rc load_places(struct state *s, const uint64_t **out, size_t *n, struct err *e)
{
    int64_t count = 0;
    uint64_t *places;
    enum rc rc = state_number(s, SQL_KEPT_COUNT, &count, e);
    if (rc == RC_OK)
        rc = state_keep_array(s, (size_t)count, sizeof *places, &places, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_KEPT_PLACES);
    size_t i = 0;
    while (i < (size_t)count && (rc = query_row(&q, e)) == RC_OK)
        places[i++] = (uint64_t)row_int(&q);
    query_end(&q);
    if (rc != RC_OK && rc != RC_END)
        return rc;
    *out = places;
    *n = i;
    return RC_OK;
}

enum rc state_kept_places(struct state *s, const uint64_t **out, size_t *n, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, load_places(s, out, n, e)) : rc;
}

static enum rc take_kept(struct query *q, struct state_kept *out, struct buf *body, struct err *e)
{
    out->place = (uint64_t)row_int(q);
    struct str key = row_str(q);
    out->http_status = (int)row_int(q);
    out->attempts = (unsigned)row_int(q);
    out->mended = (uint64_t)row_int(q);
    struct str bytes = row_str(q);
    enum rc rc = row_sealed(q, "a kept payload", e);
    if (rc == RC_OK && key.len != LEAD_KEY_BYTES)
        rc = state_not_as_written(q->s, "a kept payload", e);
    if (rc != RC_OK)
        return rc;
    memcpy(out->key, key.ptr, LEAD_KEY_BYTES);
    out->body = STR_NONE;
    buf_add_str(body, bytes);
    rc = buf_rc(body);
    return rc == RC_OK ? RC_OK : err_set(e, rc, "%s: a kept payload: %s", q->s->path, rc_text(rc));
}

enum rc state_take_kept(struct state *s, uint64_t place, struct state_kept *out, struct buf *body,
                        struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct state_kept kept;
    struct query q = query_of(s, SQL_KEPT_GET);
    query_int(&q, (int64_t)place);
    rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_kept(&q, &kept, body, e);
    query_end(&q);
    if (rc == RC_OK)
        *out = kept;
    return state_leave(s, rc);
}
