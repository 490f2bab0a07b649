/* One message to a webhook: its body, the leads in it, and the request that carries it. Its memory is
 * used again for the next message. */
#ifndef LEADPIPE_PARCEL_H
#define LEADPIPE_PARCEL_H

#include "core/http/http.h"
#include "core/lead.h"
#include "core/state/state.h"
#include "sinks/webhook/standard_webhooks.h"

struct delivery;
struct recorded;

struct parcel {
    /* of the delivery */
    struct http_request request;
    unsigned ordinal; /* among those that the engine was given */
    struct delivery *delivery;
    struct parcel *next;  /* in the list that it is in */
    struct parcel *older; /* in the list of all */

    /* of who fills it, until it is sent */
    char id[WEBHOOK_ID_SIZE];
    struct buf body;
    struct lead **leads; /* room for as many as parcel_new() was told */
    size_t n_leads;
    struct buf noted;    /* the leads as a text (lead_text.h), where deliveries are recorded */
    uint64_t last_place; /* the highest of the leads' */

    /* of the outbox */
    bool has_row;
    int64_t row;                /* in the state */
    struct state_waiter waiter; /* until it is durable there */
    struct recorded *recorded; /* recorded before this run went on: the leads are there, not here */
};

struct parcel_list {
    struct parcel *first, *last;
};

void parcel_list_add(struct parcel_list *list, struct parcel *p);
/* The first, which goes from the list; NULL: it is empty. */
struct parcel *parcel_list_take(struct parcel_list *list);

/* NULL: out of memory. */
struct parcel *parcel_new(struct delivery *d, size_t leads_max, size_t body_max);
void parcel_free(struct parcel *p);

/* Empties it; the memory of a large body or answer is given back. */
void parcel_clear(struct parcel *p);

#endif
