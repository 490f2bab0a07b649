/* The end of a run: the merge, which prepare() leaves open and commit() commits; and the same in a later process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sinks/postgres/command.h"
#include "sinks/postgres/finish_text.h"
#include "sinks/postgres/postgres_internal.h"
#include "sinks/sql/record.h"

#define CLEAN_UP_MS 5000 /* how long taking back may wait for the server */

/* ---- the end -------------------------------------------------------------------------------- */

/* RC_BUSY: they are loaded, and are to be merged now. */
static enum rc load_all(struct postgres *s, struct err *e)
{
    enum rc rc = pg_run(&s->link, "rollback", e);
    if (rc == RC_OK)
        rc = pg_load_all(&s->load, e);
    for (unsigned i = 1; rc == RC_NET && i < PG_TRIES;
         i++) /* which loads what the server lacks then */
        rc = pg_load_reconnect(&s->load, e);
    return rc == RC_OK ? RC_BUSY : rc;
}

/* The merge is done and not committed; or the run is done, where *done. What it is worth to try again is
 * tried again. */
static enum rc merge(struct postgres *s, bool *done, struct err *e)
{
    enum rc rc = RC_NET;
    *done = false;
    for (unsigned i = 0; i < PG_TRIES; i++) {
        rc = pg_merge(&s->place, &s->link, &s->outcome, &s->set, &s->misfits, done, e);
        if (rc == RC_BUSY && pg_run(&s->link, "rollback", e) != RC_OK)
            rc = RC_NET;
        if (rc == RC_END) {
            rc = load_all(s, e);
            if (rc != RC_BUSY)
                return rc;
        }
        if (rc ==
            RC_CLOSED) /* a crash emptied the staging tables, and the connection is another one */
            pg_link_close(&s->link);
        bool lost = rc == RC_NET || rc == RC_CLOSED;
        if (!lost && rc != RC_BUSY)
            return rc;
        if (!lost)
            continue;
        rc = pg_load_reconnect(&s->load, e);
        if (rc != RC_OK)
            return rc;
    }
    return rc == RC_OK ? err_set(e, RC_NET, "%s: the connection was lost several times in a row",
                                 s->cfg.spec)
                       : rc;
}

/* A statement that can be repeated. */
static enum rc note_set(struct postgres *s, struct err *e)
{
    enum rc rc = pg_shards_note(&s->place, &s->link, e);
    for (unsigned i = 1; rc == RC_NET && i < PG_TRIES; i++) {
        rc = pg_load_reconnect(&s->load, e);
        if (rc == RC_OK)
            rc = pg_shards_note(&s->place, &s->link, e);
    }
    return rc;
}

enum rc pg_prepare(struct sink *sink, struct buf *text, struct err *e)
{
    struct postgres *s = pg_of(sink);
    s->load.resumable |= text != NULL;
    enum rc rc = pg_load_flush(&s->load, e);
    s->place.begins_anew = s->load.same.was_changed;
    if (rc == RC_OK && s->load.same.leads > 0)
        log_msg(s->cfg.log, LOG_LEVEL_INFO, s->cfg.spec,
                "%" PRIu64 " leads are in the tables as they are, and were not loaded again",
                s->load.same.leads);
    if (rc == RC_OK)
        rc = pg_misfits_begin(&s->misfits, &s->load, e);
    if (rc == RC_OK)
        rc = sql_record_take(&s->cfg, &s->memory, &s->place.record, e);
    if (rc == RC_OK)
        rc = note_set(s, e);
    if (rc == RC_OK)
        rc = merge(s, &s->done, e);
    s->place.was_checked = rc == RC_OK; /* what others write from now on is written after the run */
    if (rc == RC_USAGE)                 /* the tables were others when the run began */
        rc = e->rc = RC_IO;
    if (rc != RC_OK || !text)
        return rc;
    pg_finish_text_put(text, &s->place);
    s->keeps = true;
    return RC_OK;
}

/* The end of a run was decided in its first phase. But if a shard is the last one now, and was not then, nobody has
 * decided for all of them. */
