/* The HTTP engine: many requests to one origin, on libcurl's multi interface and a libuv loop.
 *
 * The engine pulls: whenever it may start a request it asks its owner for the next one, so that
 * nothing queues inside libcurl and time-outs count from when a request is really sent. It keeps
 * and reuses connections, multiplexes HTTP/2, decompresses, and tries again what is worth it, with
 * full-jitter exponential backoff. What belongs to the origin is kept once for all requests: the
 * Retry-After gate, the rate, the concurrency limit, and whether it is up at all.
 *
 * All functions but http_engine_stats() and http_engine_save() must be
 * called on the loop's thread; all callbacks come there. next(), sign() and a writer's restart() may come
 * from within http_engine_kick(), the others only from the loop. next(), done(), fatal() and stopped() may
 * call http_engine_kick(), _retry(), _limited(), _verify(), _stop() and _stats(); stopped() also
 * http_engine_free().
 * sign(), room(), explain() and a writer's functions must not call the engine.
 *
 * The process must ignore SIGPIPE: a server may go away while it is written to. */
#ifndef LEADPIPE_HTTP_H
#define LEADPIPE_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/base/buf.h"
#include "core/http/charset.h"
#include "core/base/clock.h"
#include "core/base/err.h"
#include "core/base/log.h"
#include "core/http/origin.h"

struct http_engine;

struct http_retry_cfg {
    unsigned attempts;         /* tries of one request, at least 1 */
    int64_t retry_max_time_ms; /* longest time for one request from its first try (time in which the
                                  origin was held back or down aside), longest Retry-After, longest
                                  time without a success */
    int64_t timeout_ms, connect_timeout_ms; /* of one attempt */
};

/* Which version of HTTP is used. Plain http:// is HTTP/1.1 in any case. */
enum http_version_policy {
    HTTP_VERSION_AUTOMATIC, /* HTTP/2 is offered (TLS with ALPN), and the server chooses */
    HTTP_VERSION_1_1_ONLY,  /* HTTP/2 is not offered */
};

enum http_end {
    HTTP_ANSWERED,  /* a final answer: `status`, also a retryable one after the last attempt */
    HTTP_NO_ANSWER, /* none within the attempts, or the request could not be made at all (a malformed
                       URL): `code` and `error` say what the last attempt met */
    HTTP_TOO_LARGE,   /* the body of a 2xx is over max_body; `code` and `error` say so */
    HTTP_NOT_WRITTEN, /* the request's writer failed: `code` is "write", `error` its text. Not tried
                         again */
    HTTP_NO_ROOM, /* room() said no to the body of a 2xx: not the request's fault; the owner may have
                       it asked again as a new one */
    HTTP_ABORTED, /* the engine was stopped or met a fatal error first */
};

/* A field of a request (RFC 9110 section 5): the name is a token, the value has no control characters
 * but tabs; "" is a field with an empty value. Those that frame the message or belong to the connection
 * are the engine's own and refused: core/base/http_field.h names them. */
struct http_header {
    const char *name, *value;
};

/* Takes the body of a 2xx in the place of memory, as it comes. Both functions are called on the loop's
 * thread; another result than RC_OK, with a text in *e, ends the request as HTTP_NOT_WRITTEN. The body of
 * an answer that is not 2xx goes to `answer` as ever.
 *
 * The body is decoded by the engine itself, which notices compressed ones that are cut off: only gzip is
 * asked for and taken (unless the request says otherwise by an Accept-Encoding of its own). A body of no
 * bytes is empty if a Content-Length says so; gzip without one was cut off. All of a body
 * was written when the request ended as HTTP_ANSWERED with a 2xx, and not before. */
struct http_writer {
    void *ctx;
    /* A try begins, be it the first: what earlier ones wrote is void. It may write nothing at all (an
     * empty body, another status). */
    enum rc (*restart)(void *ctx, struct err *e);
    enum rc (*write)(void *ctx, struct str bytes, struct err *e); /* at least one byte */
};

/* RFC 9110 section 9, RFC 5789. The engine tries again whatever the method: a request may reach the
 * server more than once, also one whose answer was lost after it had been carried out. What is not
 * idempotent by its method (POST, PATCH) must be so by what it says: an id, a key, an upsert. */
enum http_method {
    HTTP_GET,
    HTTP_HEAD, /* its answer has no body */
    HTTP_POST, /* with a body, be it empty; so have the next two */
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE, /* with a body where one is given */
};

/* Of the engine: what it remembers of a request from its first try on, also between done() and
 * http_engine_retry(). */
