#include "core/run/request_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/run/queue.h"

#define URL_BYTES_MAX (64 * 1024)

/* The pool is bounded: about as many requests as are usually in flight, each with room for a typical response. */
#define POOL_REQUESTS 256
#define POOL_BODY_BYTES_MAX ((size_t)32 * 1024)

struct stack {
    struct fetch_request *items[POOL_REQUESTS];
    size_t n;
};

struct request_pool {
    struct stack taken; /* the loop's thread: taken from `given` at once, without a lock each */
    pthread_mutex_t lock;
    struct stack given; /* under `lock` */
};

static void request_free(struct fetch_request *req)
{
    buf_free(&req->url);
    buf_free(&req->http.answer);
    free(req);
}

void fetch_request_free(struct lead *lead)
{
    if (lead->run->request)
        request_free(lead->run->request);
    lead->run->request = NULL;
}

void leads_queue_free(struct queue *q)
{
    struct lead *lead;
    while (q && queue_try_pop(q, (void **)&lead, 1)) {
        if (!lead)
            continue; /* a barrier */
        fetch_request_free(lead);
        lead_free(lead);
    }
    queue_free(q);
}

enum rc request_pool_new(struct request_pool **out)
{
    struct request_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return RC_NOMEM;
    if (pthread_mutex_init(&pool->lock, NULL)) {
        free(pool);
        return RC_NOMEM;
    }
    *out = pool;
    return RC_OK;
}

static void stack_free(struct stack *s)
{
    while (s->n)
        request_free(s->items[--s->n]);
}

void request_pool_free(struct request_pool *pool)
{
    if (!pool)
        return;
    stack_free(&pool->taken);
    stack_free(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void refill(struct request_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->taken = pool->given;
    pool->given.n = 0;
    pthread_mutex_unlock(&pool->lock);
}

struct fetch_request *request_pool_take(struct request_pool *pool, size_t max_body)
{
    if (pool->taken.n == 0)
        refill(pool);
    if (pool->taken.n) {
        struct fetch_request *req = pool->taken.items[--pool->taken.n];
        struct buf answer = req->http.answer;
        buf_clear(&req->url);
        buf_clear(&answer);
        answer.max = max_body; /* an error response had lowered it */
        req->http = (struct http_request){.answer = answer};
        req->is_verified = req->is_counted = false;
        return req;
    }
    struct fetch_request *req = calloc(1, sizeof *req);
    if (!req)
        return NULL;
    buf_init(&req->url, URL_BYTES_MAX);
    buf_init(&req->http.answer, max_body);
    return req;
}

/* The body's memory goes back to the request. */
static struct fetch_request *take_back(struct lead *lead)
{
    struct fetch_request *req = lead->run->request;
    lead->run->request = NULL;
    if (!req)
        return NULL;
    if (lead->body.cap > req->http.answer.cap) {
        struct buf body = lead->body;
        lead->body = req->http.answer;
        req->http.answer = body;
    }
    if (req->http.answer.cap > POOL_BODY_BYTES_MAX)
        buf_free(&req->http.answer);
    return req;
}

void request_pool_give(struct request_pool *pool, struct lead *const leads[], size_t n)
{
    struct fetch_request *rest = NULL; /* those for which the pool has no room, to be freed */
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < n; i++) {
        struct fetch_request *req = take_back(leads[i]);
        if (req && pool->given.n < POOL_REQUESTS) {
            pool->given.items[pool->given.n++] = req;
        } else if (req) {
            req->http.owner = rest;
            rest = req;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    while (rest) {
        struct fetch_request *next = rest->http.owner;
        request_free(rest);
        rest = next;
    }
    for (size_t i = 0; i < n; i++)
        buf_free(&leads[i]->body);
}
