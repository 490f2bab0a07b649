/* The list of leads: a row about it, and a row for each part, in the order in which they were listed. */
#include "core/state/state_internal.h"

#include <string.h>

/* Nobody waits for it: checkpoints commit it, too, as long as leads are done. */
#define COMMIT_LIST_MS 200
#define TIME_MS_MIN INT64_C(-62135596800000) /* the beginning of the year 1 */
#define HAS_SINCE 1u
#define HAS_UNTIL 2u

static const char about_list[] = "which leads are listed";
static const char a_part[] = "the list of leads";

/* ---- the row about it ------------------------------------------------------------------------ */

static bool is_source(struct str text)
{
    if (text.len != STATE_LIST_SOURCE_BYTES)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr("0123456789abcdef", text.ptr[i], 16))
            return false;
    }
    return true;
}

static int64_t row_time(struct query *q)
{
    int64_t ms = row_int(q);
    q->malformed |= ms < TIME_MS_MIN || ms > STATE_WALL_MS_MAX;
    return ms;
}

static enum rc take_row(struct query *q, struct state_list_row *out, struct err *e)
{
    struct str source = row_text(q);
    out->cfg.n_params = (size_t)row_number(q, PROFILE_PARAMS_MAX);
    out->cfg.n_lists = (size_t)row_number(q, STATE_ROWS_MAX);
    uint64_t times = row_number(q, HAS_SINCE | HAS_UNTIL);
    out->cfg.has_since = times & HAS_SINCE;
    out->cfg.has_until = times & HAS_UNTIL;
    out->cfg.since_ms = row_time(q);
    out->cfg.until_ms = row_time(q);
    out->first = row_number(q, STATE_COUNT_MAX);
    out->listing = row_number(q, 1);
    out->is_there = true;
    q->malformed |= !is_source(source) || out->first == 0 || out->cfg.n_lists == 0;
    enum rc rc = row_checksum(q, about_list, e);
    if (rc == RC_OK)
        memcpy(out->source, source.ptr, source.len);
    return rc;
}

enum rc state_read_list(struct state *s, struct err *e)
{
    struct state_list_row row = {.first = 1};
    int64_t last = 0;
    struct query q = query_of(s, SQL_LIST_GET);
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_row(&q, &row, e);
    query_end(&q);
    if (rc == RC_OK || rc == RC_END)
        rc = state_number(s, SQL_LISTED_LAST, &last, e);
    /* All of a run's list, or of what was listed before it, may be empty; but what was before ends at `first`. */
    bool is_sound = (uint64_t)last < STATE_COUNT_MAX &&
                    (row.listing || !last || (uint64_t)last + 1 == row.first) &&
                    (row.is_there || !last);
    if (rc == RC_OK && !is_sound)
        rc = state_not_as_written(s, a_part, e);
    if (rc != RC_OK)
        return rc;
    row.next = (uint64_t)last + 1 > row.first ? (uint64_t)last + 1 : row.first;
    s->list = row;
    return RC_OK;
}

static enum rc put_row(struct state *s, const struct state_list_row *row, struct err *e)
{
    struct query q = query_of(s, SQL_LIST_PUT);
    query_text(&q, str_c(row->source));
    query_int(&q, (int64_t)row->cfg.n_params);
    query_int(&q, (int64_t)row->cfg.n_lists);
    query_int(&q, (row->cfg.has_since ? HAS_SINCE : 0) | (row->cfg.has_until ? HAS_UNTIL : 0));
    query_int(&q, row->cfg.has_since ? row->cfg.since_ms : 0);
    query_int(&q, row->cfg.has_until ? row->cfg.until_ms : 0);
    query_int(&q, (int64_t)row->first);
    query_int(&q, row->listing);
    query_checksum(&q);
    enum rc rc = query_run(&q, e);
    if (rc == RC_OK)
        s->list = *row;
    return rc;
}

/* ---- its parts ------------------------------------------------------------------------------- */

/* Its pack lives as long as the row. */
static enum rc take_part(struct query *q, uint64_t *position, struct list_part *out, struct err *e)
{
    const struct state_list_row *row = &q->s->list;
    *position = row_number(q, STATE_COUNT_MAX);
    out->list = (size_t)row_number(q, STATE_ROWS_MAX);
    out->end = (enum list_part_end)row_number(q, LIST_PART_ENDS - 1);
    out->bad = row_number(q, STATE_COUNT_MAX);
    out->n = row_number(q, STATE_ROWS_MAX);
    out->pack = row_blob(q);
    q->malformed |= !list_pack_check(out->pack, row->cfg.n_params, out->n);
    return row_checksum(q, a_part, e);
}

