#include "sinks/delivery/answer.h"

#include <limits.h>
#include <stdio.h>

#include "core/base/blob.h"

/* How the answer's body begins, fit to be shown. */
static void answer_start(const struct http_request *r, struct secrets *secrets,
                         char out[ANSWER_SHOWN_MAX + 1])
{
    char text[ANSWER_BYTES_MAX + 1];
    size_t n = r->answer.len < ANSWER_BYTES_MAX ? r->answer.len : ANSWER_BYTES_MAX;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)r->answer.data[i];
        text[i] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    text[n] = '\0';
    secrets_redact(secrets, text, sizeof text); /* before it is cut, so that a secret is whole */
    utf8_scrub(text);
    const char *start = text + strspn(text, " ");
    size_t shown = utf8_cut(start, ANSWER_SHOWN_MAX);
    while (shown > 0 && start[shown - 1] == ' ')
        shown--;
    memcpy(out, start, shown);
    out[shown] = '\0';
}

static void describe_answer(const struct http_request *r, struct secrets *secrets,
                            struct answer_texts *texts)
{
    char start[ANSWER_SHOWN_MAX + 1];
    answer_start(r, secrets, start);
    (void)snprintf(texts->error, sizeof texts->error, "the receiver returned %d%s%s", r->status,
                   *start ? ": " : "", start);
}

static void describe_redirect(const struct http_request *r, struct secrets *secrets,
                              struct answer_texts *texts)
{
    char target[sizeof r->error];
    memcpy(target, r->error, sizeof target);
    secrets_redact(secrets, target, sizeof target);
    utf8_scrub(target);
    (void)snprintf(texts->error, sizeof texts->error,
                   "the receiver returned %d, a redirect%s%s; redirects are not followed",
                   r->status, *target ? " to " : "", target);
}

struct verdict answer_verdict(const struct http_request *r, struct secrets *secrets,
                              struct answer_texts *texts)
{
    struct verdict v = {
        .kind = VERDICT_FAILED,
        .http_status = r->status,
        .attempts = r->attempts,
        .code = texts->code,
        .error = texts->error,
    };
    *texts = (struct answer_texts){0};
    (void)snprintf(texts->code, sizeof texts->code, "http_%d", r->status);
    if (r->end == HTTP_NO_ANSWER) {
        v.code = r->code ? r->code : "no_answer";
        (void)snprintf(texts->error, sizeof texts->error, "%s",
                       *r->error ? r->error
                                 : "no "
                                   "response");
        secrets_redact(secrets, texts->error, sizeof texts->error);
        utf8_scrub(texts->error);
    } else if (r->status / 100 == 2) {
        v.kind = VERDICT_ACCEPTED;
    } else if (r->status == 410) {
        (void)snprintf(texts->error, sizeof texts->error, "the receiver returned 410 Gone");
    } else if (r->is_redirect) {
        v.code = "redirect";
        describe_redirect(r, secrets, texts);
    } else {
        describe_answer(r, secrets, texts);
    }
    return v;
}

/* WORD:STATUS:ATTEMPTS:CODE ERROR, the last two counted (blob.h). */

#define ACCEPTED "accepted"
#define FAILED "failed"
#define STATUS_MAX 999
#define CODE_MAX 128
#define ERROR_MAX 1800

/* As counted_put() does; returns where the next one goes. */
static char *put_text(char *at, const char *text, size_t most)
{
    size_t n = text ? strnlen(text, most) : 0;
    int head = text ? sprintf(at, "%zu:", n) : sprintf(at, "-:");
    at += head;
    if (n)
        memcpy(at, text, n);
    return at + n;
}

struct str answer_text(const struct verdict *v, char out[ANSWER_TEXT_SIZE])
{
    bool accepted = v->kind == VERDICT_ACCEPTED;
    char *at =
        out + sprintf(out, "%s:%d:%u:", accepted ? ACCEPTED : FAILED, v->http_status, v->attempts);
    at = put_text(at, accepted ? NULL : v->code, CODE_MAX);
    at = put_text(at, accepted ? NULL : v->error, ERROR_MAX);
    return (struct str){out, (size_t)(at - out)};
}

static enum rc take_text(struct arena *arena, struct str text, const char **out)
{
    if (!text.ptr)
        return RC_OK;
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20)
            return RC_SYNTAX;
    }
    *out = arena_strdup(arena, text);
    return *out ? RC_OK : RC_NOMEM;
}

enum rc answer_take(struct arena *arena, struct str text, struct verdict *out)
{
    struct str kind;
    struct str code;
    struct str error;
    uint64_t status = 0;
    uint64_t attempts = 0;
    if (!text_take(&text, ':', &kind) || !text_take_uint(&text, ':', &status) ||
        !text_take_uint(&text, ':', &attempts) || !counted_take(&text, &code) ||
        !counted_take(&text, &error) || text.len > 0 || status > STATUS_MAX || attempts > UINT_MAX)
        return RC_SYNTAX;
    struct verdict v = {
        .kind = VERDICT_ACCEPTED, .http_status = (int)status, .attempts = (unsigned)attempts};
    if (str_eq(kind, STR(FAILED)))
        v.kind = VERDICT_FAILED;
    else if (!str_eq(kind, STR(ACCEPTED)))
        return RC_SYNTAX;
    enum rc rc = take_text(arena, code, &v.code);
    if (rc == RC_OK)
        rc = take_text(arena, error, &v.error);
    if (rc == RC_OK)
        *out = v;
    return rc;
}
