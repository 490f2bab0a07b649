/* The ring that puts leads back into input order. Private to core/run.
 *
 * The fetch stage reserves slots, in order; leads are completed in any order, by any thread; one
 * thread takes them out, in the order of their slots (or as they were completed). Bounded: no more
 * leads than slots can be between reservation and taking out. */
#ifndef LEADPIPE_RING_H
#define LEADPIPE_RING_H

#include "core/lead.h"

struct ring;

enum rc ring_new(struct ring **out, size_t n_slots, bool keep_input_order);
void ring_free(struct ring *r); /* frees the leads that are still inside */

/* Would another reservation fit? One thread reserves. */
bool ring_has_room(struct ring *r);
/* Gives the lead the next slot (lead->run->slot). Only after ring_has_room(). */
void ring_reserve(struct ring *r, struct lead *lead);

/* These leads are decided or ready for the sinks; or, in a run that is stopped, pending. Any thread. */
void ring_complete(struct ring *r, struct lead *const leads[], size_t n);

/* Is it the lead that ring_take() waits for? Always false where leads come out as they are
 * completed. Any thread. */
bool ring_is_first(struct ring *r, const struct lead *lead);

/* Undoes ring_complete() for one lead: of those that are ready for the sinks but cannot come out yet, the
 * one furthest back. NULL: there is none (always where leads come out as they are completed). */
struct lead *ring_take_back(struct ring *r);

/* Takes up to `max` leads out; waits for the first, or for ring_poke(): then *n may be 0. False:
 * closed and everything taken. */
bool ring_take(struct ring *r, struct lead *leads[], size_t max, size_t *n);

/* ring_take() returns, should it wait. Any thread. */
void ring_poke(struct ring *r);

/* Nothing is reserved any more; taking continues until all completed leads are out. */
void ring_close(struct ring *r);

/* Reserved and completed so far. */
void ring_counts(struct ring *r, uint64_t *reserved, uint64_t *completed);

#endif
