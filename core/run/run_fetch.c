/* IDs to bodies: reads IDs, asks the engine for leads, decides what an answer means. */
#include <stdlib.h>
#include <string.h>

#include "core/run/run_internal.h"

/* The run ends when all of the first three leads that got an answer were turned away: their
 * credentials refused, or sent to another address. Of fewer leads, where all were refused. */
#define AUTH_LEADS 3

/* ---- the IDs' thread ------------------------------------------------------------------------ */

static void publish_counts(struct run *r)
{
    struct ids_counts c = ids_counts(r->ids);
    atomic_store_explicit(&r->ids_read, c.read, memory_order_relaxed);
    atomic_store_explicit(&r->ids_unique, c.unique, memory_order_relaxed);
}

static enum rc hand_to_loop(struct run *r)
{
    size_t pushed = 0;
    enum rc rc = queue_push(r->ids_queue, (void **)r->read, r->n_read, &pushed);
    for (size_t i = pushed; i < r->n_read; i++)
        lead_free(r->read[i]); /* the run was stopped */
    r->n_read = 0;
    publish_counts(r);
    run_wake(r);
    return rc;
}

/* A list of the wrong kind has thousands of bad lines, and this may end in a mail. */
#define BAD_LINES_SHOWN 10

static void fail_bad_line(struct run *r, struct lead *lead, const struct id_item *item)
{
    if (item->file)
        lead_fail(lead, STAGE_INPUT, "bad_id", "%s:%llu: %s", item->file,
                  (unsigned long long)item->line, item->bad);
    else
        lead_fail(lead, STAGE_INPUT, "bad_id", "%s", item->bad);
    bool shown = r->bad_lines++ < BAD_LINES_SHOWN;
    log_msg(r->cfg->log, shown ? LOG_LEVEL_WARN_ALWAYS : LOG_LEVEL_INFO, NULL, "%s",
            lead->failure.error);
}

/* With --verbose there is a message for each. */
static void sum_up_bad_lines(const struct run *r)
{
    const struct log_hook *log = r->cfg->log;
    if (r->bad_lines <= BAD_LINES_SHOWN || !log || log->level >= LOG_LEVEL_INFO)
        return;
    log_msg(log, LOG_LEVEL_WARN_ALWAYS, NULL,
            "%llu more lines of the input failed in the same way%s%s",
            (unsigned long long)(r->bad_lines - BAD_LINES_SHOWN),
            r->cfg->failed_path ? "; all are listed in " : "; --failed FILE lists them all",
            r->cfg->failed_path ? r->cfg->failed_path : "");
}

static enum rc push_lead(struct run *r, struct lead *lead)
{
    r->read[r->n_read++] = lead;
    return r->n_read == RUN_BATCH ? hand_to_loop(r) : RC_OK;
}

/* The last one that was done makes all of them sure, and what waited for that goes on. */
static enum rc push_early(struct run *r)
{
    enum rc rc = RC_OK;
    if (!resume_ids_are_sure(r))
        return RC_OK;
    atomic_store_explicit(&r->ids_sure, true, memory_order_release);
    for (struct lead *lead; rc == RC_OK && (lead = resume_next_early(r));)
        rc = push_lead(r, lead);
    return rc;
}

static enum rc push_id(struct run *r, const struct id_item *item, struct err *e)
{
    bool skip;
    bool waits;
    struct lead *lead = lead_new(item->id, item->params, r->cfg->profile->n_params);
    if (!lead)
        return err_nomem(e);
    lead->seq = r->next_place;
    memcpy(lead->key, item->key, sizeof lead->key);
    lead->file = item->file;
    lead->line = item->line;
    enum rc rc = resume_next_id(r, lead, &skip, &waits, e);
    if (rc == RC_OK && !skip && item->bad)
        fail_bad_line(r, lead, item);
    r->next_place++;
    if (skip || (rc != RC_OK && !waits))
        lead_free(lead);
    if (rc == RC_OK)
        rc = push_early(r);
    return rc == RC_OK && !skip && !waits ? push_lead(r, lead) : rc;
}

/* A pipe may be silent for long: what came before is on its way meanwhile. */
void fetch_before_wait(void *run)
{
    (void)hand_to_loop(run); /* RC_CLOSED shows again at the next ID */
}

