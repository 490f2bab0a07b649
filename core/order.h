/* The ring that puts leads back into input order.
 *
 * The fetch stage reserves places, in order; leads are completed in any order, by any thread; one
 * thread takes them out, in order of their places (or as they were completed). Bounded: no more
 * leads than places can be between reservation and taking out. */
#ifndef LEADPIPE_ORDER_H
#define LEADPIPE_ORDER_H

#include "lead.h"

struct order;

enum rc order_new(struct order **out, size_t places, bool keep_input_order);
void order_free(struct order *o); /* frees the leads that are still inside */

/* Would another reservation fit? One thread reserves. */
bool order_has_room(struct order *o);
/* Gives the lead its place (lead->seq). Only after order_has_room(). */
void order_reserve(struct order *o, struct lead *lead);

/* These leads are decided or ready for the sinks. Any thread. */
void order_complete(struct order *o, struct lead *const leads[], size_t n);

/* Takes 1 to `max` leads out; waits. 0: closed and everything taken. */
size_t order_take(struct order *o, struct lead *leads[], size_t max);

/* Nothing is reserved any more; taking goes on until all completed leads are out. */
void order_close(struct order *o);

/* Reserved and completed so far. */
void order_counts(struct order *o, uint64_t *reserved, uint64_t *completed);

#endif
