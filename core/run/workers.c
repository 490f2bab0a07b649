#include "core/run/workers.h"

#include <string.h>
#include <unistd.h>

#include "core/http/charset.h"
#include "core/http/html_text.h"
#include "core/run/redact.h"

#define WORK_BATCH 16
#define PAGE_TEXT_BYTES_MAX 4096
#define PAGE_SHOWN_BYTES_MAX 200
#define DECODED_TIMES 4
#define BODY_LARGE_BYTES ((size_t)1 << 20)
#define CODE_BYTES 256
#define ERROR_BYTES 1024 /* the limit of lead_fail() */

enum work_end { WORK_DONE, WORK_AGAIN };
/* A payload whose own ID is not the requested one may be another lead's, so the lead is requested once more. When
 * the second response was the same for so many leads in a row, the provider is assumed to use other IDs there. */
#define OTHER_IDS_ENOUGH 100

/* A response that is not a payload: the lead fails with the provider's message. */
static void explain_error(struct workers *w, struct lead *lead)
{
    const char *message = NULL, *code = NULL;
    char own_code[16];
    struct err e;
    (void)charset_to_utf8(&lead->body, lead->run->request->http.charset,
                          &e); /* if that fails, it stays as it is */
    flatten_error_body(w->plan, lead, buf_str(&lead->body), &message, &code);
    /* Before it becomes part of our message, so that only the provider's words are redacted. */
    message = redacted_copy(lead, w->control->secrets, message);
    if (!code) {
        (void)snprintf(own_code, sizeof own_code, "http_%d", lead->http_status);
        code = own_code;
    }
    lead_fail(lead, STAGE_FETCH, code, "HTTP %d%s%s", lead->http_status, message ? ": " : "",
              message ? message : "");
}

static void note_oddities(struct workers *w, struct lead *lead)
{
    lead->replaced += lead->doc.replaced;
    lead->has_other_id = lead->other_id.ptr != NULL;
    if (!lead->has_other_id || !log_shows(w->control->log, LOG_LEVEL_INFO))
        return;
    const char *other_id = arena_strdup(&lead->arena, lead->other_id);
    const char *text = redacted_copy(lead, w->control->secrets, other_id);
    log_msg(w->control->log, LOG_LEVEL_INFO, lead->id.ptr,
            "the payload's own ID is %s; exported anyway", text ? text : "different");
}

/* True: the payload has another ID, and the lead must be requested once more. */
static bool verify_own_id(struct workers *w, struct lead *lead)
{
    struct fetch_request *req = lead->run->request;
    bool is_other = lead->other_id.ptr != NULL;
    if (!req || (!is_other && !req->is_verified))
        return false;
    if (req->http.attempts == 0) /* it came from the state: requested before the run was stopped */
        return false;
    if (req->is_verified && is_other) {
        (void)atomic_fetch_add(&w->other_ids_in_a_row, 1);
    } else if (req->is_verified) {
        atomic_store(&w->other_ids_in_a_row, 0);
        log_msg(w->control->log, LOG_LEVEL_WARN, lead->id.ptr,
                "the server first returned another lead's payload; the second request returned the "
                "right one");
    } else if (atomic_load(&w->other_ids_in_a_row) < OTHER_IDS_ENOUGH) {
        req->is_verified = true;
        return true;
    }
    return false;
}

/* The title of an HTML page that a gateway or login server sent instead of the lead. */
static void fail_not_json(struct workers *w, struct lead *lead, const struct err *e)
{
    struct str body = buf_str(&lead->body);
    if (!html_is_page(body)) {
        lead_fail(lead, STAGE_PARSE, "not_json", "the response is %s", e->msg);
        return;
    }
    char *text = html_text(&lead->arena, body, PAGE_TEXT_BYTES_MAX);
    /* Redacted before it is truncated, which might cut a secret in two. */
    const char *shown = redacted_copy(lead, w->control->secrets, text);
    size_t n = shown ? utf8_cut(shown, PAGE_SHOWN_BYTES_MAX) : 0;
    lead_fail(lead, STAGE_PARSE, "not_json", "the response is an HTML page, not JSON%s%.*s%s",
              n ? ": \"" : "", (int)n, n ? shown : "", n ? "\"" : "");
}