struct http_tries {
    struct origin_client client;
    unsigned counted;          /* failed tries that count against the attempts */
    unsigned lost;             /* those that do not, as their connection was lost */
    bool alone;                /* on a new connection that it shares with no other request */
    bool fresh;                /* on a new connection */
    bool was_closed;           /* a kept connection was, with it on it */
    bool kept;                 /* on one that is kept, if there is one */
    unsigned refused;          /* tries whose connection was refused while others were served */
    unsigned excused;          /* those that count neither, although nobody was */
    enum try_end refused_end;  /* of the one that is set aside */
    int64_t first_us, held_us; /* first try: when, and the origin's held clock then */
    int64_t due_us;            /* waiting: not tried again before */
    uint64_t order;            /* among those due at the same time */
    struct http_request *next; /* in the list of those that have ended */
};

/* A request and, once done, its answer. Owned by the caller, must stay until done. Zero it first. */
struct http_request {
    void *owner; /* of whom the engine knows nothing */
    /* The request has ended and is the owner's again. `ctx` is the engine's, here and below. */
    void (*done)(void *ctx, struct http_request *r);
    const char *url; /* kept by the caller, as are body and headers */
    enum http_method method;
    /* The same bytes on every attempt. Of GET and HEAD: empty. No Content-Type is sent but one that is
     * given. */
    struct str body;
    const struct http_header *headers; /* of its own; values may be secret: never logged */
    size_t n_headers;
    /* Headers that must be fresh on every attempt (NULL: none): appends "Name: value" lines, each
     * with a NUL behind it, to `out`. Another result than RC_OK ends the request (`code` "request").
     *
     * A field of the request's own, or of these, takes the place of the engine's of that name. */
    enum rc (*sign)(struct http_request *r, int64_t wall_ms, struct buf *out);

    /* Where the body of the answer goes: into memory (`answer`), or to a writer, which the caller keeps;
     * NULL: memory. */
    const struct http_writer *writer;
    size_t max_body; /* of a 2xx, decompressed, either way; 0: the engine's */
    /* May `answer` have `bytes` of memory in all? Not asked again for less. NULL: yes. */
    bool (*room)(void *ctx, struct http_request *r, size_t bytes);
    /* Names of fields of the answer's head that are to be kept, with a NULL behind them (NULL: none); the
     * caller keeps them. See http_field(). */
    const char *const *wanted;

    /* the answer */
    enum http_end end;
    int status; /* of the last attempt that got one; 0: none */
    /* Body of the last attempt, decompressed, but for what a writer took; for the owner to take or free
     * (a moved one leaves a zeroed or cleared one behind). */
    struct buf answer;
    struct buf fields; /* those that were wanted: see http_field(); for the owner to free */
    /* Static short word such as "timeout"; NULL where the end is HTTP_ANSWERED or HTTP_NO_ROOM, and of no
     * meaning where it is HTTP_ABORTED. */
    const char *code;
    bool is_limit;    /* 429, or a 403 with Retry-After: it does not refuse the credentials */
    bool is_redirect; /* which is an answer like others: none is followed, whatever the request */
    char charset[CHARSET_NAME_MAX +
                 1];   /* that the answer is declared to be in; "": UTF-8, or none */
    char error[512];   /* one line: why there is no answer, or a redirect's target (redirect.h) */
    unsigned attempts; /* so far, those that do not count included */

    struct http_tries tries;
};

struct http_engine_cfg {
    uv_loop_t *loop;
    const struct clock *clock;
    struct rng *rng;
    const struct log_hook *log;
    const char *subject;               /* for messages, such as the origin */
    const struct http_header *headers; /* on every request; values may be secret: never logged */
    size_t n_headers;
    const char *user_agent, *cacert; /* NULL: none */
    const char *proxy;               /* NULL: the environment's (proxy.h); "": none */
    unsigned concurrency;            /* fixed, 1 to 4096; 0: adapts between 1 and concurrency_max */
    unsigned concurrency_max;
    double rate_per_s; /* requests started, tries included; 0: no limit */
    struct http_retry_cfg retry;
    enum http_version_policy version;
    struct str totals;     /* of http_engine_save(): the figures continue from there; or absent */
    size_t max_body;       /* bytes of a 2xx after decompression, where a request sets no limit */
    size_t max_error_body; /* of an answer that is not 2xx: the rest is dropped (never too large) */
    bool (*retryable)(
        int status); /* which answers are tried again; NULL: http_status_retryable() */
    /* Appends what an answer other than 2xx says of its reason, one line for messages ("SlowDown: ..."), or
     * nothing; its body is in `r->answer`. NULL: the status is all there is to say. */
    void (*explain)(void *ctx, const struct http_request *r, struct buf *out);
    /* A 2xx counts once it has its status, even if it then breaks off, and its body is not waited
     * for, unless it goes to a writer. Beyond 2xx that is always so. */
    bool head_is_enough;

