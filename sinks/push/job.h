/* A message that is being sent: its items, what is known of each, and the requests that are still to be made.
 * Private to the courier. The delivery's thread. */
#ifndef LEADPIPE_PUSH_JOB_H
#define LEADPIPE_PUSH_JOB_H

#include "core/sink.h"
#include "sinks/push/destination.h"
#include "sinks/push/items.h"

#define JOB_URL_MAX ((size_t)64 << 10)

/* Items from..to-1, which go into one request. */
struct range {
    size_t from, to;
};

struct job {
    struct arena memory;
    struct item *items;
    size_t n;
    struct verdict *verdicts; /* VERDICT_PENDING: not known yet */
    unsigned *attempts;       /* requests that an item was in, those of earlier ranges */
    struct range *ranges;     /* to be sent, the next one last */
    size_t n_ranges;
    struct range now;
    struct buf body, url;
    struct http_header *headers; /* of the request, that depend on it */
    uint64_t token;              /* number of the one that was used */
    size_t answer_bytes;         /* of its answer, beyond its share (answer_room.h) */
    unsigned n_refused;          /* tokens in a row that this request was refused with */
};

/* `body` is a message's (items.h), and must live as long. One range: all of it. RC_NOMEM; RC_INTERNAL: it is
 * damaged. */
enum rc job_new(struct job **out, const struct destination *d, struct str body, struct err *e);
void job_free(struct job *j); /* may be NULL */

/* They are sent next; nothing where there are none. */
void job_push(struct job *j, size_t from, size_t to);

#endif