void *fetch_ids_main(void *run)
{
    struct run *r = run;
    struct arena arena;
    struct err e;
    enum rc rc = RC_OK;
    arena_init(&arena, (size_t)16 << 20);
    while (rc == RC_OK && !atomic_load_explicit(&r->stopping, memory_order_relaxed)) {
        struct id_item item;
        arena_reset(&arena, 64 * 1024);
        rc = ids_next(r->ids, &arena, &item, &e);
        if (rc == RC_OK)
            rc = push_id(r, &item, &e);
    }
    arena_free(&arena);
    sum_up_bad_lines(r);
    enum rc short_of = rc == RC_END ? resume_end_of_ids(r, &e) : RC_OK;
    rc = short_of == RC_OK ? rc : short_of;
    enum rc handed = hand_to_loop(r);
    rc = rc == RC_OK ? handed : rc;
    if (rc == RC_END)
        atomic_store(&r->ids_ended, true);
    else if (rc != RC_OK && rc != RC_CLOSED && rc != RC_STOPPED)
        run_fatal(r, &e);
    queue_close(r->ids_queue);
    run_thread_ended(r);
    return NULL;
}

/* ---- the next request ----------------------------------------------------------------------- */

static struct lead *take_id(struct run *r)
{
    if (r->next_taken == r->n_taken) {
        r->next_taken = 0;
        r->n_taken = queue_try_pop(r->ids_queue, (void **)r->taken, RUN_BATCH);
    }
    return r->next_taken < r->n_taken ? r->taken[r->next_taken++] : NULL;
}

void fetch_drop_taken(struct run *r)
{
    for (struct lead *lead; (lead = take_id(r));)
        lead_free(lead);
}

/* Is there room for another lead? Not when held_bytes, and a guess for each lead under way, are too
 * many: the mean body, and a share of worked_bytes, which is what a lead weighs when the workers are
 * done with it. The share grows with how full held_bytes is, as little is let go then, and with
 * worked_bytes itself, up to all of it at RUN_WORKED_BYTES_MAX: of large leads many would have come
 * before held_bytes showed that a sink is slow. */
static bool budget_has_room(struct run *r)
{
    size_t held = atomic_load(&r->held_bytes);
    double worked = (double)atomic_load_explicit(&r->worked_bytes, memory_order_relaxed);
    double share =
        (double)held / (double)RUN_HELD_BYTES_MAX + worked / (double)RUN_WORKED_BYTES_MAX;
    double each = r->average_body_bytes + worked * (share < 1 ? share : 1);
    uint64_t reserved, completed;
    order_counts(r->order, &reserved, &completed);
    double under_way = (double)(reserved - completed) * each;
    size_t most = held == 0 ? RUN_UNDER_WAY_BYTES_MAX : RUN_HELD_BYTES_MAX;
    return (double)held + under_way < (double)most;
}

/* The mean at first, then that of the last ones; quicker to grow than to shrink. */
static void learn_body_bytes(struct run *r, size_t bytes)
{
    double more = (double)bytes - r->average_body_bytes;
    r->bodies++;
    double n = r->bodies < 64 ? (double)r->bodies : 64;
    r->average_body_bytes += more / (more > 0 && n > 8 ? 8 : n);
}

enum rc fetch_make_request(struct run *r, struct lead *lead, struct err *e)
{
    const struct run_cfg *cfg = r->cfg;
    struct fetch_request *req = request_pool_take(r->requests, cfg->max_body);
    if (!req)
        return err_nomem(e);
    lead->request = req;
    enum rc rc =
        profile_url(cfg->profile, str_c(cfg->base_url), lead->id, lead->params, &req->url, e);
    if (rc != RC_OK)
        return rc;
    req->http.owner = lead;
    req->http.url = buf_cstr(&req->url);
    req->http.method = "GET";
    return buf_rc(&req->url) == RC_OK ? RC_OK : err_nomem(e);
}

static void hand_to_workers(struct run *r, struct lead *lead);

static void to_workers(struct run *r, struct lead *lead)
{
    r->answered[r->n_answered++] = lead;
    if (r->n_answered == RUN_BATCH)
        fetch_flush(r);
}

void fetch_complete(struct run *r, struct lead *lead)
{
    run_end_exclusive(r, lead);
    run_weigh(r, lead, 0);
    run_charge_as(r, lead, 0);
    request_pool_give(r->requests, &lead, 1);
    order_complete(r->order, &lead, 1);
}

/* One lead further: its request, or NULL when it needs none (*again) or there is none. */
static struct http_request *start_lead(struct run *r, bool *again)
{
    struct lead *lead = take_id(r);
    *again = lead != NULL;
    if (!lead)
        return NULL;
    order_reserve(r->order, lead);
    if (lead->outcome == OUTCOME_FAILED) { /* a line that is no ID */
        fetch_complete(r, lead);
        return NULL;
    }
    struct err e;
    if (fetch_make_request(r, lead, &e) != RC_OK) {
        lead_fail(lead, STAGE_FETCH, "request", "%s", e.msg);
        fetch_complete(r, lead);
        return NULL;
    }
    if (r->resume.n_kept && resume_take_kept(r, lead, &lead->request->http.answer)) {
        hand_to_workers(r, lead); /* nobody is asked */
        return NULL;
    }
    lead->request->ordinal = r->requested++;
    return &lead->request->http;
}

