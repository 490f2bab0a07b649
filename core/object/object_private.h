/* What object_client.c (the thread, its engine and what that calls) and object_call.c (calls from their begin
 * to their end) share. Private to these two. */
#ifndef LEADPIPE_OBJECT_PRIVATE_H
#define LEADPIPE_OBJECT_PRIVATE_H

#include <pthread.h>

#include "core/object/object_client.h"
#include "core/object/s3_error.h"

#define OBJECT_ANSWER_BYTES_MAX                                                                    \
    ((size_t)2 << 20) /* of a list of 1,000 parts or uploads, and more */
#define OBJECT_FIELD_BYTES_MAX 127

/* Memory of large bodies that is kept for the next ones: how much in a piece at least, and how many pieces. */
#define OBJECT_SPARE_BYTES_MIN ((size_t)1 << 20)
#define OBJECT_SPARES_MAX 2

struct object_call {
    struct http_request http;
    struct object_client *client;
    struct buf url; /* with a NUL behind it */
    struct str path, query;
    struct buf body;
    char payload_hash[SIGV4_HASH_CHARS + 1];
    char upload[OBJECT_FIELD_BYTES_MAX + 1]; /* "": none */
    char answer_upload[OBJECT_FIELD_BYTES_MAX +
                       1]; /* of the client's thread, until it is done: as below */
    unsigned skew_tries, renewals;
    const struct aws_keys *keys; /* that the last attempt was signed with */
    struct s3_error error;
    struct err renewal; /* RC_OK: there were other credentials, or nobody asked for them */
    enum rc (*undo)(struct str answer, struct buf *query);
    bool cleans_up;
    struct object_call *next; /* in the queue */
    /* under the client's lock */
    bool is_done, is_abandoned;
};

struct object_client {
    const struct object_http_cfg *cfg;
    char *origin;
    char host[512];
    pthread_t thread;
    bool has_thread;

    /* of its thread, once it runs */
    uv_loop_t loop;
    struct http_engine *engine; /* NULL once it has stopped; changes under `lock` */
    struct rng rng;
    int64_t skew_ms; /* of the server's clock against ours */
    bool engine_idle;
    struct s3_error last_refusal;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a call is done */
    /* all below: under `lock` */
    uv_async_t wake;
    bool can_wake;
    struct object_call *first, **last; /* begun, not yet with the engine */
    bool ending;
    unsigned n_undone; /* abandoned calls that are to be taken back, and those that do it */
    struct err fatal;  /* nothing can be sent any more; rc RC_OK: it can */
    unsigned n_open;   /* calls that have begun and not ended, abandoned ones included */
    int64_t asked_us;  /* since then the server has not responded to any of them */
    int64_t
        given_up_us; /* no call is waited for any longer; 0: the run's time to stop is not over */
    struct buf spares[OBJECT_SPARES_MAX];
    size_t n_spares;
};

/* Whom the engine is to send it with each attempt: of `struct http_request`. */
enum rc object_client_sign(struct http_request *r, int64_t wall_ms, struct buf *out);
void object_client_done(void *client, struct http_request *r);

/* Of a field of an answer; "" where it is too long. */
void object_call_keep_field(char out[OBJECT_FIELD_BYTES_MAX + 1], struct str value);
/* It has ended: for its owner, or for nobody. On the client's thread, or where there is none any more. */
void object_call_end(struct object_call *call);
/* Waits for those that take something back, for a moment. Before the client's thread ends; under the lock. */
void object_call_wait_for_undone(struct object_client *c);

#endif
