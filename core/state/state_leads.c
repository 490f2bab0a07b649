#include "core/state/state_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- failed leads --------------------------------------------------------------------------- */

enum rc state_fail(struct state *s, uint64_t seq, bool by_sink, struct str row, struct str summary,
                   struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_PUT);
    query_int(&q, (int64_t)seq);
    query_int(&q, by_sink);
    query_text(&q, summary);
    query_text(&q, row);
    query_checksum(&q);
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
        out->n = row_number(&q, STATE_ROWS_MAX);
        out->by_sink = row_number(&q, out->n);
        rc = row_end(&q, "a failed lead", e);
    }
    query_end(&q);
    return state_leave(s, rc);
}

static enum rc has_row(struct state *s, enum state_sql sql, uint64_t seq, bool *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, sql);
    query_int(&q, (int64_t)seq);
    rc = query_row(&q, e);
    query_end(&q);
    if (rc == RC_OK || rc == RC_END)
        *out = rc == RC_OK;
    return state_leave(s, rc == RC_END ? RC_OK : rc);
}

enum rc state_has_failed(struct state *s, uint64_t seq, bool *out, struct err *e)
{
    return has_row(s, SQL_FAILURE_HAS, seq, out, e);
}

struct failure_row {
    struct str summary, line;
};

/* One line, with its end: it goes into the failed list as it is. */
static bool is_row(struct str text)
{
    if (text.len < 2 || text.ptr[text.len - 1] != '\n')
        return false;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20)
            return false;
    }
    return true;
}

static enum rc take_failure(struct query *q, struct failure_row *out, struct err *e)
{
    (void)row_number(q, STATE_SEQ_MAX);
    (void)row_number(q, 1);
    out->summary = row_text(q);
    out->line = row_text(q);
    q->malformed |= !is_row(out->line) || !utf8_valid(out->summary.ptr, out->summary.len);
    return row_checksum(q, "a failed lead", e);
}

enum rc state_first_failure(struct state *s, char *out, size_t size, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_FAILURE_EACH);
    struct failure_row row;
    rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_failure(&q, &row, e);
    if (rc == RC_OK)
        (void)snprintf(out, size, STR_FMT, STR_ARG(row.summary));
    else if (rc == RC_END && size > 0)
        *out = '\0';
    query_end(&q);
    return state_leave(s, rc == RC_END ? RC_OK : rc);
}

/* Who is given each line of a list. */
struct lines {
    enum rc (*fn)(void *ctx, struct str row, struct err *e);
    void *ctx;
};

static enum rc each_line(struct state *s, enum state_sql sql,
                         enum rc (*take)(struct query *q, void *lines, struct err *e),
                         struct lines lines, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, state_each_row(s, sql, take, &lines, e)) : rc;
}

/* `lines` may be NULL: then the row is verified and no more. */
static enum rc failure_line(struct query *q, void *lines, struct err *e)
{
    const struct lines *to = lines;
    struct failure_row row;
    enum rc rc = take_failure(q, &row, e);
    return rc == RC_OK && to ? to->fn(to->ctx, row.line, e) : rc;
}

enum rc state_each_failure(struct state *s, enum rc (*fn)(void *ctx, struct str row, struct err *e),
                           void *ctx, struct err *e)
{
    return each_line(s, SQL_FAILURE_EACH, failure_line, (struct lines){fn, ctx}, e);
}

/* ---- missing leads -------------------------------------------------------------------------- */

enum rc state_miss(struct state *s, uint64_t seq, struct str row, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_MISSING_PUT);
    query_int(&q, (int64_t)seq);
    query_text(&q, row);
    query_checksum(&q);
    return state_leave(s, query_run(&q, e));
}

enum rc state_is_missing(struct state *s, uint64_t seq, bool *out, struct err *e)
{
    return has_row(s, SQL_MISSING_HAS, seq, out, e);
}

/* As failure_line(). */
static enum rc missing_line(struct query *q, void *lines, struct err *e)
{
    const struct lines *to = lines;
    (void)row_number(q, STATE_SEQ_MAX);
    struct str line = row_text(q);
    q->malformed |= !is_row(line);
    enum rc rc = row_checksum(q, "a missing lead", e);
    return rc == RC_OK && to ? to->fn(to->ctx, line, e) : rc;
}