struct http_request *fetch_next(void *run)
{
    struct run *r = run;
    bool asked_for_wake = false;
    while (!atomic_load_explicit(&r->stopping, memory_order_relaxed)) {
        struct http_request *waited;
        struct lead *ready;
        bool again = memory_next(r, &ready, &waited);
        if (waited)
            return waited;
        if (ready)
            to_workers(r, ready);
        if (!again && !memory_blocks(r) && order_has_room(r->order) && budget_has_room(r)) {
            struct http_request *http = start_lead(r, &again);
            if (http)
                return http;
        }
        if (again)
            continue;
        if (asked_for_wake)
            return NULL;
        /* Something may have changed before the others saw the wish: look once more. */
        atomic_store(&r->wants_wake, true);
        asked_for_wake = true;
    }
    return NULL;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void credentials_refused(struct run *r, int status)
{
    const struct profile *p = r->cfg->profile;
    struct err e;
    if (p->key_header.len)
        (void)err_set(&e, RC_AUTH, "credentials refused: %s answered %d; check the API key in %s",
                      r->cfg->base_url, status, r->cfg->credential_source);
    else
        (void)err_set(&e, RC_AUTH, "credentials refused: %s answered %d, and the profile has none",
                      r->cfg->base_url, status);
    run_fatal(r, &e);
}

static void redirected(struct run *r, const struct lead *lead)
{
    const char *target = lead->request->http.error;
    struct err e;
    (void)err_set(&e, RC_NET,
                  "%s answers with redirects (%d%s%s), which are not followed, as they would carry "
                  "the key to another address; check --base-url and --server",
                  r->cfg->base_url, lead->http_status, *target ? " to " : "", target);
    secrets_redact(r->cfg->secrets, e.msg, sizeof e.msg);
    run_fatal(r, &e);
}

/* The body goes to a worker: the payload, or the text of an error. */
static void hand_to_workers(struct run *r, struct lead *lead)
{
    struct http_request *http = &lead->request->http;
    lead->body = http->answer;
    buf_init(&http->answer, r->cfg->max_body);
    run_weigh(r, lead, lead->body.cap);
    learn_body_bytes(r, lead->weight);
    to_workers(r, lead);
}

void fetch_flush(struct run *r)
{
    if (r->n_answered == 0)
        return;
    /* As many places as the ring: never waits. */
    (void)queue_push(r->work_queue, (void **)r->answered, r->n_answered, NULL);
    r->n_answered = 0;
}

static void fail_redirect(struct run *r, struct lead *lead)
{
    const char *target = lead->request->http.error;
    lead_fail(lead, STAGE_FETCH, "redirect", "HTTP %d: a redirect%s%s is not followed",
              lead->http_status, *target ? " to " : "", target);
    run_redact_failure(r, lead);
    fetch_complete(r, lead);
}

/* It is known now whose fault it was that leads were turned away: theirs, or that of the key or the
 * server's address. Then nobody knows yet what becomes of them. */
static void release_turned_away(struct run *r, bool are_theirs)
{
    while (r->turned_away) {
        struct lead *lead = r->turned_away;
        r->turned_away = lead->next_refused;
        r->n_turned_away--;
        if (are_theirs && lead->request->http.is_redirect)
            fail_redirect(r, lead);
        else if (are_theirs)
            hand_to_workers(r, lead);
        else
            fetch_complete(r, lead);
    }
}

static void accept_credentials(struct run *r)
{
    if (r->accepted)
        return;
    r->accepted = true;
    release_turned_away(r, true);
}

static void end_if_turned_away(struct run *r)
{
    const struct lead *last = r->turned_away;
    if (r->first_turned_away < AUTH_LEADS || !last)
        return;
    if (last->request->http.is_redirect)
        redirected(r, last);
    else
        credentials_refused(r, last->http_status);
    release_turned_away(r, false);
}

/* A lead got no answer: one more counts in its place, which may have been turned away already. So it
 * is for one that does not count yet, too: it may be next when others fail later. */
static void count_without(struct run *r)
{
    if (r->accepted)
        return;
    uint64_t next = AUTH_LEADS + r->unanswered++;
    for (const struct lead *l = r->turned_away; l; l = l->next_refused)
        r->first_turned_away += l->request->ordinal == next;
    end_if_turned_away(r);
}

static bool is_refused(const struct lead *lead)
{
    return lead->http_status == 401 || (lead->http_status == 403 && !lead->request->http.is_limit);
}

/* The first leads that are turned away wait for one other answer: then each is that lead's alone.
 * True: this one waits. */
static bool wait_turned_away(struct run *r, struct lead *lead)
{
    if (!is_refused(lead) && !lead->request->http.is_redirect)
        accept_credentials(r);
    if (r->accepted)
        return false;
    lead->next_refused = r->turned_away;
    r->turned_away = lead;
    r->n_turned_away++;
    r->first_turned_away += lead->request->ordinal < AUTH_LEADS + r->unanswered;
    end_if_turned_away(r);
    (void)uv_async_send(&r->wake); /* it may have been the last one */
    return true;
}

void fetch_judge_end(struct run *r)
{
    const struct lead *last = r->turned_away;
    bool all = last && r->requested < AUTH_LEADS && r->first_turned_away == r->requested;
    for (const struct lead *l = last; all && l; l = l->next_refused)
        all = is_refused(l);
    bool stopping = atomic_load(&r->stopping);
    if (all && !stopping)
        credentials_refused(r, last->http_status);
    release_turned_away(r, !all && !stopping);
    fetch_flush(r);
}

static void note_missing(struct lead *lead)
{
    bool gone = lead->http_status == 410;
    lead->outcome = OUTCOME_MISSING;
    lead->failure = (struct failure){
        .stage = STAGE_FETCH,
        .http_status = lead->http_status,
        .code = gone ? "http_410" : "http_404",
        .error = gone ? "HTTP 410: gone" : "HTTP 404: not found",
        .attempts = lead->attempts,
    };
}

static void answered(struct run *r, struct lead *lead)
{
    int status = lead->http_status;
    if (wait_turned_away(r, lead))
        return;
    if (status == 404 || status == 410) {
        note_missing(lead);
        fetch_complete(r, lead);
    } else if (lead->request->http.is_redirect) {
        fail_redirect(r, lead);
    } else {
        hand_to_workers(r, lead);
    }
}

void fetch_done(void *run, struct http_request *http)
{
    struct run *r = run;
    struct lead *lead = http->owner;
    lead->http_status = http->status;
    lead->attempts = http->attempts;
    switch (http->end) {
    case HTTP_ANSWERED:
        answered(r, lead);
        return;
    case HTTP_NO_ANSWER:
        lead_fail(lead, STAGE_FETCH, http->code ? http->code : "no_answer", "%s", http->error);
        run_redact_failure(r, lead);
        count_without(r);
        break;
    case HTTP_TOO_LARGE:
        accept_credentials(r);
        lead_fail(lead, STAGE_FETCH, "too_large",
                  "the answer is larger than %zu bytes (--max-body)", r->cfg->max_body);
        break;
    case HTTP_NO_ROOM:
        accept_credentials(r);
        memory_no_room(r, lead);
        return;
    case HTTP_ABORTED:
        break; /* pending */
    }
    fetch_complete(r, lead);
}

/* Asks again for a lead whose body was no JSON, or doubtful. */
static bool ask_again(struct run *r, struct lead *lead)
{
    struct http_request *http = &lead->request->http;
    if (lead->outcome == OUTCOME_FAILED)
        return http_engine_retry(r->engine, http, lead->failure.error);
    if (http_engine_verify(r->engine, http, "the payload's own id is another one"))
        return true;
    lead_fail(lead, STAGE_FETCH, "out_of_memory", "%s", rc_text(RC_NOMEM));
    return false;
}

void fetch_take_retries(struct run *r)
{
    struct lead *lead;
    while (queue_try_pop(r->retry_queue, (void **)&lead, 1)) {
        if (lead->waits) {
            lead->waits = false;
            memory_wait(r, lead);
            continue;
        }
        struct http_request *http = &lead->request->http;
        buf_free(&http->answer); /* it was moved to the lead; now it comes back */
        http->answer = lead->body;
        buf_clear(&http->answer);
        buf_init(&lead->body, 0);
        if (!ask_again(r, lead)) {
            if (atomic_load(&r->stopping))
                lead->outcome = OUTCOME_PENDING;
            fetch_complete(r, lead);
            continue;
        }
        lead->outcome = OUTCOME_PENDING;
        lead->other_id = STR_NONE;
        arena_reset(&lead->arena, 0);
        run_weigh(r, lead, 0);
        if (http->answer.cap > RUN_BODY_KEPT_BYTES)
            buf_free(&http->answer);
        run_charge_as(r, lead, http->answer.cap);
    }
}
