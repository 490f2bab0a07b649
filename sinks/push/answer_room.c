#include "sinks/push/answer_room.h"

/* An eighth of all, for a tree takes eight times the text, and less than one of nothing but the smallest values
 * needs. */
#define MEMORY_SHARE 8
#define TREE_BYTES_MAX ((size_t)64 << 20)
#define TREE_TO_TEXT 8

void answer_room_init(struct answer_room *room, size_t max_memory)
{
    size_t tree = max_memory / MEMORY_SHARE;
    *room = (struct answer_room){.tree_max = tree < TREE_BYTES_MAX ? tree : TREE_BYTES_MAX};
    room->beyond_max = room->tree_max / TREE_TO_TEXT;
}

size_t answer_room_bytes(const struct answer_room *room, unsigned concurrency)
{
    return room->tree_max + room->beyond_max + concurrency * ANSWER_SHARE_BYTES;
}

bool answer_room_take(struct answer_room *room, size_t *had, size_t bytes)
{
    size_t beyond = bytes > ANSWER_SHARE_BYTES ? bytes - ANSWER_SHARE_BYTES : 0;
    if (beyond <= *had)
        return true;
    if (beyond - *had > room->beyond_max - room->beyond)
        return false;
    room->beyond += beyond - *had;
    *had = beyond;
    return true;
}

void answer_room_give(struct answer_room *room, size_t *had)
{
    room->beyond -= *had;
    *had = 0;
}
