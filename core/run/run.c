/* The run: starts its stages, stops them, and reports the result. */
#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"
#include "core/run/run_internal.h"
#include "core/run/run_republish.h"

const struct run_cfg *run_config(const struct run *r)
{
    return r->cfg;
}

const char *run_id(const struct run *r)
{
    return r->resume.run_id;
}

void run_stop(struct run *r, int signal_number)
{
    control_stop(&r->control, signal_number);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static void stop_sinks(struct run *r, int64_t grace_ms)
{
    for (size_t i = 0; i < r->n_sinks; i++)
        sink_worker_stop(&r->sinks[i], grace_ms);
}

static void begin_stop(struct run *r)
{
    int64_t grace_ms = atomic_load(&r->control.signal_number) ? CONTROL_GRACE_MS : 0;
    if (grace_ms && r->cfg->stop) /* waiting for a reader of messages may have taken some of it */
        grace_ms = stop_timer_left_ms(r->cfg->stop);
    r->loop.stop_begun = true;
    fetcher_stop(&r->fetcher, grace_ms);
    stop_sinks(r, grace_ms);
}

/* No lead is under way and none will come: ends the later stages, one after the other. */
static void begin_drain(struct run *r)
{
    r->loop.drain_begun = true;
    workers_end(&r->workers);
    ring_close(r->sequencer.ring);
}

void run_close_loop(struct run *r)
{
    fetcher_close(&r->fetcher);
    control_close_loop(&r->control);
    uv_close((uv_handle_t *)&r->loop.progress_timer, NULL);
    uv_close((uv_handle_t *)&r->loop.checkpoint_timer, NULL);
    uv_close((uv_handle_t *)&r->loop.figures_timer, NULL);
    uv_close((uv_handle_t *)&r->loop.before_io, NULL);
}

/* Hands all responses of one iteration of the loop to the workers at once. */
void run_before_io(uv_prepare_t *before_io)
{
    struct run *r = before_io->data;
    fetcher_flush(&r->fetcher);
}

void run_on_wake(uv_async_t *wake)
{
    struct run *r = wake->data;
    if (!atomic_load(&r->control.loop_open))
        return;
    control_want_wake(&r->control);
    fetch_take_back(&r->fetcher);
    if (!r->loop.stop_begun && control_is_stopping(&r->control))
        begin_stop(r);
    fetcher_kick(&r->fetcher);
    if (!r->loop.drain_begun && fetcher_try_end(&r->fetcher))
        begin_drain(r);
    if (r->loop.drain_begun && !control_has_threads(&r->control))
        run_close_loop(r);
}

static void on_progress(uv_timer_t *timer)
{
    struct run *r = timer->data;
    struct run_progress p = {.ids = intake_progress(&r->intake),
                             .ids_ended = atomic_load(&r->intake.has_ended),
                             .is_listing = r->cfg->listing != NULL};
    p.ledger = ledger_counts(r->outcomes.ledger, p.ids.unique);
    fetcher_stats(&r->fetcher, &p.http);
    p.seconds = (double)(clock_mono_us(r->cfg->clock) - r->loop.started_us) / 1e6;
    p.done_before = progress_done(&r->resume.progress);
    r->cfg->progress(r->cfg->progress_ctx, &p);
}

void run_sample_figures(struct run *r, const struct http_stats *http)
{
    if (!r->loop.figures)
        return;
    const struct ledger_counts counts = ledger_counts(r->outcomes.ledger, 0);
    figures_sample(r->loop.figures, clock_mono_us(r->cfg->clock), &counts, http);
}

static void on_figures_time(uv_timer_t *timer)
{
    struct run *r = timer->data;
    struct http_stats http;
    fetcher_stats(&r->fetcher, &http);
    run_sample_figures(r, &http);
}

static void begin_figures(struct run *r)
{
    struct http_stats http;
    const struct ledger_counts counts = ledger_counts(r->outcomes.ledger, 0);
    fetcher_stats(&r->fetcher, &http);
    figures_begin(r->loop.figures, r->loop.started_us, &counts, &http);
    (void)uv_timer_start(&r->loop.figures_timer, on_figures_time, FIGURES_SAMPLE_MS,
                         FIGURES_SAMPLE_MS);
}

/* What is done must become durable even if the provider does not respond for a long time. */
static void on_checkpoint_time(uv_timer_t *timer)
{
    struct run *r = timer->data;
    ring_poke(r->sequencer.ring);
}

static void run_loop(struct run *r)
{
    unsigned interval_ms = r->cfg->progress_interval_ms;
    if (r->cfg->progress && interval_ms)
        (void)uv_timer_start(&r->loop.progress_timer, on_progress, interval_ms, interval_ms);
    if (r->checkpoint)
        (void)uv_timer_start(&r->loop.checkpoint_timer, on_checkpoint_time, CHECKPOINT_CHECK_MS,
                             CHECKPOINT_CHECK_MS);
    if (r->loop.figures)
        begin_figures(r);
    control_wake_always(&r->control);
    (void)uv_run(&r->loop.loop, UV_RUN_DEFAULT);
}

/* ---- running -------------------------------------------------------------------------------- */

/* Starts the last stage first, so that every stage finds its successor running. */
static enum rc start_threads(struct run *r)
{
    enum rc rc = r->checkpoint ? checkpoint_start(r->checkpoint) : RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_sinks; i++)
        rc = sink_worker_start(&r->sinks[i]);
    if (rc == RC_OK)
        rc = sequencer_start(&r->sequencer);
    if (rc == RC_OK)
        rc = workers_start(&r->workers);
    return rc == RC_OK ? intake_start(&r->intake) : rc;
}

