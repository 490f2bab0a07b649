/* Makes a run's stages, and frees them. */
#include <stdlib.h>
#include <string.h>

#include "core/base/event_loop.h"
#include "core/base/random_hex.h"
#include "core/run/run_check.h"
#include "core/run/run_internal.h"
#include "core/run/run_republish.h"

/* ---- the loop ------------------------------------------------------------------------------- */

static enum rc open_loop(struct run *r, struct err *e)
{
    struct run_loop *l = &r->loop;
    enum rc rc = event_loop_init(&l->loop, e);
    if (rc != RC_OK)
        return rc;
    l->is_made = true;
    int failed = uv_timer_init(&l->loop, &l->progress_timer);
    if (!failed)
        failed = uv_timer_init(&l->loop, &l->checkpoint_timer);
    if (!failed)
        failed = uv_timer_init(&l->loop, &l->figures_timer);
    if (!failed)
        failed = uv_prepare_init(&l->loop, &l->before_io);
    if (!failed)
        failed = uv_prepare_start(&l->before_io, run_before_io);
    if (failed)
        return event_loop_error(failed, e);
    l->progress_timer.data = l->checkpoint_timer.data = l->figures_timer.data = l->before_io.data =
        r;
    return control_open_loop(&r->control, &l->loop, run_on_wake, r, e);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

static bool has_new_place(void *run)
{
    struct run *r = run;
    struct id_source *q = r->intake.shared;
    struct buf text;
    struct err e;
    buf_init(&text, SINK_TEXT_BYTES_MAX);
    /* An error is said to the sink, at the barrier. */
    bool has = q->ops->place(q, r->sequencer.items, &text, &e) != RC_OK || text.len;
    buf_free(&text);
    return has;
}

static bool is_awaited(void *run)
{
    struct run *r = run;
    return r->intake.shared->ops->is_awaited(r->intake.shared, r->sequencer.items);
}

static void checkpoint_note(void *run, struct state_progress *sums, struct buf *totals)
{
    struct run *r = run;
    if (r->intake.commits == SOURCE_COMMITS_BY_SINK)
        r->intake.place.item = r->sequencer.items;
    sums->active_ms = run_active_ms(r);
    beyond_write(&r->sequencer.beyond, totals);
    fetcher_save(&r->fetcher, totals);
}

static void checkpoint_barrier(void *run)
{
    struct run *r = run;
    for (size_t i = 0; i < r->n_sinks; i++)
        sink_worker_push_barrier(&r->sinks[i]);
}

static enum rc checkpoint_sync(void *run, struct err *e)
{
    struct run *r = run;
    for (size_t i = 0; i < r->n_sinks; i++) {
        const struct sink_worker *w = &r->sinks[i];
        enum rc rc = w->ops->sync ? w->ops->sync(w->sink, e) : RC_OK;
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc checkpoint_commit(void *run, const struct state_checkpoint *c, struct err *e)
{
    struct run *r = run;
    if (r->intake.commits == SOURCE_COMMITS_BY_SINK)
        r->intake.shared->ops->placed(r->intake.shared, r->intake.place.item);
    if (!r->state)
        return RC_OK;
    enum rc rc = state_checkpoint(r->state, c, e);
    if (rc == RC_OK)
        log_msg(r->cfg->log, LOG_LEVEL_DEBUG, r->cfg->state_path, "leads that are durable: %llu",
                (unsigned long long)(c->progress.high - c->n_gaps));
    return rc;
}

static enum rc open_checkpoint(struct run *r, struct err *e)
{
    const struct checkpoint_cfg cfg = {
        .control = &r->control,
        .n_sinks = r->n_sinks,
        .n_tables = r->cfg->profile->n_tables,
        .progress = &r->sequencer.progress,
        .schema = r->sequencer.schema,
        .ctx = r,
        .note = checkpoint_note,
        .has_more = r->intake.commits == SOURCE_COMMITS_BY_SINK ? has_new_place : NULL,
        .is_awaited = r->intake.commits == SOURCE_COMMITS_BY_SINK ? is_awaited : NULL,
        .barrier = checkpoint_barrier,
        .sync = checkpoint_sync,
        .commit = checkpoint_commit,
    };
    if (!r->state && r->intake.commits != SOURCE_COMMITS_BY_SINK)
        return RC_OK;
    enum rc rc = r->state ? resume_count(&r->resume, r->outcomes.ledger, e) : RC_OK;
    if (rc == RC_OK && checkpoint_new(&r->checkpoint, &cfg) != RC_OK)
        rc = err_nomem(e);
    r->sequencer.checkpoint = r->checkpoint;
    for (size_t i = 0; i < r->n_sinks; i++)
        r->sinks[i].checkpoint = r->checkpoint;
    return rc;
}

/* ---- the stages ------------------------------------------------------------------------------ */

/* What the sinks together need of each lead. */
static unsigned sinks_need(const struct run_cfg *cfg)
{
    unsigned needs = 0;
    for (size_t i = 0; i < cfg->n_sinks; i++)
        needs |= cfg->sinks[i].ops->needs(&cfg->sinks[i].cfg);
    return needs;
}

static unsigned all_needs(const struct run *r)
{
    unsigned needs = sinks_need(r->cfg);
    if (r->resume.notes_accepted)
        needs |= r->resume.by_xxh3 ? RUN_WANTS_CONTENT_HASH : SINK_WANTS_FINGERPRINT;
    return needs;
}

/* RC_SYNTAX of a stage means that its text in the state is damaged: reports that as RC_USAGE. */
static enum rc blame_state(const struct run *r, enum rc rc, struct err *e)
{
    if (rc != RC_SYNTAX)
        return rc;
    err_prefix(e, "%s: is damaged", r->cfg->state_path);
    return e->rc = RC_USAGE;
}

/* Checks for a stop between two outputs, because opening each may wait for a server. */
static enum rc check_stopped(const struct run *r, struct err *e)
{
    return control_is_stopping(&r->control)
               ? err_set(e, RC_STOPPED, "the run was stopped before its first request")
               : RC_OK;
}

static enum rc open_sinks(struct run *r, struct err *e)
{
    for (size_t i = 0; i < r->n_sinks; i++) {
        struct sink_worker *w = &r->sinks[i];
        struct sink_mark mark;
        w->cfg.state = r->state;
        w->cfg.schema = r->sequencer.schema;
        w->cfg.run_id = r->resume.run_id;
        w->cfg.discarded_run_id = r->resume.discarded_run_id;
        w->cfg.started_ms = r->resume.started_wall_ms;
        enum rc rc = check_stopped(r, e);
        if (rc == RC_OK)
            rc = sink_worker_open(w, resume_mark(&r->resume, i, &mark), e);
        if (rc != RC_OK)
            return blame_state(r, rc, e);
    }
    return RC_OK;
}

static enum rc open_ledger(struct run *r, struct err *e)
{
    const struct ledger_cfg cfg = {
        .profile = r->cfg->profile,
        .places = r->cfg->places,
        .failed_path = r->cfg->failed_path,
        .missing_path = r->cfg->missing_path,
        .is_shard = r->cfg->shard.of > 0,
        .state = r->state,
        .figures = r->loop.figures,
        .clock = r->cfg->clock,
        .stop = r->cfg->stop,
    };
    return ledger_new(&r->outcomes.ledger, &cfg, e);
}

static enum rc recall(void *run, struct str record, bool is_confirmed, struct err *e)
{
    struct id_source *q = ((struct run *)run)->intake.shared;
    return q->ops->recall(q, record, is_confirmed, e);
}

/* The queue is read from where the sink has it, if a run was killed before it could commit that to the queue. */
static enum rc recall_queue(struct run *r, struct err *e)
{
    const struct sink_worker *w = &r->sinks[0];
    struct id_source *q = r->intake.shared;
    if (!run_queue_is_recorded(r->cfg))
        return RC_OK;
    enum rc rc = w->ops->recorded(w->sink, recall, r, e);
    return rc == RC_OK ? q->ops->begin(q, e) : rc;
}

/* Opens what has to know where the run resumes: columns, loop, fetcher, sinks, lists, checkpoint. */
static enum rc open_outputs(struct run *r, struct err *e)
{
    enum rc rc = resume_restore(&r->resume, r->sequencer.schema, e);
    if (rc == RC_OK && sequencer_resume(&r->sequencer, &r->resume) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = open_loop(r, e);
    if (rc == RC_OK)
        rc = blame_state(r, fetcher_open(&r->fetcher, &r->loop.loop, e), e);
    if (rc == RC_OK)
        rc = run_targets_make_folders(&r->targets, e);
    if (rc == RC_OK)
        rc = open_ledger(r, e);
    if (rc == RC_OK)
        rc = open_sinks(r, e);
    if (rc == RC_OK)
        rc = open_checkpoint(r, e);
    if (rc == RC_OK)
        rc = check_stopped(r, e);
    return rc == RC_OK ? recall_queue(r, e) : rc;
}

static void state_failed(void *control, const struct err *e)
{
    control_fail(control, e);
}

/* The targets of a resumed run have the day and the id of its first part. */
static enum rc take_targets(struct run *r, struct err *e)
{
    const struct resume_plan *p = &r->resume;
    enum rc rc = run_targets_fill(&r->targets, r->targets.given, p->run_id, p->started_wall_ms, e);
    for (size_t i = 0; rc == RC_OK && i < r->n_sinks; i++)
        r->sinks[i].cfg.target = r->cfg->sinks[i].cfg.target;
    r->intake.failed_path = r->cfg->failed_path;
    return rc;
}

static enum rc discard_outputs(struct run *r, struct err *e)
{
    const struct resume_plan *p = &r->resume;
    struct run_targets then = {0};
    if (!p->discarded_run_id[0])
        return RC_OK;
    enum rc rc =
        run_targets_fill(&then, r->targets.given, p->discarded_run_id, p->discarded_wall_ms, e);
    if (rc == RC_OK)
        run_targets_discard(&then, &r->targets);
    run_targets_free(&then);
    return rc;
}

/* Finds out what of this run is done already, and hands that to the stages. */
static enum rc open_state(struct run *r, struct err *e)
{
    struct resume_plan *p = &r->resume;
    const struct state_cfg cfg = {.path = r->cfg->state_path,
                                  .forgets = r->cfg->fresh,
                                  .failed = state_failed,
                                  .ctx = &r->control};
    enum rc rc = state_open(&r->state, &cfg, e);
    p->state = r->state;
    p->has_fingerprints = sinks_need(r->cfg) & SINK_WANTS_FINGERPRINT;
    if (rc == RC_OK)
        rc = resume_begin(p, e);
    if (rc == RC_OK)
        rc = take_targets(r, e);
    if (rc == RC_OK)
        rc = discard_outputs(r, e);
    if (rc == RC_OK && p->republish)
        rc = run_republish_check(p, e);
    if (rc != RC_OK || p->republish)
        return rc;
    r->sequencer.state = r->state;
    r->workers.keeps_originals = true;
    r->outcomes.state = p->notes_accepted ? r->state : NULL;
    r->outcomes.resume = p->loaded ? p : NULL;
    r->intake.resume.before = p->loaded ? &p->run.checkpoint : NULL;
    r->intake.resume.state_path = r->cfg->state_path;
    if (!r->cfg->listing)
        return RC_OK;
    list_source_use(r->intake.listed, r->state);
    return p->loaded ? fetcher_resume_listing(&r->fetcher, e) : RC_OK;
}

/* ---- what each stage knows of the others ------------------------------------------------------ */

/* Other members of the group wait until what this one has read is done, so no sink may keep leads back for long to fill a
 * message. In a run with an end they usually come steadily, so it may wait longer. */
static int64_t collect_ms(const struct run_queue_cfg *q)
{
    if (!q->open)
        return 0;
    return q->has_no_end ? 1000 : 5000;
}

/* Threads are started in the order of the sinks: whoever waits for its turn waits for one that is there. Also in a run of all
 * leads: another one, or one of shards, has the locks in the same order. */
static void connect_turns(struct run *r)
{
    struct turn *before = NULL;
    for (size_t i = 0; i < r->n_sinks; i++) {
        if (r->sinks[i].ops->shards != SINK_SHARDS_TOGETHER)
            continue;
        r->sinks[i].before = before;
        before = &r->sinks[i].turn;
    }
}

static void connect_sinks(struct run *r)
{
    r->n_sinks = r->cfg->n_sinks;
    for (size_t i = 0; i < r->n_sinks; i++) {
        const struct run_sink_cfg *sink = &r->cfg->sinks[i];
        r->memory.sink_eighths += sink->ops->eighths;
        r->sinks[i] = (struct sink_worker){
            .control = &r->control,
            .memory = &r->memory,
            .outcomes = &r->outcomes,
            .arenas = r->arenas,
            .resume = &r->resume,
            .index = (unsigned)i,
            .ops = sink->ops,
            .cfg = sink->cfg,
            .place = &r->intake.place,
            .intake = &r->intake,
            .collect_ms = collect_ms(&r->cfg->queue),
            .wants_missing = sink->ops->needs(&sink->cfg) & SINK_WANTS_MISSING,
            .wants_failed = sink->ops->needs(&sink->cfg) & SINK_WANTS_FAILED,
        };
    }
}

static void connect_stages(struct run *r)
{
    const struct run_cfg *cfg = r->cfg;
    size_t kept = run_kept_bytes(cfg, cfg->max_memory);
    memory_init(&r->memory, cfg->profile, cfg->max_memory - kept);
    if (cfg->queue.open)
        r->intake.commits = run_queue_commits(cfg);
    buf_init(&r->intake.place.text, SINK_TEXT_BYTES_MAX);
    r->outcomes.control = &r->control;
    r->outcomes.memory = &r->memory;
    connect_sinks(r);
    connect_turns(r);

    r->intake.control = &r->control;
    r->intake.n_params = cfg->profile->n_params;
    r->intake.failed_path = cfg->failed_path;
    r->intake.shard = cfg->shard;
    r->intake.has_expect = cfg->has_expect;
    r->intake.has_no_end = cfg->queue.has_no_end;

    r->workers.control = &r->control;
    r->workers.memory = &r->memory;
    r->workers.arenas = r->arenas;
    r->workers.requests = r->requests;
    r->workers.back = r->back;

    r->sequencer.control = &r->control;
    r->sequencer.memory = &r->memory;
    r->sequencer.outcomes = &r->outcomes;
    r->sequencer.resume = &r->resume;
    r->sequencer.sinks = r->sinks;
    r->sequencer.n_sinks = r->n_sinks;
    r->sequencer.ids_are_verified = &r->intake.are_verified;
    r->sequencer.keeps_order = cfg->order == ORDER_INPUT;
    r->sequencer.commits_place = r->intake.commits == SOURCE_COMMITS_BY_SINK;
    r->sequencer.finds_unchanged = cfg->changed_only && !cfg->resend;

    r->fetcher.cfg = cfg;
    r->fetcher.control = &r->control;
    r->fetcher.memory = &r->memory;
    r->fetcher.intake = &r->intake;
    r->fetcher.workers = &r->workers;
    r->fetcher.requests = r->requests;
    r->fetcher.back = r->back;
    r->fetcher.resume = &r->resume;
}

static enum rc open_list(struct run *r, const struct source_wait *wait, struct err *e)
{
    struct listing *l = &r->fetcher.listing;
    enum rc rc = fetcher_open_listing(&r->fetcher, wait, e);
    if (rc == RC_OK)
        rc = list_source_new(&r->intake.listed, l->queue, r->cfg->profile->n_params, e);
    else
        list_queue_free(l->queue);
    if (rc == RC_OK)
        r->intake.source = list_source(r->intake.listed);
    else
        l->queue = NULL;
    return rc;
}

static enum rc open_queue(struct run *r, const struct source_wait *wait, struct err *e)
{
    const struct run_queue_cfg *q = &r->cfg->queue;
    enum rc rc = q->open(&r->intake.source, q->ctx, wait, r->intake.commits,
                         run_queue_is_recorded(r->cfg), e);
    if (rc != RC_OK)
        return rc;
    r->intake.shared = r->intake.place.source = r->intake.source;
    if (run_queue_is_recorded(r->cfg))
        r->sinks[0].cfg.queue = r->intake.shared->ops->identity(r->intake.shared);
    r->outcomes.queue = r->intake.commits == SOURCE_COMMITS_SETTLED ? r->intake.source : NULL;
    r->intake.warns = q->has_no_end && r->intake.commits != SOURCE_COMMITS_BY_SINK;
    r->outcomes.warns = r->intake.warns;
    r->outcomes.lists_failed = r->cfg->failed_path;
    r->outcomes.lists_missing = r->cfg->missing_path;
    return RC_OK;
}

static enum rc open_intake(struct run *r, struct err *e)
{
    enum rc rc = intake_open(&r->intake, e);
    if (rc != RC_OK)
        return rc;
    struct ids_cfg ids = r->cfg->ids;
    ids.wait = intake_wait(&r->intake);
    if (r->cfg->listing)
        return open_list(r, &ids.wait, e);
    if (r->cfg->queue.open)
        return open_queue(r, &ids.wait, e);
    ids.log = r->cfg->log;
    return ids_open(&r->intake.source, &ids, e);
}

/* All checks that change nothing come first, before files are made. */
static enum rc open_all(struct run *r, struct err *e)
{
    const struct run_cfg *cfg = r->cfg;
    unsigned most = cfg->concurrency ? cfg->concurrency : cfg->concurrency_max;
    size_t n_slots = most * 4 > RUN_SLOTS_MIN ? most * 4 : RUN_SLOTS_MIN;
    if (arena_pool_new(&r->arenas) != RC_OK || request_pool_new(&r->requests) != RC_OK ||
        queue_new(&r->back, n_slots) != RC_OK)
        return err_nomem(e);
    connect_stages(r);
    enum rc rc =
        workers_open(&r->workers, cfg->profile, (enum signed_urls)cfg->signed_urls, n_slots, e);
    if (rc == RC_OK)
        rc = sequencer_open(&r->sequencer, cfg->profile, n_slots, cfg->max_columns, e);
    r->workers.ring = r->fetcher.ring = r->sequencer.ring;
    if (rc == RC_OK)
        rc = open_intake(r, e);
    if (rc == RC_OK && cfg->wants_figures)
        rc = figures_new(&r->loop.figures, e);
    r->resume.figures = r->loop.figures;
    if (rc == RC_OK && cfg->state_path)
        rc = open_state(r, e);
    if (rc != RC_OK || r->resume.republish)
        return rc;
    r->workers.needs = all_needs(r);
    return open_outputs(r, e);
}

/* ---- making, freeing ------------------------------------------------------------------------- */

enum rc run_new(struct run **out, const struct run_cfg *cfg, struct err *e)
{
    if (cfg->n_sinks == 0 || cfg->n_sinks > RUN_SINKS_MAX)
        return err_set(e, RC_USAGE, "1 to %d sinks (-t) are allowed", RUN_SINKS_MAX);
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return err_nomem(e);
    r->cfg = r->resume.cfg = &r->targets.cfg;
    r->control.clock = cfg->clock;
    r->control.log = cfg->log;
    r->control.secrets = cfg->secrets;
    r->control.stop_timer = cfg->stop;
    if (control_init(&r->control) != RC_OK) {
        free(r);
        return err_nomem(e);
    }
    r->resume.started_wall_ms = clock_wall_ms(cfg->clock);
    run_check_complete(cfg);
    enum rc rc = random_hex(r->resume.run_id, e);
    if (rc == RC_OK)
        rc = run_targets_fill(&r->targets, cfg, r->resume.run_id, r->resume.started_wall_ms, e);
    if (rc == RC_OK)
        rc = run_check(r->cfg, e);
    bool is_valid = rc == RC_OK;
    if (is_valid && cfg->stoppable)
        cfg->stoppable(r);
    if (rc == RC_OK)
        rc = open_all(r, e);
    if (rc != RC_OK) {
        if (is_valid && rc != RC_USAGE && rc != RC_BUSY && !r->resume.republish)
            run_report_unopened(r, e);
        run_free(r);
        return rc;
    }
    *out = r;
    return RC_OK;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* After run_execute() everything is closed already; otherwise the loop may be partly open. */
static void free_loop(struct run *r)
{
    uv_loop_t *loop = &r->loop.loop;
    if (!r->loop.is_made)
        return;
    fetcher_close(&r->fetcher);
    control_close_loop(&r->control);
    uv_walk(loop, close_handle, NULL);
    (void)uv_run(loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(loop); /* cannot fail: no handles are left */
}

/* Also frees a run whose run_new() failed half-way. */
void run_free(struct run *r)
{
    if (!r)
        return;
    free_loop(r);
    for (size_t i = 0; i < r->n_sinks; i++)
        sink_worker_close(&r->sinks[i]);
    intake_free(&r->intake);
    fetcher_free(&r->fetcher);
    workers_free(&r->workers);
    leads_queue_free(r->back);
    sequencer_free(&r->sequencer);
    ledger_free(r->outcomes.ledger);
    figures_free(r->loop.figures);
    checkpoint_free(r->checkpoint);
    resume_free(&r->resume);
    state_close(r->state);
    if (r->targets.given && r->targets.given->stoppable)
        r->targets.given->stoppable(NULL);
    run_targets_free(&r->targets);
    buf_free(&r->intake.place.text);
    arena_free(&r->record_arena);
    arena_pool_free(r->arenas);
    request_pool_free(r->requests);
    control_free(&r->control);
    free(r);
}
