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

/* One verdict: WORD:STATUS:ATTEMPTS:CODE ERROR, the last two counted (blob.h). Several: each:N: and each of
 * them, counted. */

static const char *const words[] = {
    [VERDICT_ACCEPTED] = "accepted",
    [VERDICT_FAILED] = "failed",
    [VERDICT_PENDING] = "moved",
};
#define EACH "each"
#define STATUS_MAX 999
#define CODE_MAX 128
#define ERROR_MAX 1800

#define VERDICT_BYTES (2 * CODE_MAX + ERROR_MAX) /* of one as a text; more than any has */

/* As counted_put(), with a NUL behind it. */
static size_t text_of(const char *text, size_t most, char *out, size_t size)
{
    int n = text ? snprintf(out, size, "%zu:%.*s", strnlen(text, most), (int)most, text)
                 : snprintf(out, size, "-:");
    return n > 0 ? (size_t)n : 0;
}

static struct str verdict_text(const struct verdict *v, char out[VERDICT_BYTES])
{
    bool has_texts = v->kind == VERDICT_FAILED;
    int head =
        snprintf(out, VERDICT_BYTES, "%s:%d:%u:", words[v->kind], v->http_status, v->attempts);
    size_t n = head > 0 ? (size_t)head : 0;
    n += text_of(has_texts ? v->code : NULL, CODE_MAX, out + n, VERDICT_BYTES - n);
    n += text_of(has_texts ? v->error : NULL, ERROR_MAX, out + n, VERDICT_BYTES - n);
    return (struct str){out, n};
}

static void put_all(const struct verdicts *v, bool has_reasons, struct buf *out)
{
    char text[VERDICT_BYTES];
    if (v->n == 1) {
        buf_add_str(out, verdict_text(v->list, text));
        return;
    }
    buf_addf(out, EACH ":%zu:", v->n);
    for (size_t i = 0; i < v->n; i++) {
        struct verdict one = v->list[i];
        if (!has_reasons && one.kind == VERDICT_FAILED) {
            one.code = "memory";
            one.error = ANSWER_NO_REASON;
        }
        counted_put(out, verdict_text(&one, text));
    }
}

enum rc answer_reserve(struct buf *out, size_t n_leads)
{
    size_t least = n_leads * ANSWER_BARE_BYTES;
    buf_init(out, SIZE_MAX);
    return buf_reserve(out, least > VERDICT_BYTES ? least : VERDICT_BYTES) ? RC_OK : RC_NOMEM;
}

void answer_text(const struct verdicts *v, struct buf *out)
{
    buf_clear(out);
    put_all(v, true, out);
    if (buf_rc(out) == RC_OK)
        return;
    buf_clear(out);
    put_all(v, false, out);
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

static bool take_kind(struct str word, enum verdict_kind *out)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (words[i] && str_eq_c(word, words[i])) {
            *out = (enum verdict_kind)i;
            return true;
        }
    }
    return false;
}

static enum rc take_verdict(struct arena *arena, struct str text, struct verdict *out)
{
    struct str kind;
    struct str code;
    struct str error;
    uint64_t status = 0;
    uint64_t attempts = 0;
    struct verdict v = {0};
    if (!text_take(&text, ':', &kind) || !text_take_uint(&text, ':', &status) ||
        !text_take_uint(&text, ':', &attempts) || !counted_take(&text, &code) ||
        !counted_take(&text, &error) || text.len > 0 || status > STATUS_MAX ||
        attempts > UINT_MAX || !take_kind(kind, &v.kind))
        return RC_SYNTAX;
    v.http_status = (int)status;
    v.attempts = (unsigned)attempts;
    enum rc rc = take_text(arena, code, &v.code);
    if (rc == RC_OK)
        rc = take_text(arena, error, &v.error);
    if (rc == RC_OK)
        *out = v;
    return rc;
}

enum rc answer_take(struct arena *arena, struct str text, size_t n_leads, struct verdicts *out)
{
    uint64_t n = 1;
    struct str word;
    struct str one = text;
    bool is_each = text_take(&text, ':', &word) && str_eq_c(word, EACH);
    if (is_each && (!text_take_uint(&text, ':', &n) || n != n_leads || n < 2))
        return RC_SYNTAX;
    struct verdict *list = arena_array(arena, n_leads, sizeof *list);
    if (!list)
        return RC_NOMEM;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        if (is_each && !counted_take(&text, &one))
            return RC_SYNTAX;
        rc = take_verdict(arena, one, &list[i]);
    }
    if (rc == RC_OK && is_each && text.len > 0)
        rc = RC_SYNTAX;
    if (rc == RC_OK && !is_each && list[0].kind == VERDICT_PENDING)
        rc = RC_SYNTAX; /* then there would have been no answer */
    if (rc == RC_OK)
        *out = (struct verdicts){list, (size_t)n};
    return rc;
}