static void join_threads(struct run *r)
{
    intake_join(&r->intake);
    workers_join(&r->workers);
    sequencer_join(&r->sequencer);
    for (size_t i = 0; i < r->n_sinks; i++)
        sink_worker_join(&r->sinks[i]);
    checkpoint_join(r->checkpoint);
}

/* A thread could not be started: the run fails, and the threads that were started end as if the input were empty. */
static void stop_unstarted(struct run *r)
{
    struct err e;
    (void)err_set(&e, RC_NOMEM, "cannot start a thread");
    control_fail(&r->control, &e);
    stop_sinks(r, 0); /* before they see the end of their queues */
    if (r->sequencer.thread.started)
        return;
    for (size_t i = 0; i < r->n_sinks; i++)
        sink_worker_end_queue(&r->sinks[i]);
    if (r->checkpoint)
        checkpoint_end(r->checkpoint, false);
}

bool run_result_gone(const struct run_cfg *cfg, const struct run_result *r, uint64_t *out)
{
    bool is_counted = false;
    *out = 0;
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        const struct sink_result *sink = &r->sinks[i];
        is_counted |= sink->is_database;
        if (sink->is_database && sink->gone > *out)
            *out = sink->gone;
    }
    return is_counted;
}

bool run_result_has_sent(const struct run_result *r, size_t n_sinks)
{
    bool has = false;
    for (size_t i = 0; i < n_sinks; i++)
        has |= r->sinks[i].bytes_sent > 0;
    return has;
}

const char *run_result_exported(const struct run_result *r, size_t n_sinks)
{
    size_t n_deliveries = 0, n_there = 0;
    for (size_t i = 0; i < n_sinks; i++) {
        n_deliveries += r->sinks[i].is_delivery;
        /* Outputs that are withheld are complete; others may lack the last rows. */
        n_there += r->sinks[i].is_delivery || (r->withheld && r->sinks[i].bytes_sent);
    }
    if (r->published || !r->ledger.exported || n_there == n_sinks)
        return "exported";
    if (r->in_part || run_result_has_sent(r, n_sinks))
        return "fetched but perhaps not published";
    return n_deliveries ? "fetched and delivered but not published" : "fetched but not published";
}

void run_result_put_lacks(struct buf *out, const struct run_result *r)
{
    static const struct {
        enum run_about bit;
        const char *option;
    } all[] = {{ABOUT_FAILED, "--failed"},
               {ABOUT_MISSING, "--missing"},
               {ABOUT_SCHEMA, "--schema"},
               {ABOUT_MANIFEST, "--manifest"}};
    unsigned left = r->lacks;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!(left & all[i].bit))
            continue;
        buf_adds(out, left == r->lacks ? "" : left == all[i].bit ? " and " : ", ");
        buf_adds(out, all[i].option);
        left &= ~(unsigned)all[i].bit;
    }
}

void run_result_put_due(struct buf *out, const struct sink_result *sink)
{
    bool is_one = sink->due == 1;
    buf_addf(out, "loaded; the tables change when shard%s %s %s done", is_one ? "" : "s",
             sink->waits_for, is_one ? "is" : "are");
}

void run_result_put_unpublished(struct buf *out, const struct run_result *r,
                                const struct sink_result *sink)
{
    char bytes[UNITS_BYTES_CHARS];
    const char *state = r->withheld ? "not published" : "incomplete, because the run stopped early";
    if (sink->bytes_sent) {
        units_bytes(bytes, sizeof bytes, sink->bytes_sent);
        buf_addf(out, "%s; its reader already has %s, which cannot be taken back", state, bytes);
    } else if (r->in_part) {
        buf_adds(out, sink->is_database ? "may be published, or not at all"
                                        : "its files may be published in part, or not at all");
    } else {
        buf_addf(out, "%s; %s are unchanged", state,
                 sink->is_database ? "its tables" : "existing files");
    }
}

/* What a sink delivers is there once it has said so; files and databases appear at the end. */
enum source_commits run_queue_commits(const struct run_cfg *cfg)
{
    bool all_deliver = true;
    for (size_t i = 0; i < cfg->n_sinks; i++) {
        const struct run_sink_cfg *sink = &cfg->sinks[i];
        all_deliver &= sink->ops->delivers;
        if (sink->ops->takes_place && sink->ops->takes_place(&sink->cfg))
            return SOURCE_COMMITS_BY_SINK;
    }
    return all_deliver ? SOURCE_COMMITS_SETTLED : SOURCE_COMMITS_AT_END;
}

/* Only where there is no other sink: what is recorded is not read again, so all outputs must appear in that transaction. */
bool run_queue_is_recorded(const struct run_cfg *cfg)
{
    return cfg->queue.open && cfg->n_sinks == 1 && cfg->sinks[0].ops->recorded;
}

int64_t run_active_ms(const struct run *r)
{
    return r->resume.active_before_ms + (clock_mono_us(r->cfg->clock) - r->loop.started_us) / 1000;
}

static void execute(struct run *r, struct run_result *out)
{
    if (start_threads(r) != RC_OK)
        stop_unstarted(r);
    run_loop(r);
    join_threads(r);
    fetcher_stats(&r->fetcher, &out->http);
    run_publish(r, out);
}

void run_execute(struct run *r, struct run_result *out)
{
    *out = (struct run_result){.started_wall_ms = r->resume.started_wall_ms,
                               .first_failure = "",
                               .resumed = r->resume.loaded,
                               .done_before = progress_done(&r->resume.progress),
                               .sinks = r->results};
    memcpy(out->run_id, r->resume.run_id, sizeof out->run_id);
    r->loop.started_us = clock_mono_us(r->cfg->clock);
    if (r->resume.republish)
        run_republish(&r->resume, &r->control.signal_number, &r->record_arena, r->results, out);
    else
        execute(r, out);
}
