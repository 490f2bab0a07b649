/* What the parts of the HTTP engine share. Private to http_*.c; all of it on the loop's thread,
 * but for `struct meter`.
 *
 *   http_engine.c    the public face: making, asking for requests, stopping, the end of a step
 *   http_group.c     which connections a request may use
 *   http_headers.c   headers of requests
 *   http_loop.c      libuv on one side, curl_multi_socket_action() on the other
 *   http_transfer.c  easy handles: their options, a try's start
 *   http_receive.c   an answer's head, and the bytes of its body
 *   http_answer.c    what the end of a transfer means, by http_status.c and http_failure.c
 *   http_scheme.c    whether http:// should be https://, or the other way round
 *   http_settle.c    how long the body of an answer that its head has decided may take
 *   http_refused.c   new connections that the server does not take
 *   http_retry.c     what becomes of a request after a try; those that wait for another one
 *   http_stats.c     figures
 */
#ifndef LEADPIPE_HTTP_PRIVATE_H
#define LEADPIPE_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "core/http/gunzip.h"
#include "core/http/http.h"
#include "core/http/http_failure.h"
#include "core/http/latency.h"
#include "core/http/limiter.h"
#include "core/http/rate.h"

#define HTTP_FIELD_BYTES_MAX 63
#define HTTP_RETRY_AFTER_MAX 4
#define HTTP_LOCATION_BYTES_MAX 2047

/* Connections that libcurl may choose from for a request; see http_group.c. */
enum group_kind {
    GROUP_UNKNOWN, /* one request; its answer decides */
    GROUP_HTTP1,
    GROUP_HTTP2,
};

struct conn_group {
    struct http_engine *h;
    struct conn_group *next;
    CURLM *multi;
    uv_timer_t timer; /* libcurl's time-outs */
    enum group_kind kind;
    bool closing; /* no new request; freed when nothing is in flight */
    bool closed;  /* waits for its timer's handle only */
    unsigned in_flight;
    unsigned most; /* HTTP/2: in flight at once, as far as is known */
    int64_t opened_us;
    int64_t heard_us; /* when something was last received over one of its connections */
};

/* An easy handle. It belongs to a request while a try of that is under way, else to the pool. */
struct transfer {
    CURL *easy;
    struct http_engine *h;
    struct http_request *r;
    struct transfer *next, *prev; /* in the pool (next only) or among those in flight */
    struct conn_group *group;     /* while in flight */
    /* options that the handle has now */
    enum http_method method;
    bool sends_body, is_quick, is_http1, is_fresh, is_alone;
    int64_t started_us;
    unsigned sends;    /* how often libcurl began to send the request */
    bool is_refused;   /* libcurl wanted another connection or try and did not get it */
    bool is_untrusted; /* the answer may be another request's */

    struct buf lines;         /* headers of this try only: secret, one NUL-terminated each */
    struct curl_slist *nodes; /* a list of these, with the engine's headers behind them */
    size_t n_nodes;

    /* the answer */
    int status;        /* of the latest status line, 1xx too; 0: none has come */
    bool begun;        /* the head is complete, and none of 1xx */
    bool settling;     /* its head decides what becomes of the request ... */
    int64_t settle_us; /* ... and the body is not waited for beyond this; INT64_MAX: not set yet */
    bool success, encoded, too_large, no_room, not_written;
    bool is_gzip;           /* that is how it is encoded */
    bool is_declared_empty; /* by a Content-Length of 0, however it is encoded */
    bool is_unpacking;      /* by us: an option that the handle has now */
    struct gunzip gunzip;
    size_t max_bytes;
    size_t written_bytes;   /* to the request's writer */
    uint64_t dropped_bytes; /* of an error's body */
    unsigned n_retry_after; /* of these; what comes beyond is passed over */
    char retry_after[HTTP_RETRY_AFTER_MAX][HTTP_FIELD_BYTES_MAX + 1];
    char date[HTTP_FIELD_BYTES_MAX + 1];
    char location[HTTP_LOCATION_BYTES_MAX + 1]; /* of a 3xx; "": none */
    char why[CURL_ERROR_SIZE];
};

/* How many connections the server takes; see http_refused.c. */
struct connection_limit {
    unsigned most;    /* 0: no limit is known */
    unsigned strikes; /* refused connections that have not lowered it yet */
    int64_t raise_us, hold_us;
    bool is_reported;
};