/* Converts the body to UTF-8. False: that is impossible; *done: and another request would not help. */
static bool decode_body(struct lead *lead, bool *done)
{
    struct err e;
    const char *charset = lead->run->request ? lead->run->request->http.charset : "";
    enum rc rc = charset_to_utf8(&lead->body, charset, &e);
    if (rc == RC_OK && lead->run->request)
        lead->run->request->http.charset[0] =
            '\0'; /* not twice, if the lead has to wait for memory */
    if (rc == RC_OK)
        return true;
    lead_fail(lead, STAGE_PARSE, rc == RC_LIMIT ? "too_large" : "charset", "the response %s",
              e.msg);
    *done = rc != RC_SYNTAX;
    return false;
}

/* Returns an enum flatten_hash. */
static unsigned hashes(const struct workers *w)
{
    return (w->needs & SINK_WANTS_FINGERPRINT ? FLATTEN_FINGERPRINT : 0U) |
           (w->needs & RUN_WANTS_CONTENT_HASH ? FLATTEN_CONTENT_HASH : 0U);
}

/* Returns an enum json_want. */
static unsigned json_wants(const struct workers *w)
{
    unsigned want = w->needs & ~(unsigned)SINK_WANTS_COMPACT ? JSON_TREE : 0;
    return w->needs & SINK_WANTS_COMPACT ? want | JSON_COMPACT : want;
}

/* False: the lead must be requested again, because the body should be JSON and is not (which is noted as the lead's
 * failure), or seems to be another lead's. */
static bool make_rows(struct workers *w, struct lead *lead)
{
    struct err e;
    const char *code;
    enum rc rc = flatten_parse(w->plan, lead, json_wants(w), &code, &e);
    if (rc == RC_SYNTAX) {
        fail_not_json(w, lead, &e);
        return lead->http_status != 200; /* 204 and the like: an empty body is deliberate */
    }
    if (rc == RC_CLOSED) {
        lead_fail(lead, STAGE_FETCH, code, "%s", e.msg);
        return true;
    }
    bool parsed = rc == RC_OK;
    if (parsed && verify_own_id(w, lead))
        return false;
    if (parsed && (w->needs & (SINK_WANTS_ROWS | SINK_WANTS_FINGERPRINT | RUN_WANTS_CONTENT_HASH)))
        rc = flatten_rows(w->plan, lead, hashes(w), &e);
    if (rc != RC_OK) {
        lead_fail(lead, parsed ? STAGE_FLATTEN : STAGE_PARSE,
                  rc == RC_LIMIT ? "too_complex" : "out_of_memory", "%s", e.msg);
        return true;
    }
    lead->run->ready = true;
    return true;
}

/* The tree and the compact text do not show what U+FFFD has replaced. If a name is affected, the state must keep the
 * original, or a resumed run would have other columns. */
static void keep_original(const struct workers *w, struct lead *lead)
{
    if (!w->keeps_originals || !lead->run->ready || !lead->doc.replaced)
        return;
    lead->original = lead->body;
    lead->body = (struct buf){0};
}

/* Frees everything of a failed lead but the reason. */
static void keep_reason(struct workers *w, struct lead *lead)
{
    struct failure *f = &lead->run->failure;
    char code[CODE_BYTES], error[ERROR_BYTES];
    bool has_code = f->code != NULL;
    redact_failure(lead, w->control->secrets);
    if (lead->arena.held_bytes > MEMORY_BODY_KEPT_BYTES) {
        (void)snprintf(code, sizeof code, "%s", has_code ? f->code : "");
        (void)snprintf(error, sizeof error, "%s", f->error);
        arena_free(&lead->arena);
        f->code = has_code ? arena_strdup(&lead->arena, str_c(code)) : NULL;
        const char *copy = arena_strdup(&lead->arena, str_c(error));
        f->error = copy ? copy : rc_text(RC_NOMEM);
    }
    memory_charge_as(w->memory, lead, 0);
}

/* There is no room: the lead waits, or fails. */
static enum work_end put_off(struct workers *w, struct lead *lead, enum stage stage)
{
    if (memory_must_wait(w->memory, lead)) {
        lead->run->memory.waits = true;
        return WORK_AGAIN;
    }
    memory_fail(w->memory, lead, stage);
    keep_reason(w, lead);
    return WORK_DONE;
}

