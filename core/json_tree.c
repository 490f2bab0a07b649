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

/* ---- the whole tree ------------------------------------------------------------------------- */

/* The texts that are still to be given. */
struct supply {
    const char *const *next, *const *end;
};

static char *take_text(struct supply *s)
{
    return s->next < s->end ? (char *)(uintptr_t)*s->next++ : NULL; /* cJSON's are not const */
}

static void set_value(cJSON *node, char *text)
{
    if (text[-1] == '"') {
        node->type = cJSON_String;
        node->valuestring = text;
    } else if (*text == 't' || *text == 'f') {
        node->type = *text == 't' ? cJSON_True : cJSON_False;
    } else if (*text != 'n') {
        node->type = cJSON_Number;
        node->valuestring = text;
    }
}

/* In the order of the text: the name, then the value. */
static bool give_texts(cJSON *node, bool is_member, struct supply *s)
{
    if (is_member && !(node->string = take_text(s)))
        return false;
    char *text = take_text(s);
    if (!text)
        return false;
    if (node->type == cJSON_NULL)
        set_value(node, text);
    else if (*text == '{')
        node->type = cJSON_Object;
    return true;
}

/* To the first thing that has nothing in it. */
static bool go_down(cJSON **node, cJSON *up[], size_t *depth, struct supply *s)
{
    for (;; *node = (*node)->child) {
        if (!give_texts(*node, *depth && up[*depth - 1]->type == cJSON_Object, s))
            return false;
        if (!(*node)->child)
            return true;
        up[(*depth)++] = *node;
    }
}

enum rc json_tree_finish(cJSON *root, const struct json_texts *texts, struct arena *a)
{
    struct supply supply = {texts->items, texts->items + texts->n};
    cJSON *up[JSON_DEPTH_MAX];
    size_t depth = 0;
    for (cJSON *node = root;; node = node->next) {
        if (!go_down(&node, up, &depth, &supply))
            return RC_INTERNAL;
        while (!node->next) {
            if (depth == 0)
                return supply.next == supply.end ? RC_OK : RC_INTERNAL;
            node = up[--depth];
            enum rc rc = node->type == cJSON_Object ? drop_repeated(node, a) : RC_OK;
            if (rc != RC_OK)
                return rc;
        }
    }
}
