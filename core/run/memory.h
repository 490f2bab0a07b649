/* How much memory leads may use, and in what order they get it. Private to core/run.
 *
 * Two bounds hold at once. One assumes typical responses: the bytes between the network and the sinks
 * (`held_bytes`) decide whether another lead is started (memory_has_room()). The other holds for any
 * response: the budget (budget.h), with which most of this file deals. A lead is charged for its response
 * while that arrives, for its arena before it is parsed, and for what sinks need to write it. All of it is
 * given back when the last sink has taken the lead in.
 *
 *   anyone  may use memory up to half of the budget.
 *   first   is the lead that all later ones wait for (--order input), or one of those that wait for
 *           memory. It may use all of the budget; as all others together have at most half of it, at
 *           least half is left.
 *   alone   is a lead that needs more than that. It is started once the others have at most a small part
 *           of the budget (nothing, at a second attempt); no other lead is started meanwhile, and those
 *           behind it give their memory back and wait.
 *
 * A lead that finds no room gives up its memory, except for a body that has arrived, and waits
 * (fetch_wait.c). It is requested or parsed again when there is room for what it was last found to need,
 * or when it is first. A lead that is alone and finds no room fails. So each lead tries at most a few
 * times, and the first one always ends.
 *
 * A lead belongs to one thread at a time; functions about a lead are called on that thread. */
#ifndef LEADPIPE_MEMORY_H
#define LEADPIPE_MEMORY_H

#include "core/base/cache_line.h"
#include "core/provider/profile.h"
#include "core/run/budget.h"
#include "core/run/run_lead.h"

/* Bytes of payloads and rows between the network and the sinks: once these are reached, no request is
 * started. While nothing is held, MEMORY_UNDER_WAY_BYTES_MAX is the limit instead, so that many small
 * leads can be requested at once. If there is no other lead, one is always started. */
#define MEMORY_HELD_BYTES_MAX ((size_t)12 << 20)
#define MEMORY_UNDER_WAY_BYTES_MAX ((size_t)16 << 20)
#define MEMORY_WORKED_BYTES_MAX ((size_t)4 << 20) /* leads of this size are expected in full */
#define MEMORY_BODY_BYTES                                                                          \
    ((size_t)512 * 1024) /* the assumed size of a body before the first arrives */
#define MEMORY_BODY_KEPT_BYTES                                                                     \
    ((size_t)64 << 10) /* of a discarded body's buffer, for the next one */

/* Is there a lead that may use more memory than others? */
enum exclusive { EXCLUSIVE_NONE, EXCLUSIVE_FIRST, EXCLUSIVE_ALONE };

struct memory {
    const struct profile *profile; /* constant */
    unsigned sink_eighths;         /* constant: the sum of sink_ops.eighths */

    /* of the loop's thread */
    uint64_t bodies;
    double average_body_bytes;

    /* Written by several threads for every lead. */
    CACHE_LINE_PADDING(before);
    struct budget budget;
    atomic_int exclusive; /* of enum exclusive */
    atomic_size_t held_bytes;
    atomic_size_t worked_bytes; /* average of a lead after the workers */
    CACHE_LINE_PADDING(after);
};

/* `limit`: bytes that all leads together may use. */
void memory_init(struct memory *m, const struct profile *profile, size_t limit);

/* ---- the estimate --------------------------------------------------------------------------- */

/* Sets the lead's share of held_bytes to `bytes`. */
void memory_hold(struct memory *m, struct lead *lead, size_t bytes);
/* Is there room for another lead, beside `under_way` leads that have been started and are not done? */
bool memory_has_room(const struct memory *m, uint64_t under_way);
/* The loop's thread: notes the size of a body, for the average. */
void memory_learn_body(struct memory *m, size_t bytes);
/* A worker: notes the size of a lead that is parsed and flattened, for the average. */
void memory_learn_worked(struct memory *m, size_t bytes);

/* ---- the budget ----------------------------------------------------------------------------- */

/* Sets the lead's charge to `bytes`. False: there is no room, and nothing has changed. */
bool memory_charge(struct memory *m, struct lead *lead, size_t bytes);
/* Sets the charge to `bytes` whether there is room or not: for memory that is in use already, or no longer. Cannot
 * fail. */
void memory_charge_as(struct memory *m, struct lead *lead, size_t bytes);
/* Sets the limit of the arena for parsing and flattening lead->body, and charges for it. False: there is no room now;
 * call memory_must_wait(). */
bool memory_charge_arena(struct memory *m, struct lead *lead);
/* The rows are made: charges for what the lead has, and for what sinks will need to write it. False: there is no room
 * now; call memory_must_wait(). */
bool memory_settle_arena(struct memory *m, struct lead *lead);
/* There was no room, or the arena was too small. Empties the arena. True: the lead waits until it may try again; false:
 * it needs too much even when it is alone. */
bool memory_must_wait(struct memory *m, struct lead *lead);
/* After memory_must_wait() has returned false: fails the lead, with the code "memory_limit". */
void memory_fail(struct memory *m, struct lead *lead, enum stage stage);
/* The lead needs no more memory: it is neither first nor alone any more. */
void memory_end_exclusive(struct memory *m, struct lead *lead);
/* Resets the lead to what it was before it was parsed. */
void memory_empty_lead(struct lead *lead);
/* The lead was alone, and found no room beside what other leads still had: notes how much that was. False: they had
 * nothing. */
bool memory_note_others(const struct memory *m, struct lead *lead);
/* Bytes of the budget that other leads have. */
size_t memory_beside(const struct memory *m, const struct lead *lead);

#endif