static enum rc decide_again(const struct postgres *s, struct err *e)
{
    const struct sql_outcome *o = &s->outcome;
    if (o->gone > o->gone_allowed)
        return err_set(
            e, RC_IO,
            "%s: this is the last shard now, and %" PRIu64 " of the %" PRIu64
            " leads in the tables are gone from the provider, but at most %" PRIu64
            " may be marked or deleted in one run (--max-gone); the tables have not changed; "
            "run this shard again, with another --max-gone if that is right",
            s->cfg.spec, o->gone, o->held, o->gone_allowed);
    if (s->set.shown.none_found)
        return err_set(
            e, RC_IO,
            "%s: this is the last shard now, and no shard has found a lead; the tables have not "
            "changed",
            s->cfg.spec);
    return RC_OK;
}

/* Merges once more, in a new transaction. */
static enum rc merge_again(struct postgres *s, struct err *e)
{
    const struct sql_outcome outcome = s->outcome;
    const struct pg_set_outcome set = s->set;
    enum rc rc = merge(s, &s->done, e);
    if (rc == RC_OK && s->done) { /* by this run, or by the last shard */
        s->outcome = outcome;
        s->set = set;
        s->set.shown.due = 0;
        return RC_OK;
    }
    return rc == RC_OK && s->place.shard ? decide_again(s, e) : rc;
}

/* What a shard without whose rows nothing can be merged must be told to do, now that this one is loaded. */
static enum rc tell_lost(const struct postgres *s, struct err *e)
{
    const bool is_one = s->set.shown.due == 1;
    if (!s->set.lost[0])
        return RC_OK;
    return err_set(
        e, RC_IO,
        "%s: the rows of %s %s can no longer be merged: a crash of the server has emptied "
        "the staging tables, or columns of your tables have changed since they were loaded; run "
        "%s again; this one is loaded, and the tables have not changed",
        s->cfg.spec, is_one ? "shard" : "the shards", s->set.lost,
        is_one ? "that shard" : "those shards");
}

static enum rc commit(struct postgres *s, struct err *e)
{
    if (!s->place.shard)
        s->place.max_gone = NULL; /* it was asked when the run came to its end */
    s->place.is_committing = s->place.shard != NULL;
    enum rc rc = pg_run(&s->link, "commit", e);
    for (unsigned i = 0; rc == RC_NET && i < PG_TRIES; i++) {
        rc = pg_load_reconnect(&s->load, e);
        if (rc == RC_OK) /* which finds out whether it was committed */
            rc = merge_again(s, e);
        if (rc != RC_OK) /* both have waited for the server as long as they may */
            return rc;
        rc = pg_run(&s->link, "commit", e);
    }
    s->committed = rc == RC_OK;
    if (rc == RC_OK)
        sql_shards_tell(&s->set.shown, s->cfg.log, s->cfg.spec);
    return rc == RC_OK ? tell_lost(s, e) : rc;
}

enum rc pg_commit(struct sink *sink, struct err *e)
{
    return commit(pg_of(sink), e);
}

/* A shard whose commit was done, although its answer was lost: what it has loaded is the others' now, too. */
static enum rc is_of_set(struct postgres *s, bool *out, struct err *e)
{
    struct pg_run run;
    *out = false;
    if (!s->place.shard)
        return RC_OK;
    enum rc rc = pg_run_read(&s->place, &s->link, &run, e);
    *out = rc == RC_OK && (run.status == PG_RUN_LOADED || run.status == PG_RUN_DONE);
    return rc;
}

enum rc pg_drop(struct postgres *s, struct err *e)
{
    struct buf sql;
    bool stays = false;
    s->link.cfg.stop = s->link.cfg.run_stop = NULL;
    s->link.wait_ms = CLEAN_UP_MS;
    buf_init(&sql, PG_MEMORY_MAX);
    pg_link_close(&s->link); /* and with it what is not committed */
    enum rc rc = pg_link_open(&s->link, e);
    if (rc == RC_OK)
        rc = pg_lock_run(&s->place, &s->link, e);
    if (rc == RC_OK)
        rc = is_of_set(s, &stays, e);
    if (rc == RC_OK && stays)
        return RC_OK;
    buf_adds(&sql, "begin;");
    if (rc == RC_OK)
        rc = pg_put_drops(&sql, &s->place, &s->link, s->place.token, e);
    pg_put_run_abandoned(&sql, &s->place);
    buf_adds(&sql, "commit");
    if (rc == RC_OK)
        rc = pg_run_buf(&s->link, &sql, e);
    buf_free(&sql);
    return rc;
}

