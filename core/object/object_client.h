/* Requests to one origin of object storage, signed, for whoever waits for them.
 *
 * A thread of its own runs an HTTP engine on an event loop, which tries again what is worth it; also what
 * S3 says only in its text, as a clock that is wrong (from then on the server's time is taken), credentials
 * that have expired (they are read again) or a 200 that carries an error. Calls are made and waited for on
 * any thread. */
#ifndef LEADPIPE_OBJECT_CLIENT_H
#define LEADPIPE_OBJECT_CLIENT_H

#include "core/base/secrets.h"
#include "core/base/stop_timer.h"
#include "core/http/http.h"
#include "core/object/aws_credentials.h"
#include "core/object/sigv4.h"

struct object_client;
struct object_call;

/* How requests are made; of all clients of a run. Lives as long as they. */
struct object_http_cfg {
    struct aws_credentials *credentials;
    const char *region;
    const char *user_agent, *cacert; /* NULL: none */
    const char *proxy;               /* NULL: the environment's; "": none */
    enum http_version_policy version;
    struct http_retry_cfg retry;
    const struct clock *clock;
    const struct log_hook *log;
    const struct stop_timer *stop; /* calls are not waited for long once it is over; NULL: never */
    struct secrets *secrets;       /* what no text of a server may show */
};

/* `origin`: "https://host[:port]", copied. Starts the thread. */
enum rc object_client_new(struct object_client **out, const struct object_http_cfg *cfg,
                          const char *origin, struct err *e);
/* What is still under way is given up; what takes something back is waited for, for a moment. `c` may be
 * NULL. */
void object_client_free(struct object_client *c);
const char *object_client_origin(const struct object_client *c);

struct object_request {
    enum http_method method;
    struct str path, query; /* encoded, the query sorted; copied */
    struct buf body;        /* taken over, also where the call cannot be made */
    const char *upload;     /* value of SIGV4_UPLOAD_FIELD; NULL: none; copied */
    /* Of a call that may be given up (object_call_free() before its end) and carried out all the same: appends
     * the query of the DELETE that takes it back, of the same path, from its answer. On the client's thread.
     * NULL: there is nothing to take back. */
    enum rc (*undo)(struct str answer, struct buf *query);
    bool cleans_up; /* of a run that was stopped it is waited for a little longer */
};

/* Begins a call; it is the caller's until object_call_free(). RC_NOMEM. */
enum rc object_call_begin(struct object_call **out, struct object_client *c,
                          struct object_request *request, struct err *e);

/* Memory of a large body that was sent, if there is some, for the next one: its pages are there already. Empty; the
 * caller's. */
struct buf object_client_take_spare(struct object_client *c);

/* Waits for its end. RC_OK: 2xx, without an error in it; else a text that says what the server, or the
 * connection to it, said, as "CODE: message" and what to do. RC_STOPPED: the run was stopped, and the
 * server took too long. Threads may wait for one call only one after the other. */
enum rc object_call_wait(struct object_call *call, struct err *e);

/* After object_call_wait(). object_call_answer() only if that returned RC_OK; the others say 0 or "" as long as a call that was given
 * up has not ended. */
struct str object_call_answer(const struct object_call *call);
int object_call_status(const struct object_call *call);       /* 0: no answer */
const char *object_call_code(const struct object_call *call); /* of the server's error; "": none */
const char *object_call_upload(
    const struct object_call *call); /* SIGV4_UPLOAD_FIELD of the answer */

/* One that has not ended continues without its owner, and is taken back where `undo` says how. `call` may be
 * NULL. */
void object_call_free(struct object_call *call);

#endif
