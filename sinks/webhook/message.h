/* One message to a webhook: its body, the leads in it, and the request that carries it. Its memory is
 * used again for the next message. */
#ifndef LEADPIPE_MESSAGE_H
#define LEADPIPE_MESSAGE_H

#include "core/http/http.h"
#include "core/lead.h"
#include "core/state/state.h"
#include "sinks/webhook/standard_webhooks.h"

struct delivery;
struct recorded;

struct message {
    /* of the delivery */
    struct http_request request;
    unsigned ordinal; /* among those that the engine was given */
    struct delivery *delivery;
    struct message *next;  /* in the list that it is in */
    struct message *older; /* in the list of all */

    /* of who fills it, until it is sent */
    char id[WEBHOOK_ID_SIZE];
    struct buf body;
    const struct lead **leads; /* room for as many as message_new() was told */
    size_t n_leads;
    struct buf noted;    /* the leads as a text (lead_text.h), where deliveries are recorded */
    uint64_t last_place; /* the highest of the leads' */

    /* of the outbox */
    bool has_row;
    int64_t row;                /* in the state */
    struct state_waiter waiter; /* until it is durable there */
    struct recorded *recorded; /* recorded before this run went on: the leads are there, not here */
};

struct message_list {
    struct message *first, *last;
};

void message_list_add(struct message_list *list, struct message *p);
/* The first, which goes from the list; NULL: it is empty. */
struct message *message_list_take(struct message_list *list);

/* NULL: out of memory. */
struct message *message_new(struct delivery *d, size_t leads_max, size_t body_max);
void message_free(struct message *p);

/* Empties it; the memory of a large body or answer is given back. */
void message_clear(struct message *p);

#endif