static enum rc drop(struct state *s, enum state_sql sql, uint64_t position, struct err *e)
{
    struct query q = query_of(s, sql);
    query_int(&q, (int64_t)position);
    return query_run(&q, e);
}

static enum rc put_part(struct state *s, const struct list_part *part, struct err *e)
{
    struct state_list_row *row = &s->list;
    if (!row->listing)
        return err_set(e, RC_INTERNAL, "%s: the run has no list", s->path);
    struct query q = query_of(s, SQL_LISTED_PUT);
    query_int(&q, (int64_t)row->next);
    query_int(&q, (int64_t)part->list);
    query_int(&q, part->end);
    query_int(&q, (int64_t)part->bad);
    query_int(&q, (int64_t)part->n);
    query_blob(&q, part->pack.ptr ? part->pack : STR(""));
    query_checksum(&q);
    enum rc rc = query_run(&q, e);
    if (rc != RC_OK)
        return rc;
    row->next++;
    return state_commit_within(s, COMMIT_LIST_MS, e);
}

enum rc state_list_put(struct state *s, const struct list_part *part, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    return rc == RC_OK ? state_leave(s, put_part(s, part, e)) : rc;
}

enum rc state_list_keep(struct state *s, struct str pack, uint64_t n, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    if (rc != RC_OK)
        return rc;
    const struct list_part part = {.list = s->list.cfg.n_lists, .n = n, .pack = pack};
    return state_leave(s, put_part(s, &part, e));
}

/* The bounds of what is read, by position: the latter is not of it. */
static uint64_t first_of(const struct state *s, enum state_listed which)
{
    return which == STATE_LISTED ? s->list.first : 0;
}

static uint64_t end_of(const struct state *s, enum state_listed which)
{
    return which == STATE_LISTED ? s->list.next : s->list.first;
}

static enum rc copy_part(struct state *s, enum state_listed which, uint64_t *at,
                         struct list_part *out, struct buf *pack, struct err *e)
{
    uint64_t position = 0;
    struct query q = query_of(s, SQL_LISTED_NEXT);
    query_int(&q, (int64_t)(*at > first_of(s, which) ? *at : first_of(s, which)));
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK)
        rc = take_part(&q, &position, out, e);
    if (rc == RC_OK && (position >= end_of(s, which) ||
                        (which == STATE_LISTED && out->list == s->list.cfg.n_lists)))
        rc = RC_END;
    if (rc == RC_OK) {
        buf_clear(pack);
        buf_add_str(pack, out->pack);
        out->pack = buf_str(pack);
        if (buf_rc(pack) != RC_OK)
            rc = err_set(e, buf_rc(pack), "%s: a part of the list: %s", s->path,
                         rc_text(buf_rc(pack)));
    }
    query_end(&q);
    *at = position + 1;
    return rc;
}

enum rc state_list_take(struct state *s, enum state_listed which, uint64_t *at,
                        struct list_part *out, struct buf *pack, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, copy_part(s, which, at, out, pack, e)) : rc;
}

struct each_part {
    enum rc (*fn)(void *ctx, const struct list_part *part, struct err *e);
    void *ctx;
};

static enum rc give_part(struct query *q, void *each_part, struct err *e)
{
    const struct each_part *each = each_part;
    struct list_part part;
    uint64_t position = 0;
    enum rc rc = take_part(q, &position, &part, e);
    bool is_listed = position >= q->s->list.first && part.list < q->s->list.cfg.n_lists;
    return rc == RC_OK && is_listed ? each->fn(each->ctx, &part, e) : rc;
}

enum rc state_list_each(struct state *s,
                        enum rc (*fn)(void *ctx, const struct list_part *part, struct err *e),
                        void *ctx, struct err *e)
{
    struct each_part each = {fn, ctx};
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, state_each_row(s, SQL_LISTED_VERIFY, give_part, &each, e))
                       : rc;
}

/* ---- beginning and ending -------------------------------------------------------------------- */

