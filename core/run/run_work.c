/* Bodies to rows: what the workers do. */
#include <string.h>

#include "core/http/charset.h"
#include "core/http/html_text.h"
#include "core/run/run_internal.h"

#define WORK_BATCH 16
#define PAGE_TEXT_BYTES_MAX 4096
#define PAGE_SHOWN_BYTES_MAX 200
#define DECODED_TIMES 4
#define RUN_CODE_BYTES 256
#define RUN_ERROR_BYTES 1024 /* as long as lead_fail() makes them */

enum work_end { WORK_DONE, WORK_AGAIN };
/* A payload whose own ID is not the one asked for may be another lead's: it is asked for once more.
 * When so many in a row were answered the same again, that is how the provider names them. */
#define OTHER_IDS_ENOUGH 100

static const char *redacted(const struct run *r, struct lead *lead, const char *text)
{
    if (!text)
        return NULL;
    char *copy = arena_strdup(&lead->arena, str_c(text));
    if (!copy)
        return rc_text(RC_NOMEM); /* rather no text than the key */
    secrets_redact(r->cfg->secrets, copy, strlen(copy) + 1);
    utf8_scrub(copy);
    return copy;
}

/* An answer that is no payload: its message is the provider's. */
static void explain_error(struct run *r, struct lead *lead)
{
    const char *message = NULL, *code = NULL;
    char own_code[16];
    struct err e;
    (void)charset_to_utf8(&lead->body, lead->request->http.charset, &e); /* else as it is */
    flatten_error_body(r->plan, lead, buf_str(&lead->body), &message, &code);
    message = redacted(r, lead, message); /* what is left out is the provider's words alone */
    if (!code) {
        (void)snprintf(own_code, sizeof own_code, "http_%d", lead->http_status);
        code = own_code;
    }
    lead_fail(lead, STAGE_FETCH, code, "HTTP %d%s%s", lead->http_status, message ? ": " : "",
              message ? message : "");
}

void run_redact_failure(const struct run *r, struct lead *lead)
{
    lead->failure.error = redacted(r, lead, lead->failure.error);
    lead->failure.code = redacted(r, lead, lead->failure.code);
}

static void note_oddities(struct run *r, struct lead *lead)
{
    lead->mended += lead->doc.mended;
    lead->has_other_id = lead->other_id.ptr != NULL;
    if (!lead->has_other_id)
        return;
    const char *text = redacted(r, lead, arena_strdup(&lead->arena, lead->other_id));
    log_msg(r->cfg->log, LOG_LEVEL_INFO, lead->id.ptr,
            "the payload's own id is %s; exported all the same", text ? text : "another one");
}

/* Is it to be asked for once more? */
static bool is_doubtful(struct run *r, struct lead *lead)
{
    struct fetch_request *req = lead->request;
    bool is_other = lead->other_id.ptr != NULL;
    if (!req || (!is_other && !req->is_verified))
        return false;
    if (req->is_verified && is_other) {
        (void)atomic_fetch_add(&r->other_ids_in_a_row, 1);
    } else if (req->is_verified) {
        atomic_store(&r->other_ids_in_a_row, 0);
        log_msg(r->cfg->log, LOG_LEVEL_WARN, lead->id.ptr,
                "the server first answered with another lead's payload; asked again, it is right");
    } else if (atomic_load(&r->other_ids_in_a_row) < OTHER_IDS_ENOUGH) {
        req->is_verified = true;
        return true;
    }
    return false;
}

/* Of a page that a gateway or login server sent in place of the lead, what it says. */
static void fail_not_json(struct run *r, struct lead *lead, const struct err *e)
{
    struct str body = buf_str(&lead->body);
    if (!html_is_page(body)) {
        lead_fail(lead, STAGE_PARSE, "not_json", "the answer is %s", e->msg);
        return;
    }
    char *text = html_text(&lead->arena, body, PAGE_TEXT_BYTES_MAX);
    const char *shown = redacted(r, lead, text); /* whole, for a secret must not be cut before */
    size_t n = shown ? utf8_cut(shown, PAGE_SHOWN_BYTES_MAX) : 0;
    lead_fail(lead, STAGE_PARSE, "not_json", "the answer is an HTML page, not JSON%s%.*s%s",
              n ? ": \"" : "", (int)n, n ? shown : "", n ? "\"" : "");
}

/* Makes the body UTF-8. False: it is none, and cannot be made so; *done: nor by another try. */
static bool decode_body(struct lead *lead, bool *done)
{
    struct err e;
    const char *charset = lead->request ? lead->request->http.charset : "";
    enum rc rc = charset_to_utf8(&lead->body, charset, &e);
    if (rc == RC_OK && lead->request)
        lead->request->http.charset[0] = '\0'; /* should the lead have to wait for memory */
    if (rc == RC_OK)
        return true;
    lead_fail(lead, STAGE_PARSE, rc == RC_LIMIT ? "too_large" : "charset", "the answer %s", e.msg);
    *done = rc != RC_SYNTAX;
    return false;
}

/* False: to be asked for again, as the body should be JSON and is not (the lead's failure says so
 * until then), or is doubtful. */
