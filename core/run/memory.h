/* What leads may have of memory, and in what order they get it. Private to core/run.
 *
 * Two bounds hold at once. One is a guess about answers as they usually are: bytes between the network
 * and the sinks (`held_bytes`) decide whether another lead is begun (memory_has_room()). The other
 * holds whatever answers come, and is what this file is mostly about: the budget (budget.h). A lead is
 * charged for its answer while that arrives, for its arena before it is parsed, and for what sinks
 * need to write it; all of it is given back when the last sink has taken the lead in.
 *
 *   anyone  may go up to half of the ceiling.
 *   first   is the lead that all behind it wait for (--order input), or one of those that wait: it
 *           may go up to the ceiling. As all others together have half at most, it finds half.
 *   alone   is one that needs more than that. It is begun once the others have at most a small part
 *           of the ceiling (nothing, at a second try): no other lead is begun meanwhile, and those
 *           behind it give their memory back and wait.
 *
 * A lead that finds no room gives up its memory, a body that has arrived aside, and waits
 * (fetch_wait.c); it is requested again, or parsed again, when there is room for what it was last seen
 * to need, or when it is first. A lead that is alone and finds no room has failed. So each tries at
 * most a few times, and the first one always ends.
 *
 * A lead is one thread's at a time, and so is what is said of it here. */
#ifndef LEADPIPE_MEMORY_H
#define LEADPIPE_MEMORY_H

#include "core/base/cache_line.h"
#include "core/provider/profile.h"
#include "core/run/budget.h"
#include "core/run/run_lead.h"

/* Bytes of payloads and rows between the network and the sinks: no request is started once these are
 * reached. While nothing is held, MEMORY_UNDER_WAY_BYTES_MAX is the limit instead, for many small
 * leads on their way; a lead of any size is started when nothing else is there. */
#define MEMORY_HELD_BYTES_MAX ((size_t)12 << 20)
#define MEMORY_UNDER_WAY_BYTES_MAX ((size_t)16 << 20)
#define MEMORY_WORKED_BYTES_MAX                                                                    \
    ((size_t)4 << 20)                          /* from here on a lead counts in full beforehand */
#define MEMORY_BODY_BYTES ((size_t)512 * 1024) /* what one counts before the first is there */
#define MEMORY_BODY_KEPT_BYTES ((size_t)64 << 10) /* of one that is of no use, for the next */

/* Is there a lead that has more rights than others? */
enum exclusive { EXCLUSIVE_NONE, EXCLUSIVE_FIRST, EXCLUSIVE_ALONE };

struct memory {
    const struct profile *profile; /* constant, as the next */
    unsigned sink_eighths;         /* sink_ops.eighths, of all sinks */

    /* of the loop's thread */
    uint64_t bodies;
    double average_body_bytes;

    /* Written by several threads for every lead. */
    CACHE_LINE_PADDING(before);
    struct budget budget;
    atomic_int exclusive; /* of enum exclusive */
    atomic_size_t held_bytes;
    atomic_size_t worked_bytes; /* of a lead when the workers are done with it, on average */
    CACHE_LINE_PADDING(after);
};

/* `limit`: bytes that leads may have. */
void memory_init(struct memory *m, const struct profile *profile, size_t limit);

/* ---- the guess ------------------------------------------------------------------------------ */

/* Makes the lead's share of held_bytes `bytes`. */
void memory_hold(struct memory *m, struct lead *lead, size_t bytes);
/* Is there room for another lead, beside `under_way` that were begun and are not done? */
bool memory_has_room(const struct memory *m, uint64_t under_way);
/* The loop's thread: an answer had so many bytes. */
void memory_learn_body(struct memory *m, size_t bytes);
/* A worker: a lead has so many when it is parsed and flattened. */
void memory_learn_worked(struct memory *m, size_t bytes);

/* ---- the budget ----------------------------------------------------------------------------- */

/* Makes the lead's charge `bytes`; false: there is no room for more, and nothing changed. */
bool memory_charge(struct memory *m, struct lead *lead, size_t bytes);
/* Makes the charge `bytes`, room or no room: for memory that is there already, or is no more. Cannot
 * fail. */
void memory_charge_as(struct memory *m, struct lead *lead, size_t bytes);
/* Sizes the arena for parsing and flattening lead->body, and charges for it. False: not now;
 * memory_must_wait(). */
bool memory_charge_arena(struct memory *m, struct lead *lead);
/* The rows are made: settles what the lead has, with what sinks will need to write it. False: not
 * now; memory_must_wait(). */
bool memory_settle_arena(struct memory *m, struct lead *lead);
/* There was no room, or the arena was too small. Empties the arena. True: the lead waits until it may
 * try again; false: even alone it cannot. */
bool memory_must_wait(struct memory *m, struct lead *lead);
/* After memory_must_wait() said false: the lead has failed, with the code "memory_limit". */
void memory_fail(struct memory *m, struct lead *lead, enum stage stage);
/* It needs no more memory, and has no more rights than others. */
void memory_end_exclusive(struct memory *m, struct lead *lead);
/* The lead is as it was before it was parsed. */
void memory_empty_lead(struct lead *lead);
/* The lead was alone and found no room beside what was still on its way out. False: there was
 * nothing. */
bool memory_note_others(const struct memory *m, struct lead *lead);
/* What others have of the budget. */
size_t memory_beside(const struct memory *m, const struct lead *lead);

#endif