enum rc state_count_missing(struct state *s, uint64_t *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    int64_t n = 0;
    rc = state_number(s, SQL_MISSING_COUNT, &n, e);
    if (rc == RC_OK)
        *out = (uint64_t)n;
    return state_leave(s, rc);
}

enum rc state_each_missing(struct state *s, enum rc (*fn)(void *ctx, struct str row, struct err *e),
                           void *ctx, struct err *e)
{
    return each_line(s, SQL_MISSING_EACH, missing_line, (struct lines){fn, ctx}, e);
}

/* ---- buffered payloads ---------------------------------------------------------------------- */

enum rc state_buffer(struct state *s, const struct state_buffered *payload, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_BUFFERED_PUT);
    query_int(&q, (int64_t)payload->seq);
    query_blob(&q, (struct str){(const char *)payload->key, LEAD_KEY_BYTES});
    query_int(&q, payload->http_status);
    query_int(&q, payload->attempts);
    query_blob(&q, payload->body);
    query_checksum(&q);
    return state_leave(s, query_run(&q, e));
}

static enum rc load_seqs(struct state *s, const uint64_t **out, size_t *n, struct err *e)
{
    int64_t count = 0;
    uint64_t *seqs;
    enum rc rc = state_number(s, SQL_BUFFERED_COUNT, &count, e);
    if (rc == RC_OK)
        rc = state_keep_array(s, (size_t)count, sizeof *seqs, &seqs, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_BUFFERED_SEQS);
    size_t i = 0;
    while (i < (size_t)count && (rc = query_row(&q, e)) == RC_OK) {
        seqs[i++] = row_number(&q, STATE_SEQ_MAX);
        rc = row_end(&q, "a buffered payload", e);
        if (rc != RC_OK)
            break;
    }
    query_end(&q);
    if (rc != RC_OK && rc != RC_END)
        return rc;
    *out = seqs;
    *n = i;
    return RC_OK;
}

enum rc state_buffered_seqs(struct state *s, const uint64_t **out, size_t *n, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, load_seqs(s, out, n, e)) : rc;
}

/* Its body lives as long as the row. */
static enum rc take_buffered(struct query *q, struct state_buffered *out, struct err *e)
{
    out->seq = row_number(q, STATE_SEQ_MAX);
    struct str key = row_blob(q);
    out->http_status = (int)row_number(q, STATE_HTTP_STATUS_MAX);
    out->attempts = (unsigned)row_number(q, UINT_MAX);
    out->body = row_blob(q);
    q->malformed |= key.len != LEAD_KEY_BYTES;
    enum rc rc = row_checksum(q, "a buffered payload", e);
    if (rc == RC_OK)
        memcpy(out->key, key.ptr, LEAD_KEY_BYTES);
    return rc;
}

enum rc state_take_buffered(struct state *s, uint64_t seq, struct state_buffered *out,
                            struct buf *body, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct state_buffered payload;
    struct query q = query_of(s, SQL_BUFFERED_GET);
    query_int(&q, (int64_t)seq);
    rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_buffered(&q, &payload, e);
    if (rc == RC_OK) {
        buf_add_str(body, payload.body);
        payload.body = STR_NONE;
        if (buf_rc(body) != RC_OK)
            rc = err_set(e, buf_rc(body), "%s: a buffered payload: %s", s->path,
                         rc_text(buf_rc(body)));
    }
    query_end(&q);
    if (rc == RC_OK)
        *out = payload;
    return state_leave(s, rc);
}

/* ---- what is there -------------------------------------------------------------------------- */

static enum rc verify_buffered(struct query *q, void *ctx, struct err *e)
{
    struct state_buffered payload;
    (void)ctx;
    return take_buffered(q, &payload, e);
}

enum rc state_verify_leads(struct state *s, struct err *e)
{
    enum rc rc = state_each_row(s, SQL_FAILURE_EACH, failure_line, NULL, e);
    if (rc == RC_OK)
        rc = state_each_row(s, SQL_MISSING_EACH, missing_line, NULL, e);
    return rc == RC_OK ? state_each_row(s, SQL_BUFFERED_VERIFY, verify_buffered, NULL, e) : rc;
}