/* The figures: written by the loop's thread, read by any. */
struct meter {
    _Atomic uint64_t requests, retries, no_answer, bytes_received, connections;
    _Atomic uint64_t statuses[HTTP_STATUS_MAX];
    _Atomic uint64_t in_flight, waiting, limit, down;
    _Atomic int64_t gate_us;
    struct latency latency;
    _Atomic uint64_t latency_sum_us;
};

/* A socket of libcurl's and its watcher; see http_loop.c. */
struct watch;

struct http_engine {
    struct http_engine_cfg cfg; /* its texts are copies; without the headers */

    /* http_loop.c */
    uv_timer_t timer;
    int64_t armed_us;       /* what `timer` is set to; INT64_MAX: stopped */
    struct watch **watches; /* by file descriptor */
    size_t n_watches;
    size_t handles; /* of libuv, not yet closed */
    bool freed;

    /* http_group.c */
    CURLSH *share; /* addresses: each group would look up its own */
    struct conn_group *groups, *http1;
    bool is_http1; /* new requests go to `http1` */

    /* http_transfer.c */
    bool unpacks; /* the server sends gzip that libcurl does not take: bodies are decoded by us */
    struct curl_slist *headers;       /* secret */
    bool has_type;                    /* a Content-Type is among them */
    struct curl_slist *proxy_headers; /* of a CONNECT */
    struct transfer *pool, *active;
    unsigned in_flight, n_settling;

    /* http_refused.c */
    struct http_request *refused; /* set aside until it shows why */
    unsigned n_refused;
    struct connection_limit connections;

    /* http_retry.c */
    struct http_request **heap; /* waiting for another try; the first one due at index 0 */
    size_t n_waiting, heap_size;
    uint64_t order;
    struct http_request *ended, *ended_last; /* the owner was not notified yet */
    char last_error[sizeof((struct http_request *)0)->error];
    int64_t gate_reported_us;
    bool retry_after_reported; /* that one was not understood */
    unsigned scheme_doubt;     /* so far; see http_scheme.c */
    unsigned misfits;          /* see enum http_misfit */

    struct origin origin;
    struct limiter limiter;
    struct rate rate;
    struct meter meter;

    int64_t now_us;    /* at the beginning of this step */
    bool busy;         /* within a step: callbacks do not start another one */
    bool source_empty; /* next() had nothing; not asked again before something happens */
    bool stopping, stopped;
    int64_t stop_us;
    struct err fatal; /* rc RC_OK: none */
    bool fatal_reported;
};

/* ---- http_engine.c -------------------------------------------------------------------------- */

/* Something has happened: takes what libcurl has ended, notifies the owner, starts what may be. The
 * last thing to be done in a callback from the loop: it may call `stopped`. */
void http_step(struct http_engine *h);

/* Nothing continues: with the next step everything inside ends as HTTP_ABORTED. Only the first one
 * counts. May be called from libcurl's callbacks. */
