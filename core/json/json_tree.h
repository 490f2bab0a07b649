/* The tree of cJSON's nodes that the scanner makes as it goes. Private to core/json.
 *
 * Functions that give false have stopped the scan: for want of memory. Without a tree in `s` they do
 * nothing. */
#ifndef LEADPIPE_JSON_TREE_H
#define LEADPIPE_JSON_TREE_H

#include "core/json/json_out.h"

/* Bytes that may be read behind every name and text of a tree that is not JSON_ESCAPED. */
#define JSON_COPY_SLACK 64

/* Makes a tree of what is scanned, which is `text`. */
bool json_tree_begin(struct json_scan *s, struct str text);

/* The text that was passed last is a name, and something was replaced in it. */
void json_tree_flag_name(struct json_scan *s);

/* An array or object begins, ends. */
bool json_tree_open(struct json_scan *s, int type);
bool json_tree_close(struct json_scan *s);

/* The node gets s->tree.flags, which are not 0. Its size is the place of its name's closing quote in
 * the compact text, if bytes of the name were not UTF-8, or 0. */
void json_tree_flag(struct json_scan *s, cJSON *node);

/* The text that was passed last is the name of a member of what is open. */
static inline bool json_tree_name(struct json_scan *s)
{
    struct json_tree *t = &s->tree;
    if (!t->copy)
        return true;
    t->name = t->text;
    return t->name.len <= JSON_NAME_BYTES_MAX ||
           json_scan_stop(s, RC_LIMIT, "a member's name is too long");
}

/* Appends a node to what is open. `text`: of a string or number, else absent. Only for
 * json_tree_open() and json_tree_leaf(). */
static inline bool json_tree_add(struct json_scan *s, int type, struct str text)
{
    struct json_level *in = s->tree.in;
    cJSON *node = arena_alloc(s->arena, sizeof *node);
    if (!node)
        return json_scan_stop(s, s->arena->refused, NULL);
    *node = (cJSON){.prev = in->last, .type = type};
    node->valuestring = (char *)(uintptr_t)text.ptr; /* cJSON's type; nobody writes to it */
    json_set_size(node, text.len);
    node->string = (char *)(uintptr_t)s->tree.name.ptr;
    node->valueint = (int)(s->tree.name.len << JSON_NAME_LEN_SHIFT); /* see json_tree_name() */
    if (s->tree.flags)
        json_tree_flag(s, node);
    if (in->last)
        in->last->next = node;
    else
        in->node->child = node;
    in->last = node;
    in->n++;
    s->tree.name = STR_NONE;
    return true;
}

/* A scalar has been scanned: a string, a number, true, false or null. */
static inline bool json_tree_leaf(struct json_scan *s, int type)
{
    bool has_text = type & (cJSON_String | cJSON_Number);
    return !s->tree.copy || json_tree_add(s, type, has_text ? s->tree.text : STR_NONE);
}

#endif
