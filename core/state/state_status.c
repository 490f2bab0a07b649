#include "core/state/state_status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/state/state_internal.h"
#include "core/state/state_snapshot.h"

/* A run changes the file itself every few seconds at most: every thousand pages that it writes. */
#define TRIES 40
#define PAUSE_NS 50000000

#define TEXT_BYTES_MAX ((size_t)64 << 10)

_Static_assert(STATE_SINKS_MAX == sizeof((struct state_status *)0)->sinks /
                                      sizeof *((struct state_status *)0)->sinks,
               "room for every sink");

/* ---- failed leads ------------------------------------------------------------------------------ */

struct failures {
    struct state *s;
    struct state_status *out;
    size_t next_gap;
};

/* Of an unfinished run: those that are not done will be asked for again. They come in ascending order. */
static bool is_done(struct failures *f, uint64_t seq)
{
    const struct state_checkpoint *c = &f->out->run.checkpoint;
    while (f->next_gap < c->n_gaps && c->gaps[f->next_gap] < seq)
        f->next_gap++;
    return seq < c->progress.high && (f->next_gap == c->n_gaps || c->gaps[f->next_gap] != seq);
}

static enum rc take_failed(struct query *q, void *failures, struct err *e)
{
    struct failures *f = failures;
    struct state_status *out = f->out;
    uint64_t seq = row_number(q, STATE_SEQ_MAX);
    uint64_t by_sink = row_number(q, 1);
    struct str summary = row_text(q);
    struct str line = row_text(q);
    enum rc rc = row_end(q, "a failed lead", e); /* state_load() has verified its content */
    if (rc != RC_OK || !is_done(f, seq))
        return rc;
    out->failures.n++;
    out->failures.by_sink += by_sink;
    if (out->n_first_failed == STATE_STATUS_FAILED_MAX)
        return RC_OK;
    struct state_status_failed *failed = &out->first_failed[out->n_first_failed++];
    failed->seq = seq;
    summary.len = summary.len > TEXT_BYTES_MAX ? 0 : summary.len;
    rc = state_keep_str(f->s, summary, &failed->summary, e);
    if (rc == RC_OK && line.len <= TEXT_BYTES_MAX)
        rc = state_keep_str(f->s, line, &failed->line, e);
    return rc;
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static enum rc count_unanswered(struct state *s, unsigned sink, uint64_t *out, struct err *e)
{
    struct query q = query_of(s, SQL_DELIVERY_UNANSWERED);
    query_int(&q, sink);
    enum rc rc = query_row(&q, e);
    if (rc == RC_OK) {
        *out = row_number(&q, INT64_MAX);
        rc = row_end(&q, "a count", e);
    }
    query_end(&q);
    return rc;
}

static enum rc read_sinks(struct state *s, struct state_status *out, struct err *e)
{
    enum rc rc = RC_OK;
    out->n_sinks = out->run.checkpoint.n_marks;
    for (unsigned i = 0; rc == RC_OK && i < out->n_sinks; i++) {
        struct state_status_sink *sink = &out->sinks[i];
        rc = state_delivery_counts(s, i, &sink->delivered, &sink->failed, e);
        if (rc == RC_OK)
            rc = count_unanswered(s, i, &sink->unanswered, e);
    }
    return rc;
}

static enum rc count_sink(struct query *q, void *n, struct err *e)
{
    (void)e;
    (void)row_number(q, STATE_ROWS_MAX); /* its position */
    *(uint64_t *)n += !state_is_mark(row_text(q));
    return RC_OK;
}

/* Of no run: an empty state may remember what sinks accepted. */
static enum rc read_accepted(struct state *s, struct state_status *out, struct err *e)
{
    int64_t n = 0;
    enum rc rc = state_verify_accepted(s, e);
    if (rc == RC_OK)
        rc = state_number(s, SQL_ACCEPTED_COUNT, &n, e);
    out->accepted = (uint64_t)n;
    return rc == RC_OK ? state_each_row(s, SQL_ACCEPTED_BY_EACH, count_sink, &out->n_accepted_by, e)
                       : rc;
}

static enum rc read_run(struct state *s, struct state_status *out, struct err *e)
{
    struct failures failures = {.s = s, .out = out};
    enum rc rc = state_load(s, &out->run, e);
    if (rc != RC_OK)
        return rc;
    s->verified = false; /* nothing has begun: damage is still no error of the disk */
    out->done = out->run.checkpoint.progress.high - out->run.checkpoint.n_gaps;
    rc = state_each_row(s, SQL_FAILURE_EACH, take_failed, &failures, e);
    if (rc == RC_OK && (out->has_list = s->list.listing))
        rc = state_count_listed(s, &out->listed, &out->list_is_complete, e);
    return rc == RC_OK ? read_sinks(s, out, e) : rc;
}

static enum rc read_database(struct state *s, struct state_status *out, struct err *e)
{
    /* What a run writes meanwhile makes a check of all pages likely to be in vain. */
    enum rc rc = state_db_open_read(s, out->holder == 0, &out->is_earlier, e);
    if (rc != RC_OK)
        return rc == RC_END ? RC_OK : rc;
    rc = state_read_phase(s, e);
    if (rc == RC_OK)
        rc = state_read_list(s, e);
    out->phase = s->phase;
    if (rc == RC_OK && s->phase != STATE_EMPTY)
        rc = read_run(s, out, e);
    return rc == RC_OK ? read_accepted(s, out, e) : rc;
}

/* ---- one moment -------------------------------------------------------------------------------- */

static enum rc read_once(struct state_status *out, const char *path, bool *holds, struct err *e)
{
    struct state_snapshot *snapshot = NULL;
    *holds = true;
    *out = (struct state_status){.phase = STATE_EMPTY};
    enum rc rc = state_snapshot_open(&snapshot, path, e);
    if (rc != RC_OK)
        return rc;
    out->holder = state_snapshot_holder(snapshot);
    if (state_snapshot_is_blank(snapshot)) {
        state_snapshot_close(snapshot);
        return RC_OK;
    }
    out->state = state_new(&(struct state_cfg){.path = path});
    if (!out->state) {
        state_snapshot_close(snapshot);
        return err_nomem(e);
    }
    out->state->snapshot = snapshot;
    rc = read_database(out->state, out, e);
    *holds = state_snapshot_holds(snapshot);
    if (rc != RC_OK)
        state_status_free(out);
    return rc;
}

enum rc state_status_read(struct state_status *out, const char *path, struct err *e)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct state_status status;
        bool holds;
        enum rc rc = read_once(&status, path, &holds, e);
        if (holds && rc == RC_OK)
            *out = status;
        if (holds || rc == RC_NOMEM)
            return rc;
        if (rc == RC_OK)
            state_status_free(&status);
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return err_set(e, RC_BUSY, "%s: a run changed it each time that it was read; try again", path);
}

void state_status_free(struct state_status *status)
{
    struct state *s = status->state;
    if (!s)
        return;
    state_db_close(s, true);
    state_snapshot_close(s->snapshot);
    state_free(s);
    *status = (struct state_status){.state = NULL};
}