void http_fail(struct http_engine *h, enum rc rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static inline bool http_is_over(const struct http_engine *h)
{
    return h->stopping || h->fatal.rc != RC_OK;
}

/* ---- http_loop.c ---------------------------------------------------------------------------- */

enum rc http_loop_open(struct http_engine *h, struct err *e);
/* Sets the engine's timer to http_engine_due_us(). */
void http_loop_arm(struct http_engine *h);
/* Something else still refers to the engine's memory, or does not any more: the last thing that is
 * done with it. */
void http_loop_hold(struct http_engine *h);
void http_loop_let_go(struct http_engine *h);
/* Closes everything; the engine's memory is given back when the last handle has closed. */
void http_loop_close(struct http_engine *h);

/* Of a group: libcurl's callbacks; its timer (false: failed); the end of all of it, at once but for
 * the memory. Not from within libcurl's callbacks. */
CURLMcode http_loop_watch_group(struct conn_group *g);
bool http_loop_open_group(struct conn_group *g);
void http_loop_close_group(struct conn_group *g);

curl_socket_t http_loop_open_socket(void *transfer, curlsocktype purpose, struct curl_sockaddr *a);
int http_loop_close_socket(void *engine, curl_socket_t fd);

/* ---- http_group.c --------------------------------------------------------------------------- */

/* The group for the next try of `r`, made where necessary; NULL: out of memory. */
struct conn_group *http_group_choose(struct http_engine *h, const struct http_request *r);
/* When one has room for another request; in the past: now. */
int64_t http_group_due_us(const struct http_engine *h);

/* A status line has come; `version` is its first digit. False: the answer must not be used. */
bool http_group_saw_version(struct conn_group *g, char version);
/* May libcurl open a connection for one of its requests? */
bool http_group_may_connect(const struct conn_group *g);
/* May libcurl send one of its requests a second time? Only as HTTP/1.1 where the server asks for that
 * (RFC 9113 section 7, HTTP_1_1_REQUIRED), or where it refused the stream: the connection is new. */
bool http_group_may_resend(const struct conn_group *g);
/* It could not take another request beside those that are in flight. */
void http_group_is_full(struct conn_group *g);
/* Has the connection of a transfer that has ended been left open by the server? */
bool http_group_is_open(const struct transfer *t);
/* One of its requests timed out: has nothing else come over its connection for long either? */
bool http_group_is_silent(const struct conn_group *g);

void http_group_close(struct conn_group *g);
void http_groups_close(struct http_engine *h); /* all of them */
/* Frees what is closed and empty. Not from within libcurl's callbacks. */
void http_groups_sweep(struct http_engine *h);

/* ---- http_headers.c ------------------------------------------------------------------------- */

#define HTTP_LINES_BYTES_MAX 65536

enum rc http_headers_open(struct http_engine *h, const struct http_header *headers, size_t n,
                          struct err *e);
void http_headers_free(struct http_engine *h);
/* The list for a try of t->r, which lives as long as the transfer and the engine's headers. */
enum rc http_headers_make(struct transfer *t, struct curl_slist **out);

/* ---- http_transfer.c ------------------------------------------------------------------------ */

/* With this option a look-up of a host's address that nobody waits for any more ends by itself, on a thread of its own: a name server
 * that does not respond would hold up the loop, and the end of the program. */
CURLcode http_give_up_names(CURL *c);

/* Has it a body, be it empty? */
bool http_sends_body(const struct http_request *r);

/* From the next try on only gzip is asked for, and decoded by us. */
void http_unpack(struct http_engine *h);

/* Starts a try of `r`. Where that is not possible the request has ended. */
void http_transfer_start(struct http_engine *h, struct http_request *r);
/* Takes the transfer out of libcurl and puts it back into the pool. */
void http_transfer_release(struct transfer *t);
/* Takes the try back: nothing of it was sent. */
void http_transfer_undo(struct http_engine *h, struct http_request *r);
/* All that is in flight ends: as HTTP_ABORTED, or as the head of its answer has decided. */
void http_transfers_abort(struct http_engine *h);
void http_transfers_free(struct http_engine *h);

/* ---- http_receive.c ------------------------------------------------------------------------- */

/* A try begins: nothing of an answer has come. Another result than RC_OK: the request's writer failed,
 * and code and error of the request say so. */
enum rc http_receive_reset(struct transfer *t);
/* libcurl's callbacks. `transfer` is the struct transfer; anything but all bytes ends the transfer. */
size_t http_receive_header(char *p, size_t size, size_t n, void *transfer);
size_t http_receive_body(char *p, size_t size, size_t n, void *transfer);
size_t http_receive_packed(char *p, size_t size, size_t n, void *transfer); /* the engine unpacks */
/* Whether a body that has come to its end is all of what was compressed. */
bool http_body_is_whole(const struct transfer *t);

/* ---- http_answer.c -------------------------------------------------------------------------- */

/* No answer, for want of a connection. */
enum http_loss {
    LOSS_NONE,
    LOSS_UNSENT, /* there was no stream left on the connection: nothing was sent */
    LOSS_KEPT,   /* the server had closed a connection that was kept (HTTP/1.1) */
    LOSS_SHARED, /* it refused the stream or closed the connection with all that were on it */
    LOSS_DEAD,   /* nothing comes over the connection that many share */
};

struct http_try {
    enum try_end end;
    enum http_loss loss;
    bool is_uncounted;      /* not against its request's attempts */
    bool is_new_connection; /* no answer: it was made for this try, or could not be made */
    int status;             /* 0: no answer */
    bool is_local;          /* the request could not be made */
    bool is_tls;            /* verification failed */
    bool is_too_large, is_no_room, is_not_written;
    bool is_timeout;
    bool is_limit; /* see http_status_is_limit() */
    unsigned scheme_doubt;
    bool is_busy; /* the server says so otherwise than by a status */
    enum http_misfit misfit;
    int64_t retry_after_us; /* 0: none */
    int64_t latency_us;
};

/* What the end of a transfer means; puts code and error into its request. */
void http_answer_read(struct transfer *t, CURLcode result, struct http_try *out);

/* Whether the status alone says what becomes of the request, however the body ends: beyond 2xx
 * always, with 2xx where the engine's head_is_enough. */
bool http_head_decides(const struct transfer *t);

/* The host in `url`, printable, or "". */
void http_url_host(const char *url, char *out, size_t size);

/* "5m", "1.5s", "250ms". */
#define HTTP_DURATION_BYTES 32
const char *http_duration(int64_t us, char out[HTTP_DURATION_BYTES]);

/* ---- http_scheme.c -------------------------------------------------------------------------- */

/* A try for `url` ended with so much doubt about its scheme: when there is enough, asks the server for
 * the other one, and ends the run if it speaks that. */
void http_scheme_suspect(struct http_engine *h, const char *url, unsigned doubt);

/* ---- http_settle.c -------------------------------------------------------------------------- */

/* The head is complete, and decides: the clock of its body begins with the step's end. */
void http_settle_begin(struct transfer *t);
/* The transfer has ended. */
void http_settle_end(struct transfer *t);
/* When the first of them is out of time; INT64_MAX: there is none. */
int64_t http_settle_due_us(const struct http_engine *h);
/* Ends those that are out of time: what has come of their bodies will do. */
void http_settle_step(struct http_engine *h);

/* ---- http_refused.c ------------------------------------------------------------------------- */

/* Is it to be set aside? `r` is not in flight any more. */
bool http_is_refusal(const struct http_engine *h, const struct http_request *r,
                     const struct http_try *y);
void http_refused_add(struct http_engine *h, struct http_request *r, const struct http_try *y);
/* Another request has been answered. */
void http_refused_served(struct http_engine *h, bool is_new_connection);
/* Nothing may be in flight any more: then they failed. */
void http_refused_settle(struct http_engine *h);
void http_refused_abort(struct http_engine *h);
/* What this try shows about a request that was refused before: if it was answered, the server has a limit; if it
 * failed where others are served, it was the request's own fault, and its refused tries count after all. Of
 * another one: it may make it uncounted, and TRY_BUSY, because of the limit. */
void http_refused_retried(struct http_engine *h, struct http_request *r, struct http_try *y);
/* How many requests may be in flight. */
unsigned http_connections_max(const struct http_engine *h);

/* ---- http_retry.c --------------------------------------------------------------------------- */

/* Room for everything that is inside and one more. False: out of memory. */
bool http_wait_reserve(struct http_engine *h);
/* When the first of those that wait is due; INT64_MAX: none waits. */
int64_t http_wait_due_us(const struct http_engine *h);
/* Takes out the one that is due first, or NULL. */
struct http_request *http_wait_pop(struct http_engine *h);
/* `r` waits until `due_us`; there is room. */
void http_wait_push(struct http_engine *h, struct http_request *r, int64_t due_us);
/* All that wait end as HTTP_ABORTED. */
void http_wait_abort(struct http_engine *h);

/* Decides what follows a try that has ended and is not in flight any more: its request waits for another
 * one, or has ended. */
void http_retry_settle(struct http_engine *h, struct http_request *r, const struct http_try *y);
/* A transfer has ended with libcurl's `result`: finds out how the try went, and has it settled; or, where
 * it was refused a connection, leaves that to http_refused.c. */
void http_retry_decide(struct http_engine *h, struct transfer *t, CURLcode result);

/* The request has ended; its owner will be notified. */
void http_request_end(struct http_engine *h, struct http_request *r, enum http_end end);
struct http_request *http_ended_pop(struct http_engine *h);

/* ---- http_stats.c --------------------------------------------------------------------------- */

void http_meter_try(struct http_engine *h, const struct http_try *try);
/* From what http_engine_save() wrote. RC_SYNTAX. */
enum rc http_meter_load(struct http_engine *h, struct str totals, struct err *e);
/* Makes what changes all the time visible. */
void http_meter_publish(struct http_engine *h);

#endif