enum rc pg_abort(struct sink *sink, struct err *e)
{
    struct postgres *s = pg_of(sink);
    if (!s->created || s->committed)
        return RC_OK;
    s->created = false;
    return pg_drop(s, e);
}

/* ---- a later run ------------------------------------------------------------------------------ */

static enum rc recover_check(struct postgres *s, bool *done, struct err *e)
{
    struct pg_run run;
    bool exists = false;
    uint64_t part = 0;
    enum rc rc = pg_run_read(&s->place, &s->link, &run, e);
    *done = rc == RC_OK && run.status == PG_RUN_DONE;
    if (rc != RC_OK || *done)
        return rc;
    rc = pg_staged_part(&s->place, &s->link, &exists, &part, e);
    bool is_there = run.part > 0 && (run.status == PG_RUN_LOADING || run.status == PG_RUN_LOADED);
    if (rc != RC_OK || (exists && is_there && part >= run.part))
        return rc;
    return err_set(e, RC_USAGE,
                   "%s: the rows that the run had loaded are no longer in the database (a crash of "
                   "the server empties the staging tables); nothing was published; start over with "
                   "--fresh",
                   s->cfg.spec);
}

static enum rc recover_begin(struct postgres *s, const struct sink_recovery *r, bool *done,
                             struct err *e)
{
    enum rc rc = pg_connect(s, e);
    if (rc == RC_OK)
        rc = pg_lock_run(&s->place, &s->link, e);
    if (rc == RC_OK && !r->takes_back)
        rc = pg_shards_recall(&s->place, &s->link, e);
    return rc == RC_OK && !r->takes_back ? recover_check(s, done, e) : rc;
}

/* Other shards may have become loaded, or been run again, since the run was cut off. */
static void correct_result(const struct postgres *s, bool done, struct sink_result *out)
{
    const struct sink_result *now = &s->set.shown;
    if (!s->place.shard || !out)
        return;
    if (done) {
        out->due = 0;
        out->waits_for[0] = '\0';
        return;
    }
    out->due = now->due;
    out->merged = now->merged;
    (void)snprintf(out->waits_for, sizeof out->waits_for, "%s", now->waits_for);
    out->inserted = s->outcome.rows[SQL_MERGE_INSERT];
    out->updated = s->outcome.rows[SQL_MERGE_UPDATE];
    out->deleted = s->outcome.rows[SQL_MERGE_DELETE];
    out->held = s->outcome.held;
    out->gone = s->outcome.gone;
    out->gone_allowed = s->outcome.gone_allowed;
}

static enum rc finish(struct postgres *s, struct err *e)
{
    enum rc rc = merge_again(s, e);
    return rc == RC_OK ? commit(s, e) : rc;
}

static enum rc recover(struct postgres *s, const struct sink_recovery *r, struct err *e)
{
    bool done = false;
    enum rc rc = recover_begin(s, r, &done, e);
    for (unsigned i = 1; rc == RC_NET && s->was_there && i < PG_TRIES; i++)
        rc = recover_begin(s, r, &done, e);
    if (rc != RC_OK || r->only_check)
        return rc;
    if (r->takes_back)
        return pg_drop(s, e);
    if (done) {
        correct_result(s, true, r->result);
        return RC_OK;
    }
    rc = pg_load_new(&s->load, &s->place, s->cfg.profile, &s->link, STR_NONE, e);
    s->load.resumable = true;
    s->place.was_checked =
        true; /* the run has come to its end: what somebody has deleted since then is deleted after it */
    if (!s->place.shard)
        s->place.max_gone = NULL; /* it was asked when the run came to its end */
    if (rc == RC_OK)
        rc = finish(s, e);
    if (rc == RC_OK)
        correct_result(s, s->done, r->result);
    return rc;
}

enum rc pg_recover(const struct sink_cfg *cfg, const struct sink_recovery *r, struct err *e)
{
    struct pg_finish_text text;
    enum rc rc = pg_finish_text_read(r->text, &text, e);
    if (rc != RC_OK)
        return rc;
    struct postgres *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    rc = pg_init(s, cfg, text.run_id, text.started_ms, e);
    if (rc == RC_OK)
        rc = recover(s, r, e);
    pg_release(s);
    free(s);
    return rc;
}
