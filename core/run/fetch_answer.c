/* What a response means for its lead and for the run. */
#include <stdlib.h>

#include "core/http/http_status.h"
#include "core/run/fetcher.h"
#include "core/run/redact.h"

/* ---- leads that are turned away -------------------------------------------------------------- */

static void credentials_refused(struct fetcher *f, int status)
{
    const struct profile *p = f->cfg->profile;
    struct err e;
    if (p->key_header.len)
        (void)err_set(&e, RC_AUTH, "credentials refused: %s returned %d; check the API key in %s",
                      f->cfg->base_url, status, f->cfg->credential_source);
    else
        (void)err_set(&e, RC_AUTH,
                      "credentials refused: %s returned %d, but the profile has no "
                      "credential",
                      f->cfg->base_url, status);
    control_fail(f->control, &e);
}

static void redirected(struct fetcher *f, const struct lead *lead)
{
    const char *target = lead->run->request->http.error;
    struct err e;
    (void)err_set(&e, RC_NET,
                  "%s returns redirects (%d%s%s), which are not followed because they would send "
                  "the key to another address; check --base-url and --server",
                  f->cfg->base_url, lead->http_status, *target ? " to " : "", target);
    secrets_redact(f->cfg->secrets, e.msg, sizeof e.msg);
    control_fail(f->control, &e);
}

void fetch_hand_over(struct fetcher *f, struct lead *lead)
{
    struct http_request *http = &lead->run->request->http;
    lead->body = http->answer;
    buf_init(&http->answer, f->cfg->max_body);
    memory_hold(f->memory, lead, lead->body.cap);
    memory_learn_body(f->memory, lead->run->memory.held_bytes);
    fetcher_to_workers(f, lead);
}

static void fail_redirect(struct fetcher *f, struct lead *lead)
{
    const char *target = lead->run->request->http.error;
    lead_fail(lead, STAGE_FETCH, "redirect", "HTTP %d: redirect%s%s not followed",
              lead->http_status, *target ? " to " : "", target);
    redact_failure(lead, f->cfg->secrets);
    fetcher_complete(f, lead);
}

/* It is known now why leads were turned away: because of the leads themselves, or because of the key or the
 * address. In the second case they are pending. */
static void release_turned_away(struct fetcher *f, bool are_theirs)
{
    for (struct lead *lead; (lead = f->turned_away);) {
        f->turned_away = lead->run->request->next_turned_away;
        f->n_turned_away--;
        if (are_theirs && lead->run->request->http.is_redirect)
            fail_redirect(f, lead);
        else if (are_theirs)
            fetch_hand_over(f, lead);
        else
            fetcher_complete(f, lead);
    }
}

/* Ends the run if it must end, and releases the leads that waited for the verdict. True: the caller no longer
 * owns the lead that was just turned away. */
static bool apply_verdict(struct fetcher *f, enum auth_verdict verdict)
{
    if (verdict == AUTH_WAIT)
        return true;
    const struct lead *last = f->turned_away;
    if (verdict == AUTH_FATAL && last) {
        if (last->run->request->http.is_redirect)
            redirected(f, last);
        else
            credentials_refused(f, last->http_status);
    }
    release_turned_away(f, verdict == AUTH_THEIRS);
    return verdict == AUTH_FATAL;
}

static enum auth_end auth_end(const struct http_request *http)
{
    if (http_status_is_refusal(http->status, http->is_limit))
        return AUTH_REFUSED;
    return http->is_redirect ? AUTH_REDIRECTED : AUTH_OTHER;
}

/* The lead was turned away: finds out why. True: it waits until that is known, or was decided; the caller no longer
 * owns it. */
static bool turn_away(struct fetcher *f, struct lead *lead)
{
    struct fetch_request *req = lead->run->request;
    enum auth_verdict verdict = auth_check(&f->auth, req->ordinal, auth_end(&req->http));
    if (verdict != AUTH_THEIRS) {
        req->next_turned_away = f->turned_away;
        f->turned_away = lead;
        f->n_turned_away++;
    }
    if (!apply_verdict(f, verdict))
        return false;
    control_wake_always(f->control); /* it may have been the last lead */
    return true;
}

