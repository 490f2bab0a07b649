/* Requests for leads, with buffers that are used again. Private to core/run. */
#ifndef LEADPIPE_REQUEST_POOL_H
#define LEADPIPE_REQUEST_POOL_H

#include "core/http/http.h"
#include "core/run/run_lead.h"

/* A request for a lead, from the fetch stage's next() to the lead's completion. */
struct fetch_request {
    struct http_request http;
    struct buf url;
    bool is_counted;  /* among the requests of the run: its first try is the engine's to make */
    uint64_t ordinal; /* of one that is counted: among those, from 0 */
    struct lead *next_turned_away; /* in the fetcher's list */
    bool is_verified; /* asked for once more, as the payload's own ID was another one */
};

struct request_pool;

enum rc request_pool_new(struct request_pool **out);
void request_pool_free(struct request_pool *pool); /* may be NULL */

/* An empty request whose answer may have `max_body` bytes; NULL when out of memory. The loop's
 * thread only. */
struct fetch_request *request_pool_take(struct request_pool *pool, size_t max_body);

/* These leads are done with their requests (and with their bodies, whose memory goes to the next
 * one). Leads without a request are passed over. Any thread. */
void request_pool_give(struct request_pool *pool, struct lead *const leads[], size_t n);

/* For leads that are given up: frees the request. */
void fetch_request_free(struct lead *lead);

struct queue;

/* Frees the queue, and the leads in it with their requests. `q` may be NULL. */
void leads_queue_free(struct queue *q);

#endif
