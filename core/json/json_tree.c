#include "core/json/json_names.h"

/* The copy is made at once: what is a text in it gets its NUL as it is passed. */
bool json_tree_begin(struct json_scan *s, struct str text)
{
    struct json_tree *t = &s->tree;
    t->copy = arena_alloc(s->arena, text.len + JSON_COPY_SLACK);
    if (!t->copy)
        return json_scan_stop(s, s->arena->refused, NULL);
    memcpy(t->copy, s->start, text.len);
    memset(t->copy + text.len, 0, JSON_COPY_SLACK);
    t->in = t->levels;
    *t->in = (struct json_level){.node = &t->top};
    return true;
}

void json_tree_flag_name(struct json_scan *s)
{
    struct json_tree *t = &s->tree;
    t->flags = JSON_ESCAPED | JSON_NAME_REPLACED;
    t->name_end = t->text_end;
    t->any_replaced = true;
}

void json_tree_flag(struct json_scan *s, cJSON *node)
{
    struct json_tree *t = &s->tree;
    node->valueint |= t->flags;
    json_set_size(node, t->name_end);
    t->flags = 0;
    t->name_end = 0;
}

bool json_tree_open(struct json_scan *s, int type)
{
    struct json_tree *t = &s->tree;
    if (!t->copy)
        return true;
    if (!json_tree_add(s, type, STR_NONE))
        return false;
    cJSON *node = t->in->last;
    *++t->in = (struct json_level){.node = node};
    return true;
}

bool json_tree_close(struct json_scan *s)
{
    struct json_tree *t = &s->tree;
    if (!t->copy)
        return true;
    struct json_level *ended = t->in--;
    if (!ended->last)
        return true;
    ended->node->child->prev = ended->last; /* cJSON's lists: see json_names.c */
    enum rc rc = RC_OK;
    if (ended->node->type == cJSON_Object)
        rc = json_names_settle(s, ended->node, ended->n);
    return rc == RC_OK ? true : json_scan_stop(s, rc, NULL);
}
