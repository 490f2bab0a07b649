/* The ring that puts leads back into input order. Private to core/run.
 *
 * The fetcher reserves slots, in order; any thread completes leads, in any order; one thread takes them out,
 * in the order of their slots (or in the order of completion). Bounded: there are at most as many leads as
 * slots between reservation and taking out. */
#ifndef LEADPIPE_RING_H
#define LEADPIPE_RING_H

#include "core/lead.h"

struct ring;

/* RC_NOMEM. Without `keep_input_order` leads come out as they are completed. */
enum rc ring_new(struct ring **out, size_t n_slots, bool keep_input_order);
void ring_free(struct ring *r); /* frees the leads that are still inside */

/* Is there a free slot? The reserving thread only. */
bool ring_has_room(struct ring *r);
/* Gives the lead the next slot (lead->run->slot). Only after ring_has_room() has returned true, on the same thread. */
void ring_reserve(struct ring *r, struct lead *lead);

/* These leads are decided or ready for the sinks; or, in a run that is stopped, pending. Any thread. */
void ring_complete(struct ring *r, struct lead *const leads[], size_t n);

/* Is this the lead that ring_take() waits for? Always false without `keep_input_order`. Any thread. */
bool ring_is_first(struct ring *r, const struct lead *lead);

/* Undoes ring_complete() for one lead: the last one of those that are ready for the sinks but cannot come out yet. NULL:
 * there is none (always without `keep_input_order`). */
struct lead *ring_take_back(struct ring *r);

/* Takes up to `max` leads. Waits for the first one or for ring_poke(), after which *n may be 0. False: closed, and all
 * leads have been taken. One thread takes. */
bool ring_take(struct ring *r, struct lead *leads[], size_t max, size_t *n);

/* Makes a waiting ring_take() return. Any thread. */
void ring_poke(struct ring *r);

/* Ends reservation; completed leads can still be taken. */
void ring_close(struct ring *r);

/* How many slots have been reserved, and leads completed, so far. */
void ring_counts(struct ring *r, uint64_t *reserved, uint64_t *completed);

#endif
