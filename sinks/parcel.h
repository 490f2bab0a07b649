/* One message to a webhook: its body, the leads in it, and the request that carries it. Its memory is
 * used again for the next message. */
#ifndef LEADPIPE_PARCEL_H
#define LEADPIPE_PARCEL_H

#include "core/http.h"
#include "core/lead.h"
#include "standard_webhooks.h"

struct delivery;

struct parcel {
    /* of the delivery */
    struct http_request request;
    struct delivery *delivery;
    struct parcel *next;  /* in the list that it is in */
    struct parcel *older; /* in the list of all */

    /* of who fills it, until it is sent */
    char id[WEBHOOK_ID_SIZE];
    struct buf body;
    struct lead **leads; /* room for as many as parcel_new() was told */
    size_t n_leads;
};

/* NULL: out of memory. */
struct parcel *parcel_new(struct delivery *d, size_t leads_max, size_t body_max);
void parcel_free(struct parcel *p);

/* Empties it; the memory of a large body or answer is given back. */
void parcel_clear(struct parcel *p);

#endif
