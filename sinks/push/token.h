/* The access token of a destination with OAuth 2.0 (RFC 6749 sections 4.4 and 6; RFC 6750): fetched when the first
 * request needs it, and renewed by one request, however many wait for it, before it expires or when it was
 * refused. All calls, and all callbacks, on the thread of the event loop, but for token_new(), which is called
 * before the loop runs. */
#ifndef LEADPIPE_PUSH_TOKEN_H
#define LEADPIPE_PUSH_TOKEN_H

#include "core/base/secrets.h"
#include "core/http/http.h"
#include "sinks/push/destination.h"

struct token;

struct token_cfg { /* what is pointed to is kept by the caller */
    uv_loop_t *loop;
    const struct clock *clock;
    struct rng *rng;
    const struct log_hook *log;
    const char *subject; /* for messages */
    const char *url;
    const struct destination_auth *auth;
    struct str id, secret, refresh; /* of the client; `refresh` with GRANT_REFRESH_TOKEN */
    struct secrets *redaction;      /* gets every token */
    const char *user_agent, *cacert, *proxy;
    enum http_version_policy http_version;
    struct http_retry_cfg retry;

    void *ctx;
    void (*ready)(void *ctx); /* there is one; from the loop */
    /* There will be none. `status`: of the answer that is the reason; 0: there was none. `text` is redacted. */
    void (*failed)(void *ctx, int status, const char *text);
    void (*idle)(
        void *ctx); /* after token_stop(), once: it may be freed, but not from within this call */
};

enum rc token_new(struct token **out, const struct token_cfg *cfg, struct err *e);
void token_free(struct token *t); /* may be NULL */

/* The token; NULL: it is being fetched, and ready() or failed() will be called. Lives until the next call. */
const char *token_value(struct token *t);

/* The latest, which may have expired meanwhile; NULL before the first. */
const char *token_latest(const struct token *t);

/* Which one it is: 0 before the first. */
uint64_t token_number(const struct token *t);

/* Number `number` was refused: token_value() gives none until there is a later one. */
void token_refused(struct token *t, uint64_t number);

/* Members of the latest answer, in the order of auth->take; NULL before the first token. */
const struct str *token_taken(const struct token *t);

/* For how many seconds the latest is good; 0: the answer did not say. */
int64_t token_expires_s(const struct token *t);

/* Did an answer bring a refresh token that is not the configured one? */
bool token_has_new_refresh(const struct token *t);

/* No further request; what is in flight may end within `grace_ms`. Then idle(). */
void token_stop(struct token *t, int64_t grace_ms);

/* ---- pure parts, for tests ------------------------------------------------------------------ */

#define TOKEN_BYTES_MAX 16384 /* of a token, and of all that is taken from its answer */

struct token_answer {
    struct str token, refresh; /* `refresh` absent: the old one stays */
    int64_t expires_s;         /* 0: the answer does not say */
    struct str *taken;
};

/* Reads an answer of the token's server. RC_SYNTAX: it is none, *e says why; RC_NOMEM. All texts are in `a`. */
enum rc token_answer_read(struct token_answer *out, const struct destination_auth *auth,
                          struct str body, struct arena *a, struct err *e);

/* For how many seconds a token is used that expires after `expires_s`: all but a fifth of its life, which is
 * at most 60 s. */
int64_t token_use_s(int64_t expires_s);

#endif
