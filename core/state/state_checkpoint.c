#include "core/state/state_internal.h"

#include <stdlib.h>
#include <string.h>

#define SEQ_BYTES 8

/* ---- writing -------------------------------------------------------------------------------- */

static enum rc pack_gaps(const struct state_checkpoint *c, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < c->n_gaps; i++) {
        unsigned char bytes[SEQ_BYTES];
        for (unsigned b = 0; b < SEQ_BYTES; b++)
            bytes[b] = (unsigned char)(c->gaps[i] >> 8 * b);
        buf_add(out, bytes, sizeof bytes);
    }
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc put_row(struct state *s, const struct state_checkpoint *c, int64_t n_columns,
                       struct str gaps, struct err *e)
{
    const struct state_progress *t = &c->progress;
    const uint64_t numbers[] = {t->high,    t->key_a,     t->key_b,    t->handed,
                                t->missing, t->unchanged, t->replaced, t->other_ids};
    struct query q = query_of(s, SQL_CHECKPOINT_PUT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        query_int(&q, (int64_t)numbers[i]);
    query_int(&q, t->active_ms);
    query_int(&q, (int64_t)c->n_marks);
    query_int(&q, n_columns);
    query_text(&q, c->totals);
    query_blob(&q, gaps);
    query_checksum(&q);
    return query_run(&q, e);
}

static enum rc put_mark(struct state *s, size_t sink, struct str mark, struct err *e)
{
    struct query q = query_of(s, SQL_MARK_PUT);
    query_int(&q, (int64_t)sink);
    query_text(&q, mark);
    query_checksum(&q);
    return query_run(&q, e);
}

static enum rc put_column(struct state *s, int64_t position, const struct state_column *c,
                          struct err *e)
{
    struct query q = query_of(s, SQL_COLUMN_PUT);
    query_int(&q, position);
    query_int(&q, c->table);
    query_int(&q, c->scope);
    query_int(&q, c->occurrence);
    query_text(&q, c->key);
    query_text(&q, c->member);
    query_checksum(&q);
    return query_run(&q, e);
}

/* What counts beside the checkpoint's own row. *n_columns: of the run, with those. */
static enum rc put_lists(struct state *s, const struct state_checkpoint *c, int64_t *n_columns,
                         struct err *e)
{
    enum rc rc = state_number(s, SQL_COLUMN_COUNT, n_columns, e);
    for (size_t i = 0; rc == RC_OK && i < c->n_columns; i++)
        rc = put_column(s, (*n_columns)++, &c->columns[i], e);
    if (rc == RC_OK)
        rc = state_run_sql(s, SQL_MARK_DROP, e);
    for (size_t i = 0; rc == RC_OK && i < c->n_marks; i++)
        rc = put_mark(s, i, c->marks[i], e);
    return rc;
}

/* ---- what is done is forgotten -------------------------------------------------------------- */

static int compare_seqs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum rc drop_one(struct state *s, enum state_sql sql, uint64_t seq, struct err *e)
{
    struct query q = query_of(s, sql);
    query_int(&q, (int64_t)seq);
    return query_run(&q, e);
}

/* There are few: only a run that was stopped keeps payloads. */
static enum rc drop_buffered(struct state *s, const struct state_checkpoint *c, struct err *e)
{
    for (uint64_t from = 0;;) {
        struct query q = query_of(s, SQL_BUFFERED_NEXT);
        query_int(&q, (int64_t)from);
        query_int(&q, (int64_t)c->progress.high);
        enum rc rc = query_row(&q, e);
        uint64_t seq = rc == RC_OK ? row_number(&q, STATE_SEQ_MAX) : 0;
        query_end(&q);
        if (rc != RC_OK)
            return rc == RC_END ? RC_OK : rc;
        bool is_gap = c->n_gaps > 0 && bsearch(&seq, c->gaps, c->n_gaps, sizeof seq, compare_seqs);
        rc = is_gap ? RC_OK : drop_one(s, SQL_BUFFERED_DROP_ONE, seq, e);
        if (rc != RC_OK)
            return rc;
        from = seq + 1;
    }
}

static enum rc drop_done(struct state *s, const struct state_checkpoint *c, struct err *e)
{
    uint64_t all_done_below = c->n_gaps > 0 ? c->gaps[0] : c->progress.high;
    enum rc rc = drop_one(s, SQL_DELIVERY_DROP_BELOW, all_done_below, e);
    return rc == RC_OK ? drop_buffered(s, c, e) : rc;
}

static enum rc checkpoint(struct state *s, const struct state_checkpoint *c, struct err *e)
{
    struct buf gaps;
    buf_init(&gaps, SIZE_MAX);
    int64_t n_columns;
    enum rc rc = pack_gaps(c, &gaps, e);
    if (rc == RC_OK)
        rc = put_lists(s, c, &n_columns, e);
    if (rc == RC_OK)
        rc = put_row(s, c, n_columns, buf_str(&gaps), e);
    if (rc == RC_OK)
        rc = drop_done(s, c, e);
    if (rc == RC_OK)
        rc = state_commit(s, e);
    buf_free(&gaps);
    return rc;
}

enum rc state_checkpoint(struct state *s, const struct state_checkpoint *c, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    return rc == RC_OK ? state_leave(s, checkpoint(s, c, e)) : rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

static const char checkpoint_text[] = "the checkpoint";

static uint64_t unpack_seq(const char *packed)
{
    uint64_t seq = 0;
    for (unsigned b = 0; b < SEQ_BYTES; b++)
        seq |= (uint64_t)(unsigned char)packed[b] << 8 * b;
    return seq;
}

/* Whole sequence numbers, ascending, and all of them below progress.high. */
static enum rc unpack_gaps(struct state *s, struct str packed, struct state_checkpoint *c,
                           struct err *e)
{
    size_t n = packed.len / SEQ_BYTES;
    uint64_t *gaps = NULL;
    if (packed.len % SEQ_BYTES != 0)
        return state_not_as_written(s, checkpoint_text, e);
    enum rc rc = state_keep_array(s, n, sizeof *gaps, &gaps, e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        gaps[i] = unpack_seq(packed.ptr + i * SEQ_BYTES);
        if (gaps[i] >= c->progress.high || (i > 0 && gaps[i] <= gaps[i - 1]))
            return state_not_as_written(s, checkpoint_text, e);
    }
    c->gaps = gaps;
    c->n_gaps = n;
    return RC_OK;
}

/* A lead that is done has one outcome; those that failed are counted elsewhere. */
static bool progress_is_sound(const struct state_checkpoint *c)
{
    const struct state_progress *t = &c->progress;
    uint64_t done = t->high - c->n_gaps;
    return t->handed <= done && t->missing <= done - t->handed &&
           t->unchanged <= done - t->handed - t->missing && t->other_ids <= done;
}

static enum rc take_row(struct state *s, struct query *q, struct state_checkpoint *c, struct err *e)
{
    struct state_progress *t = &c->progress;
    t->high = row_number(q, STATE_COUNT_MAX);
    t->key_a = (uint64_t)row_int(q);
    t->key_b = (uint64_t)row_int(q);
    t->handed = row_number(q, STATE_COUNT_MAX);
    t->missing = row_number(q, STATE_COUNT_MAX);
    t->unchanged = row_number(q, STATE_COUNT_MAX);
    t->replaced = row_number(q, STATE_COUNT_MAX);
    t->other_ids = row_number(q, STATE_COUNT_MAX);
    t->active_ms = (int64_t)row_number(q, STATE_WALL_MS_MAX);
    c->n_marks = (size_t)row_number(q, STATE_SINKS_MAX);
    c->n_columns = (size_t)row_number(q, STATE_ROWS_MAX);
    struct str totals = row_text_or_null(q);
    struct str gaps = row_blob_or_null(q);
    enum rc rc = row_checksum(q, checkpoint_text, e);
    if (rc == RC_OK)
        rc = state_keep_str(s, totals, &c->totals, e);
    if (rc == RC_OK)
        rc = unpack_gaps(s, gaps, c, e);
    return rc == RC_OK && !progress_is_sound(c) ? state_not_as_written(s, checkpoint_text, e) : rc;
}

static enum rc load_row(struct state *s, struct state_checkpoint *c, struct err *e)
{
    struct query q = query_of(s, SQL_CHECKPOINT_GET);
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_row(s, &q, c, e);
    query_end(&q);
    return rc == RC_END ? RC_OK : rc;
}

static enum rc take_mark(struct state *s, struct query *q, void *out, struct err *e)
{
    return state_keep_str(s, row_text(q), out, e);
}

static enum rc take_column(struct state *s, struct query *q, void *out, struct err *e)
{
    struct state_column *column = out;
    column->table = (uint32_t)row_number(q, UINT32_MAX);
    column->scope = (uint32_t)row_number(q, UINT32_MAX);
    column->occurrence = (uint32_t)row_number(q, UINT32_MAX);
    struct str key = row_text(q);
    struct str member = row_text_or_null(q);
    q->malformed |= !utf8_valid(key.ptr, key.len) || !utf8_valid(member.ptr, member.len);
    enum rc rc = state_keep_str(s, key, &column->key, e);
    return rc == RC_OK ? state_keep_str(s, member, &column->member, e) : rc;
}

static const struct state_list column_list = {SQL_COLUMN_EACH, SQL_COLUMN_COUNT, "a column",
                                              sizeof(struct state_column), take_column};

enum rc state_load_checkpoint(struct state *s, struct state_checkpoint *out, struct err *e)
{
    static const struct state_list marks = {SQL_MARK_EACH, SQL_MARK_COUNT, "a sink's mark",
                                            sizeof(struct str), take_mark};
    struct state_checkpoint c = {0};
    enum rc rc = load_row(s, &c, e);
    if (rc == RC_OK)
        rc = state_load_list(s, &marks, c.n_marks, &c.marks, e);
    if (rc == RC_OK)
        rc = state_load_list(s, &column_list, c.n_columns, &c.columns, e);
    if (rc == RC_OK)
        *out = c;
    return rc;
}

enum rc state_last_columns(struct state *s, const struct state_column **out, size_t *n,
                           struct err *e)
{
    struct state_checkpoint c = {0};
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    if (s->phase != STATE_FINISHED)
        return state_leave(s, RC_END);
    rc = load_row(s, &c, e);
    if (rc == RC_OK)
        rc = state_load_list(s, &column_list, c.n_columns, &c.columns, e);
    *out = c.columns;
    *n = c.n_columns;
    return state_leave(s, rc);
}

/* ---- resuming ------------------------------------------------------------------------------ */

enum rc state_rewind(struct state *s, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    struct state_checkpoint c = {0};
    rc = load_row(s, &c, e);
    if (rc == RC_OK)
        rc = drop_one(s, SQL_FAILURE_DROP_FROM, c.progress.high, e);
    if (rc == RC_OK)
        rc = drop_one(s, SQL_MISSING_DROP_FROM, c.progress.high, e);
    for (size_t i = 0; rc == RC_OK && i < c.n_gaps; i++) {
        rc = drop_one(s, SQL_FAILURE_DROP_ONE, c.gaps[i], e);
        if (rc == RC_OK)
            rc = drop_one(s, SQL_MISSING_DROP_ONE, c.gaps[i], e);
    }
    return state_leave(s, rc);
}