static enum rc begin_list(struct state *s, const struct state_list_cfg *cfg, struct err *e)
{
    struct state_list_row row = {.is_there = true,
                                 .listing = true,
                                 .cfg = *cfg,
                                 .first = s->list.next,
                                 .next = s->list.next};
    row.cfg.source = STR_NONE;
    if (!is_source(cfg->source) || cfg->n_lists == 0 || cfg->n_params > PROFILE_PARAMS_MAX)
        return err_set(e, RC_INTERNAL, "%s: a wrong list", s->path);
    memcpy(row.source, cfg->source.ptr, cfg->source.len);
    bool is_same = str_eq(str_c(s->list.source), cfg->source);
    enum rc rc = is_same ? RC_OK : drop(s, SQL_LISTED_DROP_BELOW, row.first, e);
    return rc == RC_OK ? put_row(s, &row, e) : rc;
}

enum rc state_list_begin(struct state *s, const struct state_list_cfg *cfg, struct err *e)
{
    enum rc rc = state_enter_write(s, e);
    return rc == RC_OK ? state_leave(s, begin_list(s, cfg, e)) : rc;
}

enum rc state_has_list(struct state *s, bool *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    *out = s->list.listing && s->list.next > s->list.first;
    return state_leave(s, rc);
}

enum rc state_list_load(struct state *s, struct state_list_cfg *out, struct err *e)
{
    enum rc rc = state_enter(s, e);
    if (rc != RC_OK)
        return rc;
    *out = s->list.cfg;
    if (!s->list.listing)
        rc = state_not_as_written(s, about_list, e);
    else
        rc = state_keep_str(s, str_c(s->list.source), &out->source, e);
    return state_leave(s, rc);
}

static enum rc put_listing(struct state *s, uint64_t first, struct err *e)
{
    struct state_list_row row = s->list;
    row.listing = false;
    row.first = row.next = first;
    return put_row(s, &row, e);
}

enum rc state_drop_list(struct state *s, struct err *e)
{
    if (!s->list.listing)
        return RC_OK;
    enum rc rc = drop(s, SQL_LISTED_DROP_FROM, s->list.first, e);
    return rc == RC_OK ? put_listing(s, s->list.first, e) : rc;
}

enum rc state_finish_list(struct state *s, bool published, struct err *e)
{
    if (!published || !s->list.listing)
        return state_drop_list(s, e);
    enum rc rc = drop(s, SQL_LISTED_DROP_BELOW, s->list.first, e);
    return rc == RC_OK ? put_listing(s, s->list.next, e) : rc;
}

/* ---- what is there --------------------------------------------------------------------------- */

/* How far the reading of all parts is. */
struct parts {
    uint64_t next; /* 0: none has been read */
    bool is_first; /* of the run */
    bool ended;    /* the list of the part before */
    size_t list;
    uint64_t n; /* leads of the run */
    bool is_complete;
};

/* The run's lists come one after the other, from the first on, and each until it has ended; what comes after the last
 * one is of no list (state_list_keep()). */
static bool follows(const struct state_list_row *row, struct parts *p, uint64_t position,
                    const struct list_part *part)
{
    bool is_next = !p->next || position == p->next;
    p->next = position + 1;
    if (position < row->first)
        return is_next;
    size_t list = p->is_first ? 0 : p->list + p->ended;
    is_next &= !p->is_first || position == row->first;
    p->is_first = false;
    p->list = part->list;
    p->ended = part->end != LIST_PART_GOES_ON;
    p->is_complete = list + p->ended == row->cfg.n_lists;
    if (list == row->cfg.n_lists)
        return is_next && row->listing && part->list == list && !p->ended;
    p->n += part->n;
    return is_next && row->listing && part->list == list && p->n <= STATE_COUNT_MAX;
}

static enum rc verify_part(struct query *q, void *parts, struct err *e)
{
    struct list_part part;
    uint64_t position = 0;
    enum rc rc = take_part(q, &position, &part, e);
    if (rc == RC_OK && !follows(&q->s->list, parts, position, &part))
        rc = state_not_as_written(q->s, a_part, e);
    return rc;
}

enum rc state_count_listed(struct state *s, uint64_t *n, bool *is_complete, struct err *e)
{
    struct parts parts = {.is_first = true};
    enum rc rc = state_each_row(s, SQL_LISTED_VERIFY, verify_part, &parts, e);
    *n = parts.n;
    *is_complete = parts.is_complete;
    return rc;
}

enum rc state_verify_listed(struct state *s, struct err *e)
{
    uint64_t n;
    bool is_complete;
    return state_count_listed(s, &n, &is_complete, e);
}

enum rc state_list_verify(struct state *s, struct err *e)
{
    enum rc rc = state_enter(s, e);
    return rc == RC_OK ? state_leave(s, state_verify_listed(s, e)) : rc;
}
