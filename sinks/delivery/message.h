/* One message to a receiver: its envelope, its body, and the request that carries it. The memory of a
 * message is used again for the next one. */
#ifndef LEADPIPE_MESSAGE_H
#define LEADPIPE_MESSAGE_H

#include "core/http/http.h"
#include "core/lead.h"
#include "core/state/state.h"
#include "sinks/delivery/message_id.h"

#define MESSAGE_BODY_MAX ((size_t)512 << 20) /* bytes of one body */

struct delivery;
struct recorded;

struct message_lead {
    const struct lead *lead;
    unsigned position; /* from 0: which of the body's leads it is */
    bool outdated;     /* its content is not what is in the body */
};

/* Which message it is, and whose verdicts depend on it. */
struct envelope {
    char id[MESSAGE_ID_SIZE];
    int64_t row;                /* in the state, from 1; 0: it is not recorded */
    struct message_lead *leads; /* room for as many as the body may have */
    size_t n_leads;
    struct recorded
        *recorded; /* recorded before this run was resumed: leads come while it is sent, and
                                  later; NULL: all of them are here */
};

struct message {
    /* of the delivery */
    struct http_request request;
    unsigned n_requests; /* that were made for it */
    uint64_t ordinal;    /* from 0, among those that the engine was given */
    struct delivery *delivery;
    void *work;            /* of the delivery's protocol, which frees it; NULL: none */
    struct message *next;  /* in the list that it is in */
    struct message *older; /* in the list of all */

    /* of who fills it, until it is sent */
    struct envelope *envelope; /* `own`, or a recorded one's */
    struct envelope own;       /* leads: room for as many as message_new() was given */
    struct buf body;
    struct buf noted;  /* the leads as a text (lead_text.h), where deliveries are recorded */
    uint64_t last_seq; /* the highest of the leads' */

    struct state_waiter waiter; /* of the outbox, until the message is durable in the state */
};

struct message_list {
    struct message *first, *last;
};

void message_list_add(struct message_list *list, struct message *p);
void message_list_add_first(struct message_list *list, struct message *p);
/* The first, which goes from the list; NULL: it is empty. */
struct message *message_list_take(struct message_list *list);

/* NULL: out of memory. */
struct message *message_new(struct delivery *d, size_t leads_max, size_t body_max);
void message_free(struct message *p);

/* Empties it. Its buffers keep at most `keep_bytes` together for the next message; larger ones are freed. */
void message_clear(struct message *p, size_t keep_bytes);

#endif