void fetch_end_auth(struct fetcher *f)
{
    if (control_is_stopping(f->control))
        release_turned_away(f, false);
    else
        (void)apply_verdict(f, auth_check_all(&f->auth, f->requested));
    fetcher_flush(f);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void note_missing(struct lead *lead)
{
    bool gone = lead->http_status == 410;
    lead->run->outcome = OUTCOME_MISSING;
    lead->run->failure = (struct failure){
        .stage = STAGE_FETCH,
        .http_status = lead->http_status,
        .code = gone ? "http_410" : "http_404",
        .error = gone ? "HTTP 410: gone" : "HTTP 404: not found",
        .attempts = lead->attempts,
    };
}

static void answered(struct fetcher *f, struct lead *lead)
{
    struct http_request *http = &lead->run->request->http;
    int status = lead->http_status;
    if (http->is_redirect) /* before it is part of a longer text, which could be truncated within a secret */
        secrets_redact(f->cfg->secrets, http->error, sizeof http->error);
    if (turn_away(f, lead))
        return;
    if (status == 404 || status == 410) {
        note_missing(lead);
        fetcher_complete(f, lead);
    } else if (http->is_redirect) {
        fail_redirect(f, lead);
    } else {
        fetch_hand_over(f, lead);
    }
}

void fetch_answered(void *fetcher, struct http_request *http)
{
    struct fetcher *f = fetcher;
    struct lead *lead = http->owner;
    lead->http_status = http->status;
    lead->attempts = http->attempts;
    uint64_t ordinal = lead->run->request->ordinal;
    switch (http->end) {
    case HTTP_ANSWERED:
        answered(f, lead);
        return;
    case HTTP_NO_ANSWER:
        lead_fail(lead, STAGE_FETCH, http->code ? http->code : "no_answer", "%s", http->error);
        redact_failure(lead, f->cfg->secrets);
        (void)apply_verdict(f, auth_check(&f->auth, ordinal, AUTH_NO_RESPONSE));
        break;
    case HTTP_TOO_LARGE:
        (void)apply_verdict(f, auth_check(&f->auth, ordinal, AUTH_OTHER));
        lead_fail(lead, STAGE_FETCH, "too_large",
                  "the response is larger than %zu bytes (--max-body)", f->cfg->max_body);
        break;
    case HTTP_NO_ROOM:
        (void)apply_verdict(f, auth_check(&f->auth, ordinal, AUTH_OTHER));
        fetch_no_room(f, lead);
        return;
    case HTTP_NOT_WRITTEN: /* a lead's body goes into memory */
    case HTTP_ABORTED:
        break; /* pending */
    }
    fetcher_complete(f, lead);
}

/* Requests a lead again whose body was not JSON, or seemed to be another lead's. */
static bool ask_again(struct fetcher *f, struct lead *lead)
{
    struct http_request *http = &lead->run->request->http;
    if (lead->run->outcome == OUTCOME_FAILED)
        return http_engine_retry(f->engine, http, lead->run->failure.error);
    if (http_engine_verify(f->engine, http, "the payload's own ID is a different one"))
        return true;
    lead_fail(lead, STAGE_FETCH, "out_of_memory", "%s", rc_text(RC_NOMEM));
    return false;
}

void fetch_take_back(struct fetcher *f)
{
    struct lead *lead;
    while (queue_try_pop(f->back, (void **)&lead, 1)) {
        if (lead->run->memory.waits) {
            lead->run->memory.waits = false;
            fetch_wait(f, lead);
            continue;
        }
        struct http_request *http = &lead->run->request->http;
        buf_free(&http->answer); /* the body's memory was moved to the lead, and now comes back */
        http->answer = lead->body;
        buf_clear(&http->answer);
        buf_init(&lead->body, 0);
        /* The body came from the state: this run has not requested the lead yet. */
        bool is_first = !lead->run->request->is_counted;
        if (!is_first && !ask_again(f, lead)) {
            if (control_is_stopping(f->control))
                lead->run->outcome = OUTCOME_PENDING;
            fetcher_complete(f, lead);
            continue;
        }
        lead->run->outcome = OUTCOME_PENDING;
        lead->other_id = STR_NONE;
        arena_reset(&lead->arena, 0);
        memory_hold(f->memory, lead, 0);
        if (http->answer.cap > MEMORY_BODY_KEPT_BYTES)
            buf_free(&http->answer);
        memory_charge_as(f->memory, lead, http->answer.cap);
        if (is_first)
            fetch_wait(f, lead);
    }
}
