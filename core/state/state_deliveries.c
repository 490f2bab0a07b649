#include "core/state/state_internal.h"

/* In the tables: what became of a delivery. */
enum outcome {
    OUTCOME_DELIVERED, /* all of it */
    OUTCOME_REFUSED,
    OUTCOME_UNSENT,
};

#define DELIVERIES_MAX STATE_COUNT_MAX /* their numbers are never used twice in a run */

enum rc state_read_next_delivery(struct state *s, struct err *e)
{
    int64_t last = 0;
    enum rc rc = state_number(s, SQL_DELIVERY_LAST, &last, e);
    if (rc == RC_OK && (uint64_t)last > DELIVERIES_MAX)
        rc = state_not_as_written(s, "a delivery", e);
    if (rc == RC_OK)
        s->next_delivery = last + 1;
    return rc;
}

/* ---- adding and answering ------------------------------------------------------------------- */

static enum rc put_delivery(struct state *s, unsigned sink, const struct state_delivery *d,
                            uint64_t last_seq, struct err *e)
{
    struct query q = query_of(s, SQL_DELIVERY_PUT);
    query_int(&q, s->next_delivery);
    query_int(&q, sink);
    query_int(&q, (int64_t)last_seq);
    query_text(&q, d->id);
    query_text(&q, d->leads);
    query_checksum(&q);
    query_blob(&q, d->body);
    query_checksum(&q);
    return query_run(&q, e);
}

enum rc state_add_delivery(struct state *s, unsigned sink, const struct state_delivery *delivery,
                           uint64_t last_seq, int64_t *row, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    rc = put_delivery(s, sink, delivery, last_seq, e);
    if (rc == RC_OK)
        rc = state_commit_soon(s, e);
    if (rc == RC_OK)
        *row = s->next_delivery++;
    return state_leave(s, rc);
}

struct counts {
    int64_t delivered, failed;
};

/* Of a row of the counts, whose sink is known or does not matter. */
static enum rc take_counts(struct query *q, void *out, struct err *e)
{
    struct counts *counts = out;
    (void)row_number(q, STATE_SINKS_MAX - 1);
    counts->delivered = (int64_t)row_number(q, STATE_COUNT_MAX);
    counts->failed = (int64_t)row_number(q, STATE_COUNT_MAX);
    return row_checksum(q, "a count of deliveries", e);
}

static enum rc get_counts(struct state *s, unsigned sink, struct counts *out, struct err *e)
{
    *out = (struct counts){0};
    struct query q = query_of(s, SQL_DELIVERY_COUNT_GET);
    query_int(&q, sink);
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_counts(&q, out, e);
    query_end(&q);
    return rc == RC_END ? RC_OK : rc;
}

static enum rc count_answer(struct state *s, unsigned sink, const struct state_answered *how,
                            struct err *e)
{
    struct counts counts;
    enum rc rc = get_counts(s, sink, &counts, e);
    if (rc != RC_OK || how->delivered + how->failed == 0)
        return rc;
    struct query q = query_of(s, SQL_DELIVERY_COUNT_PUT);
    query_int(&q, sink);
    query_int(&q, counts.delivered + (int64_t)how->delivered);
    query_int(&q, counts.failed + (int64_t)how->failed);
    query_checksum(&q);
    return query_run(&q, e);
}

static enum rc none_waits(struct state *s, int64_t row, struct err *e)
{
    return err_set(e, RC_INTERNAL, "%s: no delivery %lld waits for an answer", s->path,
                   (long long)row);
}

/* Whose is it, and has it no answer yet? */
static enum rc find_delivery(struct state *s, int64_t row, unsigned *sink, struct err *e)
{
    struct query q = query_of(s, SQL_DELIVERY_WHOSE);
    query_int(&q, row);
    enum rc rc = query_row(&q, e);
    bool open = false;
    if (rc == RC_OK) {
        *sink = (unsigned)row_number(&q, STATE_SINKS_MAX - 1);
        open = row_number(&q, 1) != 0;
        rc = row_end(&q, "a delivery", e);
    }
    query_end(&q);
    if (rc == RC_END || (rc == RC_OK && !open))
        return none_waits(s, row, e);
    return rc;
}

static enum rc put_answer(struct state *s, int64_t row, const struct state_answered *how,
                          struct str answer, struct err *e)
{
    enum outcome outcome = how->failed > 0      ? OUTCOME_REFUSED
                           : how->delivered > 0 ? OUTCOME_DELIVERED
                                                : OUTCOME_UNSENT;
    struct query q = query_of(s, SQL_DELIVERY_ANSWER);
    query_int(&q, outcome);
    query_text(&q, answer);
    query_checksum(&q);
    query_int(&q, row);
    return query_run(&q, e);
}

