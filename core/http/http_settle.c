/* How long the body of an answer may take once its head has decided what becomes of the request.
 *
 * Most often the body comes with the head, and nothing is done here but counting. One that never ends
 * must not keep its place among the requests in flight: the answer is taken as it is then, and its
 * connection (or stream) is given up. */
#include "core/http/http_private.h"

/* What a success says in its body does not matter; that of a refusal is shown to the user. */
#define SUCCESS_BODY_US INT64_C(250000)
#define ERROR_BODY_US INT64_C(1000000)

void http_settle_begin(struct transfer *t)
{
    t->settling = true;
    t->settle_us = INT64_MAX;
    t->h->n_settling++;
}

void http_settle_end(struct transfer *t)
{
    if (!t->settling)
        return;
    t->settling = false;
    t->h->n_settling--;
}

int64_t http_settle_due_us(const struct http_engine *h)
{
    int64_t due_us = INT64_MAX;
    if (h->n_settling == 0)
        return due_us;
    for (const struct transfer *t = h->active; t; t = t->next) {
        if (t->settling && t->settle_us < due_us)
            due_us = t->settle_us;
    }
    return due_us;
}

void http_settle_step(struct http_engine *h)
{
    if (h->n_settling == 0)
        return;
    for (struct transfer *next, *t = h->active; t; t = next) {
        next = t->next;
        if (!t->settling)
            continue;
        if (t->settle_us == INT64_MAX)
            t->settle_us = h->now_us + (t->success ? SUCCESS_BODY_US : ERROR_BODY_US);
        else if (t->settle_us <= h->now_us)
            http_retry_decide(h, t, CURLE_OPERATION_TIMEDOUT);
    }
}
