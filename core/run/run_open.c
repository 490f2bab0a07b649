/* Makes a run's stages, and frees them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/run/checkpoint.h"

#define RECORD_ARENA_BYTES_MAX ((size_t)256 << 20)

static enum rc open_engine(struct run *r, struct err *e)
{
    const struct run_cfg *cfg = r->cfg;
    bool has_key = cfg->profile->key_header.len != 0;
    buf_init(&r->key_value, 64 * 1024);
    buf_add_str(&r->key_value, cfg->profile->key_prefix);
    buf_adds(&r->key_value, cfg->credential);
    r->key_header.name = cfg->profile->key_header.ptr;
    r->key_header.value = buf_cstr(&r->key_value);
    if (buf_rc(&r->key_value) != RC_OK)
        return err_set(e, buf_rc(&r->key_value), "the credential is too long");
    const struct http_engine_cfg engine = {
        .loop = &r->loop,
        .clock = cfg->clock,
        .rng = &r->rng,
        .log = cfg->log,
        .subject = cfg->base_url,
        .headers = &r->key_header,
        .n_headers = has_key ? 1 : 0,
        .user_agent = cfg->user_agent,
        .cacert = cfg->cacert,
        .proxy = cfg->proxy,
        .version = cfg->http_version,
        .totals = r->resume.totals,
        .concurrency = cfg->concurrency,
        .concurrency_max = cfg->concurrency_max,
        .rate_per_s = cfg->rate_per_s,
        .retry = cfg->retry,
        .max_body = cfg->max_body,
        .max_error_body = 64 * 1024,
        .ctx = r,
        .room = memory_room,
        .next = fetch_next,
        .done = fetch_done,
        .fatal = run_on_fatal,
        .stopped = run_on_stopped,
    };
    return http_engine_new(&r->engine, &engine, e);
}

static enum rc open_loop(struct run *r, struct err *e)
{
    int failed = uv_loop_init(&r->loop);
    if (failed)
        return err_set(e, RC_INTERNAL, "event loop: %s", uv_strerror(failed));
    failed = uv_async_init(&r->loop, &r->wake, run_on_wake);
    if (!failed)
        failed = uv_timer_init(&r->loop, &r->progress_timer);
    if (!failed)
        failed = uv_timer_init(&r->loop, &r->checkpoint_timer);
    if (!failed)
        failed = uv_prepare_init(&r->loop, &r->before_io);
    if (!failed)
        failed = uv_prepare_start(&r->before_io, run_before_io);
    if (failed)
        return err_set(e, RC_INTERNAL, "event loop: %s", uv_strerror(failed));
    r->wake.data = r;
    r->progress_timer.data = r;
    r->checkpoint_timer.data = r;
    r->before_io.data = r;
    atomic_store(&r->loop_open, true);
    return open_engine(r, e);
}

/* What all sinks together need of a lead. */
static void collect_needs(struct run *r)
{
    for (size_t i = 0; i < r->n_outlets; i++)
        r->needs |= r->outlets[i].ops->needs(&r->outlets[i].cfg);
    if (r->notes_accepted)
        r->needs |= SINK_WANTS_FINGERPRINT;
    if (r->needs & ~(unsigned)SINK_WANTS_COMPACT)
        r->json_want |= JSON_TREE;
    if (r->needs & SINK_WANTS_COMPACT)
        r->json_want |= JSON_COMPACT;
}

static void describe_outlets(struct run *r)
{
    const struct run_cfg *cfg = r->cfg;
    r->n_outlets = cfg->n_sinks;
    for (size_t i = 0; i < r->n_outlets; i++) {
        struct outlet *o = &r->outlets[i];
        o->run = r;
        o->index = (unsigned)i;
        o->ops = cfg->sinks[i].ops;
        o->cfg = cfg->sinks[i].cfg;
        o->cfg.profile = cfg->profile;
        o->cfg.stop = cfg->stop;
        o->cfg.index = o->index;
        o->cfg.host = (struct sink_host){.ctx = o,
                                         .settle = outlet_settle,
                                         .owed = resume_owed,
                                         .sent = resume_sent,
                                         .holds = outlet_holds,
                                         .releases = outlet_releases};
        r->sink_eighths += o->ops->eighths;
    }
}

/* A text that a stage once gave to the state and cannot read any more, where the state seemed sound. */
static enum rc what_state_holds(const struct run *r, enum rc rc, struct err *e)
{
    if (rc != RC_SYNTAX)
        return rc;
    err_prefix(e, "%s: is damaged", r->cfg->state_path);
    return e->rc = RC_USAGE;
}

static enum rc open_outlets(struct run *r, struct err *e)
{
    for (size_t i = 0; i < r->n_outlets; i++) {
        struct outlet *o = &r->outlets[i];
        if (queue_new(&o->queue, RUN_OUTLET_LEADS) != RC_OK)
            return err_nomem(e);
        struct sink_mark mark;
        o->cfg.state = r->state;
        o->cfg.schema = r->schema;
        enum rc rc = o->ops->open(&o->sink, &o->cfg, resume_mark(r, i, &mark), e);
        if (rc != RC_OK)
            return what_state_holds(r, rc, e);
    }
    return RC_OK;
}

static enum rc open_queues(struct run *r, struct err *e)
{
    unsigned most = r->cfg->concurrency ? r->cfg->concurrency : r->cfg->concurrency_max;
    size_t places = most * 4 > RUN_PLACES_MIN ? most * 4 : RUN_PLACES_MIN;
    if (queue_new(&r->ids_queue, RUN_IDS_AHEAD) != RC_OK ||
        queue_new(&r->work_queue, places) != RC_OK || queue_new(&r->retry_queue, places) != RC_OK ||
        order_new(&r->order, places, r->cfg->order_input) != RC_OK)
        return err_nomem(e);
    return RC_OK;
}

