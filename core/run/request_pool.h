/* A pool of requests for leads, whose buffers are reused. Private to core/run. */
#ifndef LEADPIPE_REQUEST_POOL_H
#define LEADPIPE_REQUEST_POOL_H

#include "core/http/http.h"
#include "core/run/run_lead.h"

/* A request for a lead, from the fetch stage's next() to the lead's completion. */
struct fetch_request {
    struct http_request http;
    struct buf url;
    bool is_counted;               /* in fetcher.requested: it has been given to the engine */
    uint64_t ordinal;              /* if it is counted: its number among those, from 0 */
    struct lead *next_turned_away; /* in the fetcher's list */
    bool is_verified; /* requested once more, because the payload's own ID was another one */
};

struct request_pool;

enum rc request_pool_new(struct request_pool **out);
void request_pool_free(struct request_pool *pool); /* may be NULL */

/* An empty request whose response may have `max_body` bytes; NULL: out of memory. The loop's thread only. */
struct fetch_request *request_pool_take(struct request_pool *pool, size_t max_body);

/* Takes back the requests of these leads, and the memory of their bodies, which is reused. Ignores leads without a
 * request. Any thread. */
void request_pool_give(struct request_pool *pool, struct lead *const leads[], size_t n);

/* Frees the request of a lead that is given up. */
void fetch_request_free(struct lead *lead);

struct queue;

/* Frees the queue, and the leads in it with their requests. `q` may be NULL. */
void leads_queue_free(struct queue *q);

#endif
