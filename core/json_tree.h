/* The tree of cJSON's nodes that the scanner makes as it goes. Private to core/json*.c.
 *
 * Functions that give false have stopped the scan: for want of memory. Without a tree in `s` they do
 * nothing. */
#ifndef LEADPIPE_JSON_TREE_H
#define LEADPIPE_JSON_TREE_H

#include "json_out.h"

/* A member of an object, while members are put into the order of their names. */
struct json_named {
    uint64_t start; /* the first eight bytes of the name, as a big-endian number */
    cJSON *node;
};

/* Makes a tree of what is scanned, which is `text`. */
bool json_tree_begin(struct json_scan *s, struct str text);

/* An array or object begins, ends. Of members with one name the last value stays then, at the place
 * of the first. */
bool json_tree_open(struct json_scan *s, int type);
bool json_tree_close(struct json_scan *s);

/* Appends a node to what is open. `text`: of a string or number, else NULL. Only for
 * json_tree_open() and json_tree_leaf(). */
static inline bool json_tree_add(struct json_scan *s, int type, char *text)
{
    struct json_level *in = s->tree.in;
    cJSON *node = arena_alloc(s->arena, sizeof *node);
    if (!node)
        return json_scan_stop(s, s->arena->refused, NULL);
    *node = (cJSON){.prev = in->last, .type = type, .string = s->tree.name};
    node->valuestring = text;
    if (in->last)
        in->last->next = node;
    else
        in->node->child = node;
    in->last = node;
    s->tree.name = NULL;
    return true;
}

/* A scalar has been scanned: a string, a number, true, false or null. */
static inline bool json_tree_leaf(struct json_scan *s, int type)
{
    bool has_text = type & (cJSON_String | cJSON_Number);
    return !s->tree.copy || json_tree_add(s, type, has_text ? s->tree.text : NULL);
}

/* Fills `v` with the `n` members of an object and sorts them by the bytes of their names; equal
 * names stay in their order. `spare` has room for `n`, too. Never slower than n log n. */
void json_tree_sort(const cJSON *object, struct json_named *v, struct json_named *spare, size_t n);

size_t json_tree_count(const cJSON *object);

#endif