static bool make_rows(struct run *r, struct lead *lead)
{
    struct err e;
    enum rc rc = flatten_parse(r->plan, lead, r->json_want, &e);
    if (rc == RC_SYNTAX) {
        fail_not_json(r, lead, &e);
        return lead->http_status != 200; /* 204 and the like: the server means it */
    }
    if (rc == RC_CLOSED)
        return true; /* failed, and says why */
    bool parsed = rc == RC_OK;
    if (parsed && is_doubtful(r, lead))
        return false;
    if (parsed && (r->needs & (SINK_WANTS_ROWS | SINK_WANTS_FINGERPRINT)))
        rc = flatten_rows(r->plan, lead, (r->needs & SINK_WANTS_FINGERPRINT) != 0, &e);
    if (rc != RC_OK) {
        lead_fail(lead, parsed ? STAGE_FLATTEN : STAGE_PARSE,
                  rc == RC_LIMIT ? "too_complex" : "out_of_memory", "%s", e.msg);
        return true;
    }
    lead->ready = true;
    return true;
}

/* Neither the tree nor the compact text tells what U+FFFD replaced; with other names, the columns of
 * a run that is resumed would be others. */
static void keep_original(const struct run *r, struct lead *lead)
{
    if (!r->state || !lead->ready || !lead->doc.mended)
        return;
    lead->original = lead->body;
    lead->body = (struct buf){0};
}

/* That another worker may do so at the same time costs one of the values. */
static void learn_worked_bytes(struct run *r, size_t bytes)
{
    size_t average = atomic_load_explicit(&r->worked_bytes, memory_order_relaxed);
    atomic_store_explicit(&r->worked_bytes, (7 * average + bytes) / 8, memory_order_relaxed);
}

/* Only the reason is left of a lead that has failed. */
static void keep_reason(struct run *r, struct lead *lead)
{
    char code[RUN_CODE_BYTES], error[RUN_ERROR_BYTES];
    bool has_code = lead->failure.code != NULL;
    run_redact_failure(r, lead);
    if (lead->arena.held_bytes > RUN_BODY_KEPT_BYTES) {
        (void)snprintf(code, sizeof code, "%s", has_code ? lead->failure.code : "");
        (void)snprintf(error, sizeof error, "%s", lead->failure.error);
        arena_free(&lead->arena);
        lead->failure.code = has_code ? arena_strdup(&lead->arena, str_c(code)) : NULL;
        const char *copy = arena_strdup(&lead->arena, str_c(error));
        lead->failure.error = copy ? copy : rc_text(RC_NOMEM);
    }
    run_charge_as(r, lead, 0);
}

/* No room: it waits, or has failed. */
static enum work_end put_off(struct run *r, struct lead *lead, enum stage stage)
{
    if (run_must_wait(r, lead)) {
        lead->waits = true;
        return WORK_AGAIN;
    }
    run_fail_memory(r, lead, stage);
    keep_reason(r, lead);
    return WORK_DONE;
}

static enum work_end work_on(struct run *r, struct lead *lead)
{
    bool done = true;
    lead->arena.refused = RC_OK;
    bool is_payload = lead->http_status >= 200 && lead->http_status <= 299;
    /* In UTF-8 a text has up to three times the bytes, and for a moment both are there. */
    if (is_payload && lead->body.len > RUN_BODY_LARGE_BYTES &&
        !run_charge(r, lead, DECODED_TIMES * lead->body.cap))
        return put_off(r, lead, STAGE_PARSE);
    bool is_utf8 = !is_payload || decode_body(lead, &done);
    if (is_utf8 && !run_take_arena(r, lead))
        return put_off(r, lead, STAGE_PARSE);
    if (!is_payload)
        explain_error(r, lead);
    else if (is_utf8)
        done = make_rows(r, lead);
    bool is_short = lead->arena.refused == RC_LIMIT && lead->outcome == OUTCOME_FAILED;
    if (is_short || (lead->ready && !run_settle_arena(r, lead)))
        return put_off(r, lead, lead->ready ? STAGE_FLATTEN : STAGE_PARSE);
    run_end_exclusive(r, lead);
    if (lead->ready)
        note_oddities(r, lead);
    if (lead->outcome == OUTCOME_FAILED && done)
        keep_reason(r, lead);
    else if (!done)
        run_charge_as(r, lead, lead->body.cap + lead->arena.held_bytes);
    keep_original(r, lead);
    if (done && lead->body.cap > RUN_BODY_KEPT_BYTES) {
        if (lead->ready) /* else it is not charged any more */
            run_charge_as(r, lead, lead->charge - lead->body.cap);
        buf_free(&lead->body);
    }
    run_weigh(r, lead, lead->arena.held_bytes + lead->original.cap);
    learn_worked_bytes(r, lead->weight);
    return done ? WORK_DONE : WORK_AGAIN;
}

static void take_arenas(struct run *r, struct lead *const leads[], size_t n)
{
    struct arena *arenas[WORK_BATCH];
    for (size_t i = 0; i < n; i++)
        arenas[i] = &leads[i]->arena;
    arena_pool_take(r->arenas, arenas, n);
}

void *work_main(void *run)
{
    struct run *r = run;
    struct lead *batch[WORK_BATCH], *done[WORK_BATCH], *again[WORK_BATCH];
    size_t n;
    while ((n = queue_pop(r->work_queue, (void **)batch, WORK_BATCH))) {
        size_t n_done = 0, n_again = 0;
        take_arenas(r, batch, n);
        for (size_t i = 0; i < n; i++) {
            if (work_on(r, batch[i]) == WORK_DONE)
                done[n_done++] = batch[i];
            else
                again[n_again++] = batch[i];
        }
        request_pool_give(r->requests, done, n_done);
        if (n_done)
            order_complete(r->order, done, n_done);
        if (n_again) {
            (void)queue_push(r->retry_queue, (void **)again, n_again, NULL);
            atomic_store(&r->wants_wake, true); /* the loop must look, whatever it waits for */
        }
        run_wake(r);
    }
    run_thread_ended(r);
    return NULL;
}