static enum rc open_ids(struct run *r, struct err *e)
{
    if (pipe2(r->cancel_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_sys(e, RC_IO, errno, "pipe");
    struct ids_cfg ids = r->cfg->ids;
    ids.wait = (struct ids_wait){r->cancel_pipe[0], fetch_before_wait, r};
    ids.log = r->cfg->log;
    return ids_open(&r->ids, &ids, e);
}

static enum rc open_checkpoint(struct run *r, struct err *e)
{
    if (!r->state)
        return RC_OK;
    enum rc rc = resume_count(r, e);
    if (rc == RC_OK && checkpoint_new(&r->checkpoint, r) != RC_OK)
        rc = err_nomem(e);
    return rc;
}

static enum rc open_ledger(struct run *r, struct err *e)
{
    const struct ledger_cfg cfg = {
        .profile = r->cfg->profile,
        .failed_path = r->cfg->failed_path,
        .missing_path = r->cfg->missing_path,
        .state = r->state,
        .clock = r->cfg->clock,
        .stop = r->cfg->stop,
    };
    return ledger_new(&r->ledger, &cfg, e);
}

/* What writes files, and the state's part in it. */
static enum rc open_outputs(struct run *r, struct err *e)
{
    enum rc rc = resume_restore(r, e);
    if (rc == RC_OK)
        rc = what_state_holds(r, open_loop(r, e), e);
    if (rc == RC_OK)
        rc = open_ledger(r, e);
    if (rc == RC_OK)
        rc = open_outlets(r, e);
    if (rc == RC_OK)
        rc = open_checkpoint(r, e);
    return rc;
}

/* Everything that can be refused without touching anything comes before what makes files. */
static enum rc open_all(struct run *r, struct err *e)
{
    const struct run_cfg *cfg = r->cfg;
    enum rc rc = flatten_plan_new(&r->plan, cfg->profile, cfg->signed_urls, e);
    if (rc == RC_OK)
        rc = schema_new(&r->schema, cfg->profile, cfg->max_columns);
    if (rc == RC_OK)
        rc = arena_pool_new(&r->arenas);
    if (rc == RC_OK)
        rc = request_pool_new(&r->requests);
    if (rc == RC_OK)
        rc = open_queues(r, e);
    if (rc == RC_OK)
        rc = open_ids(r, e);
    if (rc == RC_OK && cfg->state_path)
        rc = resume_open(r, e);
    if (rc != RC_OK || r->republish)
        return rc;
    collect_needs(r);
    return open_outputs(r, e);
}

enum rc run_new(struct run **out, const struct run_cfg *cfg, struct err *e)
{
    if (cfg->n_sinks == 0 || cfg->n_sinks > RUN_SINKS_MAX)
        return err_set(e, RC_USAGE, "1 to %d sinks (-t) are possible", RUN_SINKS_MAX);
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return err_nomem(e);
    r->cfg = cfg;
    budget_init(&r->budget, cfg->max_memory);
    r->cancel_pipe[0] = r->cancel_pipe[1] = -1;
    r->average_body_bytes = RUN_BODY_BYTES;
    rng_seed_system(&r->rng);
    if (pthread_mutex_init(&r->lock, NULL)) {
        free(r);
        return err_nomem(e);
    }
    describe_outlets(r);
    run_make_id(r->run_id);
    r->started_wall_ms = clock_wall_ms(cfg->clock);
    arena_init(&r->record_arena, RECORD_ARENA_BYTES_MAX);
    enum rc rc = run_check(cfg, r->outlets, e);
    bool is_valid = rc == RC_OK;
    if (rc == RC_OK)
        rc = open_all(r, e);
    if (rc != RC_OK) {
        if (is_valid && rc != RC_USAGE && rc != RC_BUSY && !r->republish)
            run_tell_unopened(r, e);
        run_free(r);
        return rc;
    }
    *out = r;
    return RC_OK;
}

static void free_queue(struct queue *q)
{
    struct lead *lead;
    while (q && queue_try_pop(q, (void **)&lead, 1)) {
        fetch_request_free(lead);
        lead_free(lead);
    }
    queue_free(q);
}

/* Also after a run_new() that failed half-way: whatever is there goes. */
void run_free(struct run *r)
{
    if (!r)
        return;
    if (atomic_load(&r->loop_open)) { /* never executed */
        run_close_loop(r);
        (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    }
    if (r->wake.data)
        (void)uv_loop_close(&r->loop);
    for (size_t i = 0; i < r->n_outlets; i++) {
        if (r->outlets[i].sink)
            r->outlets[i].ops->close(r->outlets[i].sink);
        free_queue(r->outlets[i].queue);
    }
    if (r->ids_queue)
        fetch_drop_taken(r);
    free_queue(r->ids_queue);
    free_queue(r->work_queue);
    free_queue(r->retry_queue);
    order_free(r->order);
    ledger_free(r->ledger);
    ids_close(r->ids);
    checkpoint_free(r->checkpoint);
    resume_free(r);
    arena_free(&r->record_arena);
    arena_pool_free(r->arenas);
    request_pool_free(r->requests);
    schema_free(r->schema);
    flatten_plan_free(r->plan);
    for (int i = 0; i < 2; i++) {
        if (r->cancel_pipe[i] >= 0)
            (void)close(r->cancel_pipe[i]);
    }
    if (r->key_value.data)
        explicit_bzero(r->key_value.data, r->key_value.cap);
    buf_free(&r->key_value);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
