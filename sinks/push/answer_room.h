/* What the CRM's answers may take of memory, whatever they are: all that arrive at a time, and what one of them is
 * read into. It is set aside from --max-memory before the first lead. Private to sinks/push. One thread. */
#ifndef LEADPIPE_PUSH_ANSWER_ROOM_H
#define LEADPIPE_PUSH_ANSWER_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#define ANSWER_SHARE_BYTES                                                                         \
    ((size_t)128 << 10) /* each request in flight has, whatever others take */

struct answer_room {
    size_t tree_max; /* the arena that an answer is read into, one at a time */
    size_t
        beyond_max; /* what all answers that arrive may have together, beyond the share of each */
    size_t beyond;  /* they have */
};

/* `max_memory`: bytes of all leads and sinks. */
void answer_room_init(struct answer_room *room, size_t max_memory);

/* All of it, with so many requests in flight at the most. */
size_t answer_room_bytes(const struct answer_room *room, unsigned concurrency);

/* The largest answer that there can be room for. */
static inline size_t answer_room_most(const struct answer_room *room)
{
    return room->beyond_max + ANSWER_SHARE_BYTES;
}

/* May an answer have `bytes` in all? `had`: what it has beyond its share; 0 at first. */
bool answer_room_take(struct answer_room *room, size_t *had, size_t bytes);
void answer_room_give(struct answer_room *room, size_t *had);

#endif