    void *ctx;
    /* The next request, of whatever kind, or NULL: none now; call http_engine_kick() when there is. */
    struct http_request *(*next)(void *ctx);
    /* The run cannot continue: RC_TLS (verification failed), RC_LIMIT (Retry-After longer than
     * retry_max_time_ms), RC_NET (no success for retry_max_time_ms, or none at all and server, proxy
     * and configuration do not fit together), RC_INTERNAL or RC_NOMEM (the loop or libcurl
     * failed). Once; then everything inside ends as by http_engine_stop() without a grace. */
    void (*fatal)(void *ctx, const struct err *e);
    /* After http_engine_stop(), once: nothing is inside any more. NULL: nobody wants to know. */
    void (*stopped)(void *ctx);
};

#define HTTP_STATUS_MAX 600

/* Latencies are counted in intervals, two for each doubling from 1 us on. */
#define HTTP_LATENCIES 74

/* Where interval `i` begins, in microseconds. */
static inline uint64_t http_latency_us(unsigned i)
{
    return (UINT64_C(2) << i / 2) * (2 + i % 2) / 4;
}

struct http_stats {
    uint64_t requests, retries; /* tries started; those of them that were not a request's first */
    uint64_t statuses[HTTP_STATUS_MAX]; /* index 0: what is no HTTP status */
    uint64_t no_answer;                 /* attempts that ended without one */
    uint64_t bytes_received;            /* bodies, as on the wire */
    uint64_t connections;               /* opened */
    unsigned in_flight, waiting, limit;
    int64_t held_back_ms; /* of the gate: from now on; 0: open */
    bool down;
    double latency_p50_ms, latency_p90_ms, latency_p99_ms, latency_max_ms; /* of answered tries */
    double latency_sum_ms;
    uint64_t latencies[HTTP_LATENCIES]; /* how many of them are in each interval */
};

enum rc http_engine_new(struct http_engine **out, const struct http_engine_cfg *cfg, struct err *e);

/* There may be a next request: asks for as many as may be started. */
void http_engine_kick(struct http_engine *h);

/* Another rate instead of cfg.rate_per_s; takes effect with the next http_engine_kick(). */
void http_engine_set_rate(struct http_engine *h, double per_s);

/* The answer of a request that is done was of no use (a 200 whose body is not JSON): tries again
 * as after a retryable status. False: it stays done, because its attempts or its time are used up,
 * the engine is stopping or met a fatal error, or memory is out. `why` is for messages. */
bool http_engine_retry(struct http_engine *h, struct http_request *r, const char *why);

/* The answer of a request that is done says, by what is in its body, that too much is asked of the origin (a
 * 403 with a code): every request is held back and this one is tried again, as after a 429 without
 * Retry-After; from done() only. False as above. */
bool http_engine_limited(struct http_engine *h, struct http_request *r);

/* The answer of a request that is done may be another's: asks once more, at once, on a connection
 * that it shares with no other request. That counts as a request but not against the attempts. False
 * as above, its attempts and time aside. */
bool http_engine_verify(struct http_engine *h, struct http_request *r, const char *why);

/* The value of a field that was wanted, of the answer to the last attempt, whatever its status: number
 * `nth`, from 0, of those with this name (RFC 9110 section 5.3), as received, without blanks around it, a
 * NUL behind it; absent: there is none. It is the request's, and hostile. Fields of more than 64 KiB in all
 * end the request as HTTP_NO_ANSWER, so one that is absent was not sent. */
struct str http_field(const struct http_request *r, const char *name, unsigned nth);

/* No new request, no retry; what is in flight may end within `grace_ms`, the rest is HTTP_ABORTED
 * (as is an answer that would have been tried again), but for what the head of its answer has decided.
 * A second call may only shorten the grace. */
void http_engine_stop(struct http_engine *h, int64_t grace_ms);

/* Appends the figures so far as a text that http_engine_cfg.totals takes; any thread. */
void http_engine_save(struct http_engine *h, struct buf *out);

/* A copy of the figures; any thread, not for every lead. */
void http_engine_stats(struct http_engine *h, struct http_stats *out);

/* When the engine next has something to do by its clock; INT64_MAX: not before a request ends or
 * comes. For tests, which set their clock to it and call http_engine_kick(). */
int64_t http_engine_due_us(const struct http_engine *h);

/* After `stopped`, or with nothing inside (a request that still is inside is forgotten). `h` may be
 * NULL. The caller's things (clock, rng, log) are not used any more; the handles close while the
 * loop runs on: uv_loop_close() says UV_EBUSY until it has run once more. */
void http_engine_free(struct http_engine *h);

#endif
