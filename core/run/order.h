/* The ring that puts leads back into input order.
 *
 * The fetch stage reserves places, in order; leads are completed in any order, by any thread; one
 * thread takes them out, in order of their places (or as they were completed). Bounded: no more
 * leads than places can be between reservation and taking out. */
#ifndef LEADPIPE_ORDER_H
#define LEADPIPE_ORDER_H

#include "core/lead.h"

struct order;

enum rc order_new(struct order **out, size_t places, bool keep_input_order);
void order_free(struct order *o); /* frees the leads that are still inside */

/* Would another reservation fit? One thread reserves. */
bool order_has_room(struct order *o);
/* Gives the lead the next slot (lead->slot). Only after order_has_room(). */
void order_reserve(struct order *o, struct lead *lead);

/* These leads are decided or ready for the sinks. Any thread. */
void order_complete(struct order *o, struct lead *const leads[], size_t n);

/* Is it the lead that the one who takes out waits for? Always false where leads come out as they are
 * completed. Any thread. */
bool order_is_first(struct order *o, const struct lead *lead);

/* Undoes order_complete() for one lead: of those that are ready for the sinks but cannot come out yet, the
 * one furthest back. NULL: there is none (always where leads come out as they are completed). */
struct lead *order_take_back(struct order *o);

/* Takes up to `max` leads out; waits for the first, or for order_poke(): then *n may be 0. False:
 * closed and everything taken. */
bool order_take(struct order *o, struct lead *leads[], size_t max, size_t *n);

/* Who waits in order_take() looks up. Any thread. */
void order_poke(struct order *o);

/* Nothing is reserved any more; taking goes on until all completed leads are out. */
void order_close(struct order *o);

/* Reserved and completed so far. */
void order_counts(struct order *o, uint64_t *reserved, uint64_t *completed);

#endif