enum rc state_answer(struct state *s, int64_t row, const struct state_answered *how,
                     struct str answer, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    unsigned sink = 0;
    rc = find_delivery(s, row, &sink, e);
    if (rc == RC_OK)
        rc = put_answer(s, row, how, answer.ptr ? answer : STR(""), e);
    if (rc == RC_OK)
        rc = count_answer(s, sink, how, e);
    if (rc == RC_OK)
        rc = state_commit_soon(s, e);
    return state_leave(s, rc);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Either the answer is known, or the body is there. */
static enum rc take_delivery(struct query *q, struct state_delivery *d, struct err *e)
{
    static const char what[] = "a delivery";
    *d = (struct state_delivery){.row = (int64_t)row_number(q, DELIVERIES_MAX)};
    (void)row_number(q, STATE_SINKS_MAX - 1);
    q->malformed |= d->row == 0;
    d->last_seq = row_number(q, STATE_SEQ_MAX);
    d->id = row_text(q);
    d->leads = row_text(q);
    enum rc rc = row_checksum(q, what, e);
    bool is_answered = !row_is_null(q);
    if (rc == RC_OK && is_answered) {
        (void)row_number(q, OUTCOME_UNSENT);
        d->answer = row_text(q);
        rc = row_checksum(q, what, e);
    } else if (rc == RC_OK) {
        row_skip_nulls(q, 3);
    }
    if (rc != RC_OK)
        return rc;
    if (is_answered) {
        row_skip_nulls(q, 2);
        return row_end(q, what, e);
    }
    d->body = row_blob(q);
    return row_checksum(q, what, e);
}

static enum rc verify_delivery(struct query *q, void *ctx, struct err *e)
{
    struct state_delivery d;
    (void)ctx;
    return take_delivery(q, &d, e);
}

enum rc state_verify_deliveries(struct state *s, struct err *e)
{
    struct counts counts;
    enum rc rc = state_each_row(s, SQL_DELIVERY_VERIFY, verify_delivery, NULL, e);
    return rc == RC_OK ? state_each_row(s, SQL_DELIVERY_COUNT_VERIFY, take_counts, &counts, e) : rc;
}

enum rc state_each_delivery(struct state *s, unsigned sink,
                            enum rc (*fn)(void *ctx, const struct state_delivery *d, struct err *e),
                            void *ctx, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_DELIVERY_EACH);
    struct state_delivery d;
    query_int(&q, sink);
    while ((rc = query_row(&q, e)) == RC_OK) {
        rc = take_delivery(&q, &d, e);
        if (rc == RC_OK)
            rc = fn(ctx, &d, e);
        if (rc != RC_OK)
            break;
    }
    query_end(&q);
    return state_leave(s, rc == RC_END ? RC_OK : rc);
}

enum rc state_has_deliveries(struct state *s, unsigned first, unsigned last, bool *out,
                             struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct query q = query_of(s, SQL_DELIVERY_FROM_SINK);
    query_int(&q, first);
    query_int(&q, last);
    rc = query_row(&q, e);
    if (rc == RC_OK)
        *out = row_int(&q) != 0;
    query_end(&q);
    return state_leave(s, rc);
}

static enum rc get_body(struct state *s, int64_t row, struct buf *out, struct err *e)
{
    struct query q = query_of(s, SQL_DELIVERY_BODY);
    query_int(&q, row);
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK) {
        struct str body = row_blob(&q);
        rc = row_checksum(&q, "a delivery", e);
        if (rc == RC_OK)
            buf_add_str(out, body);
    }
    query_end(&q);
    if (rc == RC_END)
        return none_waits(s, row, e);
    if (rc == RC_OK && buf_rc(out) != RC_OK)
        return err_set(e, buf_rc(out), "%s: a delivery: %s", s->path, rc_text(buf_rc(out)));
    return rc;
}

enum rc state_delivery_body(struct state *s, int64_t row, struct buf *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    return state_leave(s, get_body(s, row, out, e));
}

enum rc state_delivery_counts(struct state *s, unsigned sink, uint64_t *delivered, uint64_t *failed,
                              struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    struct counts counts;
    rc = get_counts(s, sink, &counts, e);
    if (rc == RC_OK) {
        *delivered = (uint64_t)counts.delivered;
        *failed = (uint64_t)counts.failed;
    }
    return state_leave(s, rc);
}
