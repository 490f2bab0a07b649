#include "json_tree.h"

#define PAIRWISE_MAX 24 /* members: up to here, comparing each with each is the fastest way */
#define INSERTION_MAX 8

/* ---- sorting -------------------------------------------------------------------------------- */

size_t json_tree_count(const cJSON *object)
{
    size_t n = 0;
    for (const cJSON *node = object->child; node; node = node->next)
        n++;
    return n;
}

static uint64_t name_start(const char *name)
{
    uint64_t start = 0;
    size_t i = 0;
    for (; i < 8 && name[i]; i++)
        start = start << 8 | (unsigned char)name[i];
    return i ? start << (8 - i) * 8 : 0;
}

static int named_cmp(const struct json_named *a, const struct json_named *b)
{
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return strcmp(a->node->string, b->node->string);
}

static void insertion_sort(struct json_named *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct json_named moving = v[i];
        size_t at = i;
        for (; at > 0 && named_cmp(&v[at - 1], &moving) > 0; at--)
            v[at] = v[at - 1];
        v[at] = moving;
    }
}

static void merge(const struct json_named *a, size_t n_a, const struct json_named *b, size_t n_b,
                  struct json_named *out)
{
    while (n_a && n_b) {
        if (named_cmp(a, b) <= 0) {
            *out++ = *a++;
            n_a--;
        } else {
            *out++ = *b++;
            n_b--;
        }
    }
    memcpy(out, n_a ? a : b, (n_a + n_b) * sizeof *out);
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

static void merge_sort(struct json_named *v, struct json_named *spare, size_t n)
{
    for (size_t i = 0; i < n; i += INSERTION_MAX)
        insertion_sort(v + i, at_most(n - i, INSERTION_MAX));
    for (size_t width = INSERTION_MAX; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t left = at_most(n - i, width);
            size_t right = at_most(n - i - left, width);
            merge(v + i, left, v + i + left, right, spare + i);
        }
        memcpy(v, spare, n * sizeof *v);
    }
}

void json_tree_sort(const cJSON *object, struct json_named *v, struct json_named *spare, size_t n)
{
    size_t i = 0;
    for (cJSON *node = object->child; i < n; node = node->next, i++)
        v[i] = (struct json_named){name_start(node->string), node};
    merge_sort(v, spare, n);
}

/* ---- members that come again ---------------------------------------------------------------- */

/* The last value counts, at the place of the first. */
static void take_value(cJSON *first, const cJSON *last)
{
    first->type = last->type;
    first->child = last->child;
    first->valuestring = last->valuestring;
}

/* cJSON's lists: the first one's `prev` is the last one. `node` is never the first. */
static void unlink_member(cJSON *object, cJSON *node)
{
    node->prev->next = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        object->child->prev = node->prev;
}

static void drop_pairwise(cJSON *object)
{
    for (cJSON *first = object->child; first; first = first->next) {
        char c = *first->string;
        for (cJSON *again = first->next; again; again = again->next) {
            if (*again->string != c || strcmp(again->string, first->string) != 0)
                continue;
            take_value(first, again);
            unlink_member(object, again);
        }
    }
}

static enum rc drop_sorted(cJSON *object, size_t n, struct arena *a)
{
    struct json_named *v = arena_array(a, n, 2 * sizeof *v);
    if (!v)
        return a->refused;
    json_tree_sort(object, v, v + n, n);
    for (size_t first = 0, i = 1; i < n; i++) {
        if (named_cmp(&v[first], &v[i]) != 0) {
            first = i;
            continue;
        }
        take_value(v[first].node, v[i].node);
        unlink_member(object, v[i].node);
    }
    return RC_OK;
}

static enum rc drop_repeated(cJSON *object, struct arena *a)
{
    size_t n = json_tree_count(object);
    if (n > PAIRWISE_MAX)
        return drop_sorted(object, n, a);
    drop_pairwise(object);
    return RC_OK;
}

/* ---- building ------------------------------------------------------------------------------- */

/* The copy is made at once: what is a text in it gets its NUL as it is passed. */
bool json_tree_begin(struct json_scan *s, struct str text)
{
    struct json_tree *t = &s->tree;
    t->copy = arena_alloc(s->arena, text.len + 1);
    if (!t->copy)
        return json_scan_stop(s, s->arena->refused, NULL);
    memcpy(t->copy, s->start, text.len);
    t->in = t->levels;
    t->in->node = &t->top;
    return true;
}

bool json_tree_open(struct json_scan *s, int type)
{
    struct json_tree *t = &s->tree;
    if (!t->copy)
        return true;
    if (!json_tree_add(s, type, NULL))
        return false;
    cJSON *node = t->in->last;
    *++t->in = (struct json_level){node, NULL};
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
    ended->node->child->prev = ended->last; /* cJSON's lists: see unlink_member() */
    enum rc rc = RC_OK;
    if (ended->node->type == cJSON_Object)
        rc = drop_repeated(ended->node, s->arena);
    return rc == RC_OK ? true : json_scan_stop(s, rc, NULL);
}