static enum work_end work_on(struct workers *w, struct lead *lead)
{
    const struct run_lead *r = lead->run;
    bool done = true;
    lead->arena.refused = RC_OK;
    bool is_payload = lead->http_status >= 200 && lead->http_status <= 299;
    /* Converted to UTF-8, a text has up to three times the bytes, and for a moment both exist. */
    if (is_payload && lead->body.len > BODY_LARGE_BYTES &&
        !memory_charge(w->memory, lead, DECODED_TIMES * lead->body.cap))
        return put_off(w, lead, STAGE_PARSE);
    bool is_utf8 = !is_payload || decode_body(lead, &done);
    if (is_utf8 && !memory_charge_arena(w->memory, lead))
        return put_off(w, lead, STAGE_PARSE);
    if (!is_payload)
        explain_error(w, lead);
    else if (is_utf8)
        done = make_rows(w, lead);
    bool is_short = lead->arena.refused == RC_LIMIT && r->outcome == OUTCOME_FAILED;
    if (is_short || (r->ready && !memory_settle_arena(w->memory, lead)))
        return put_off(w, lead, r->ready ? STAGE_FLATTEN : STAGE_PARSE);
    memory_end_exclusive(w->memory, lead);
    if (r->ready)
        note_oddities(w, lead);
    if (r->outcome == OUTCOME_FAILED && done)
        keep_reason(w, lead);
    else if (!done)
        memory_charge_as(w->memory, lead, lead->body.cap + lead->arena.held_bytes);
    keep_original(w, lead);
    if (done && lead->body.cap > MEMORY_BODY_KEPT_BYTES) {
        if (r->ready) /* if not, its charge was given back already */
            memory_charge_as(w->memory, lead, lead->run->memory.charge - lead->body.cap);
        buf_free(&lead->body);
    }
    memory_hold(w->memory, lead, lead->arena.held_bytes + lead->original.cap);
    memory_learn_worked(w->memory, lead->run->memory.held_bytes);
    return done ? WORK_DONE : WORK_AGAIN;
}

static void take_arenas(struct workers *w, struct lead *const leads[], size_t n)
{
    struct arena *arenas[WORK_BATCH];
    for (size_t i = 0; i < n; i++)
        arenas[i] = &leads[i]->arena;
    arena_pool_take(w->arenas, arenas, n);
}

static void *worker_main(void *workers)
{
    struct workers *w = workers;
    struct lead *batch[WORK_BATCH], *done[WORK_BATCH], *again[WORK_BATCH];
    size_t n;
    while ((n = queue_pop(w->queue, (void **)batch, WORK_BATCH))) {
        size_t n_done = 0, n_again = 0;
        take_arenas(w, batch, n);
        for (size_t i = 0; i < n; i++) {
            if (work_on(w, batch[i]) == WORK_DONE)
                done[n_done++] = batch[i];
            else
                again[n_again++] = batch[i];
        }
        request_pool_give(w->requests, done, n_done);
        if (n_done)
            ring_complete(w->ring, done, n_done);
        if (n_again) {
            (void)queue_push(w->back, (void **)again, n_again, NULL);
            control_wake_always(w->control); /* the loop must check, whatever it waits for */
        } else {
            control_wake(w->control);
        }
    }
    control_thread_ended(w->control);
    return NULL;
}

/* ---- the threads ----------------------------------------------------------------------------- */

enum rc workers_open(struct workers *w, const struct profile *profile, enum signed_urls signed_urls,
                     size_t n_slots, struct err *e)
{
    if (queue_new(&w->queue, n_slots) != RC_OK)
        return err_nomem(e);
    return flatten_plan_new(&w->plan, profile, signed_urls, e);
}

void workers_free(struct workers *w)
{
    leads_queue_free(w->queue);
    flatten_plan_free(w->plan);
}

static unsigned thread_count(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (cpus <= 2)
        return 1;
    return cpus - 1 < WORKERS_MAX ? (unsigned)cpus - 1 : WORKERS_MAX;
}

enum rc workers_start(struct workers *w)
{
    unsigned n = thread_count();
    enum rc rc = RC_OK;
    while (rc == RC_OK && w->n_threads < n) {
        rc = control_start_thread(w->control, &w->threads[w->n_threads], worker_main, w);
        w->n_threads += rc == RC_OK;
    }
    return rc;
}

void workers_join(struct workers *w)
{
    for (unsigned i = 0; i < w->n_threads; i++)
        control_join_thread(&w->threads[i]);
}

void workers_push(struct workers *w, struct lead *const leads[], size_t n)
{
    /* Its capacity is the number of slots of the ring, so this never blocks. */
    (void)queue_push(w->queue, (void *const *)leads, n, NULL);
}

void workers_end(struct workers *w)
{
    queue_close(w->queue);
}
