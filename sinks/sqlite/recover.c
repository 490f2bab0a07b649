/* A run that was cut off between prepare() and the end of commit(). */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "core/base/units.h"
#include "sinks/sqlite/fresh.h"
#include "sinks/sqlite/sqlite_internal.h"
#include "sinks/sqlite/take_in.h"

static enum rc take_text(const struct sink_cfg *cfg, struct str text, struct str *run_id,
                         int64_t *started_ms, struct err *e)
{
    struct str version;
    uint64_t ms = 0;
    if (!text_take(&text, ' ', &version) || !str_eq_c(version, SQLITE_TEXT_VERSION) ||
        !text_take(&text, ' ', run_id) || run_id->len == 0 || run_id->len > 32 ||
        !text_take_uint(&text, '\n', &ms) || ms > INT64_MAX / 1000 || text.len)
        return err_set(e, RC_SYNTAX, "%s: how to finish is malformed", cfg->spec);
    *started_ms = (int64_t)ms;
    return RC_OK;
}

/* Is the run in the database already, or is it a shard that is loaded? */
static enum rc is_done(struct sqlite *s, bool *out, struct err *e)
{
    *out = false;
    enum rc rc = sqlite_sink_attach(s, e);
    if (rc == RC_OK && s->stage.is_attached)
        rc = sqlite_target_has_run(&s->stage.db, str_c(s->place.token), out, e);
    if (rc != RC_OK || !s->cfg.shard)
        return rc;
    if (*out) /* the files of the others may still be there */
        return sqlite_shard_files_read(&s->shards.files, e);
    rc = sqlite_shard_set_is_loaded(&s->shards, str_c(s->place.token), out, e);
    s->waits = *out;
    return rc;
}

static enum rc not_there(const struct sqlite *s, struct err *e)
{
    return err_set(e, RC_USAGE,
                   "%s: the rows to be published are no longer in %s; add --fresh to start over",
                   s->cfg.spec, s->place.staging);
}

static enum rc finish_run(struct sqlite *s, bool only_check, struct err *e)
{
    bool done = false;
    int64_t leads = 0;
    enum rc rc = sqlite_number(&s->stage.db, "select count(*) from main.s0", &leads, e);
    if (rc != RC_OK || only_check)
        return rc;
    s->stage.leads = (uint64_t)leads;
    s->place.max_gone = NULL; /* it was asked when the run came to its end */
    rc = sqlite_sink_merge(s, &done, e);
    return rc == RC_OK ? sqlite_sink_commit(&s->sink, e) : rc;
}

/* Other shards may have come to their end since then, so it is found out again whether this one is the last. */
static enum rc finish_shard(struct sqlite *s, bool only_check, struct err *e)
{
    bool done = false;
    enum rc rc = sqlite_shard_set_recall(&s->shards, e);
    if (rc == RC_SYNTAX)
        return not_there(s, e);
    if (rc != RC_OK || only_check)
        return rc;
    rc = sqlite_sink_merge_set(s, &done, e);
    if (rc == RC_OK && s->shards.none_found)
        return err_set(e, RC_IO,
                       "%s: no shard has found a lead, so the tables do not change; add --fresh to "
                       "discard this run",
                       s->cfg.spec);
    if (rc == RC_OK && s->outcome.gone > s->outcome.gone_allowed)
        return err_set(e, RC_IO,
                       "%s: %" PRIu64 " of the %" PRIu64
                       " leads in the tables are missing now, but "
                       "at most %" PRIu64 " may be marked or deleted; to allow it, run the same "
                       "command with --max-gone 100%%",
                       s->cfg.spec, s->outcome.gone, s->outcome.held, s->outcome.gone_allowed);
    if (rc == RC_OK && s->waits)
        rc = sqlite_take_in_undo(&s->stage, e);
    return rc == RC_OK ? sqlite_sink_commit(&s->sink, e) : rc;
}

static enum rc finish(struct sqlite *s, enum sqlite_stage_owner owner, bool only_check,
                      struct err *e)
{
    bool done = false;
    enum rc rc = is_done(s, &done, e);
    if (rc == RC_OK && s->waits && !only_check)
        rc = sqlite_shard_set_find(&s->shards, e);
    if (rc != RC_OK || done)
        return rc;
    if (owner != SQLITE_STAGE_THIS_RUNS)
        return not_there(s, e);
    return s->cfg.shard ? finish_shard(s, only_check, e) : finish_run(s, only_check, e);
}

/* What came of a shard may be something else than the run had expected at its end. */
static void tell_outcome(const struct sqlite *s, struct sink_result *out)
{
    struct sink_result now;
    if (!out || !s->cfg.shard)
        return;
    sqlite_sink_result(&s->sink, &now);
    out->due = now.due;
    out->merged = now.merged;
    memcpy(out->waits_for, now.waits_for, sizeof out->waits_for);
    out->inserted = now.inserted;
    out->updated = now.updated;
    out->deleted = now.deleted;
    out->held = now.held;
    out->gone = now.gone;
    out->gone_allowed = now.gone_allowed;
}

static enum rc recover(struct sqlite *s, const struct sink_recovery *r, struct err *e)
{
    enum sqlite_stage_owner owner = SQLITE_STAGE_NOBODYS;
    enum rc rc = sqlite_sink_lock(s, e);
    bool is_there = rc == RC_OK && access(s->place.staging, F_OK) == 0;
    if (rc == RC_OK)
        rc = sqlite_stage_open(&s->stage, &s->place, &s->cfg, !is_there, e);
    if (rc == RC_OK)
        rc = sqlite_stage_owner(&s->stage, &owner, e);
    if (rc == RC_OK && !r->takes_back)
        rc = finish(s, owner, r->only_check, e);
    if (rc == RC_OK && !r->takes_back)
        tell_outcome(s, r->result);
    /* What another run staged since then stays: it resumes from it. */
    bool removes = rc == RC_OK && !r->only_check && owner != SQLITE_STAGE_ANOTHER_RUNS;
    if (removes)
        rc = sqlite_fresh_remove(&s->place, e);
    s->is_done = removes || !is_there;
    return rc;
}

enum rc sqlite_sink_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,
                            struct err *e)
{
    struct sqlite *s = NULL;
    struct str run_id = STR_NONE;
    int64_t started_ms = 0;
    enum rc rc = take_text(cfg, r->text, &run_id, &started_ms, e);
    if (rc == RC_OK)
        rc = sqlite_sink_new(&s, cfg, run_id, started_ms, e);
    if (!s)
        return rc;
    if (rc == RC_OK)
        rc = recover(s, r, e);
    sqlite_sink_free(s, s->is_done);
    return rc;
}
