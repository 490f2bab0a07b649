/* Sends messages (each a body, and the leads in it) to an HTTP receiver and says how each ended. What is asked
 * of the receiver, and what its answers mean, is the protocol's of a kind of sink.
 *
 * A thread of its own runs an HTTP engine on an event loop. Whoever fills messages takes an empty one,
 * and waits for it while as many as are allowed are on their way: so memory is bounded, and a slow
 * receiver slows the run. A receiver that cannot be talked to any more (the protocol says so, a certificate
 * that does not verify, no success for too long) closes the delivery: what is on its way and what comes
 * later fails with that reason, at once. */
#ifndef LEADPIPE_DELIVERY_H
#define LEADPIPE_DELIVERY_H

#include <uv.h>

#include "core/sink.h"
#include "sinks/delivery/answer.h"
#include "sinks/delivery/message.h"

struct delivery;

enum delivery_step {
    DELIVERY_SETTLED, /* every lead has its verdict */
    DELIVERY_AGAIN,   /* another request, before those of messages that were sent later */
    DELIVERY_RETRIED, /* delivery_retry() or delivery_limited() has said that the same request is tried again */
};

/* Of a kind of sink. On the delivery's thread; what may be NULL says so. */
struct delivery_protocol {
    /* What the message's next request needs: URL, method, body, headers, signing; all is kept until it has
     * ended. What is not named here is the delivery's. RC_BUSY: not before delivery_continue() was called;
     * else, with *e, the message fails. */
    enum rc (*request)(void *ctx, struct delivery *d, struct message *p, struct http_request *r,
                       struct err *e);
    /* It has ended, but not as HTTP_ABORTED. `out`: the verdicts, where the step says that there are any; their
     * list and texts are kept until the message has been settled. May call delivery_close(). */
    enum delivery_step (*answered)(void *ctx, struct delivery *d, struct message *p,
                                   struct verdicts *out);
    /* The message will not be sent, or not any more: *out is `v` for all of its leads, or what is known
     * of each, with `v` for the others. Any thread that ends messages. NULL: it is `v` for all. */
    void (*refused)(void *ctx, struct message *p, const struct verdict *v, struct verdicts *out);
    /* The message is empty again: frees its `work`. Any thread. NULL: it has none. */
    void (*cleared)(void *ctx, struct message *p);

    /* For engines of its own, on the delivery's event loop; all three or none. start() is called before
     * the thread begins, and makes nothing where it fails. stop(), once, ends them at once, for nothing that
     * they bring is needed any more; when they are idle, delivery_wake(), and ended() frees them, or says that
     * they are not idle yet: not before the delivery's own engine is gone, so answered() still has what they
     * brought before. Without a thread there is only ended(), which frees them in any case. */
    enum rc (*start)(void *ctx, struct delivery *d, uv_loop_t *loop, struct err *e);
    void (*stop)(void *ctx);
    bool (*ended)(void *ctx);
};

struct delivery_cfg {
    const char *subject; /* kept by the caller, as all that is pointed to */
    const struct delivery_protocol *protocol;
    void *protocol_ctx;
    const struct http_header *headers; /* of every request */
    size_t n_headers;
    const char *user_agent, *cacert;
    const char *proxy; /* NULL: the environment's; "": none */
    enum http_version_policy http_version;
    unsigned concurrency;
    double rate_per_s;
    struct http_retry_cfg retry;
    const struct clock *clock;
    const struct log_hook *log;

    size_t messages_max;          /* taken, waiting or on their way */
    size_t leads_max;             /* of one message */
    size_t body_max;              /* bytes of one body */
    const struct sink_host *host; /* hears of the bytes of bodies that are sent; NULL: nobody */
    size_t keep_bytes_max;        /* of buffers that empty messages keep for later, together */
    size_t sent_bytes_max;  /* of all bodies sent that have not ended; one more may come on top */
    bool fill_when_stopped; /* messages are also given then; none of them is sent */

    /* Of answers, in bytes: of a 2xx, where head_is_enough says that its body must arrive, and of others. */
    size_t max_answer, max_error_answer;
    bool head_is_enough; /* http.h: a 2xx counts once it has its status */

    /* A message has ended; what it holds may be changed. On the delivery's thread, or on the caller's of delivery_release(), _drop(), _end()
     * and _free(). */
    void (*settle)(void *ctx, struct message *p, const struct verdicts *v);
    void *ctx;
};

struct delivery_counts {
    uint64_t delivered, failed; /* verdicts: messages, where there is one for each */
};

/* Starts the thread. */
enum rc delivery_new(struct delivery **out, const struct delivery_cfg *cfg, struct err *e);

/* An empty message; waits for one. *out is NULL when the delivery is closed, or stopped (but see
 * fill_when_stopped). RC_NOMEM. */
enum rc delivery_take(struct delivery *d, struct message **out);

/* Hands it over, in two steps; whatever happens, settle() is called for it once. It counts as sent at
 * once but does not go out before delivery_release(), which any thread may call, once, and which
 * touches nothing after its end. With another code than RC_OK it is not sent, and VERDICT_PENDING. */
void delivery_hold(struct delivery *d, struct message *p);
void delivery_release(struct delivery *d, struct message *p, enum rc rc);

/* Hands it back unsent: VERDICT_PENDING. */
void delivery_drop(struct delivery *d, struct message *p);

/* After delivery_take() gave none: what is to be said of a lead. Its texts live as long as `d`. */
struct verdict delivery_refusal(struct delivery *d);

/* As it was configured. */
void *delivery_protocol_ctx(const struct delivery *d);

/* For answered(): the request that has ended is tried again, after a delay; or, for it and all others are
 * asked too much, as after a 429. When the run is being stopped that is left to the next one: the message is
 * VERDICT_PENDING. False: it may not be tried any more. */
bool delivery_retry(struct delivery *d, struct message *p, const char *why);
bool delivery_limited(struct delivery *d, struct message *p);

/* Those that wait are asked for their requests again. The delivery's thread. */
void delivery_continue(struct delivery *d);

/* To be called when the protocol's own engines are idle. Any thread. */
void delivery_wake(struct delivery *d);

/* Nothing is sent to this receiver any more. `status`: of the answer that is the reason; 0: there was none.
 * `text` is copied. Only the first call counts. The delivery's thread. */
void delivery_close(struct delivery *d, int status, const char *text);

/* Nothing new is sent and nothing tried again; what is in flight may end within `grace_ms`. What is
 * not delivered then is VERDICT_PENDING. Any thread, until delivery_free(). */
void delivery_stop(struct delivery *d, int64_t grace_ms);
bool delivery_is_stopping(struct delivery *d);

/* Waits until all that was sent has ended, and ends the thread. No message may be taken or sent
 * afterwards. */
void delivery_end(struct delivery *d);

/* After delivery_end(). */
void delivery_count(const struct delivery *d, struct delivery_counts *out);

/* Stops and ends it where that was not done; messages that were taken and not sent are forgotten,
 * without a verdict. `d` may be NULL. */
void delivery_free(struct delivery *d);

#endif
