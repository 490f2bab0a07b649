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

/* An array or object that is being filled. */
struct level {
    cJSON *node;
    cJSON *last;   /* of what it has so far; NULL: nothing */
    cJSON *inside; /* the next of the brackets in it, as cJSON made them */
};

struct filling {
    struct arena *arena;
    const char *const *next, *const *end; /* texts that are still to come */
    struct level *level;                  /* the innermost */
};

/* cJSON's are not const. */
static char *take_text(struct filling *f)
{
    return (char *)(uintptr_t)*f->next++;
}

static bool is_bracket(const char *text)
{
    return (*text == '{' || *text == '[') && text[-1] != '"';
}

static cJSON *make_leaf(struct filling *f, char *text)
{
    cJSON *leaf = arena_alloc(f->arena, sizeof *leaf);
    if (!leaf)
        return NULL;
    *leaf = (cJSON){.type = cJSON_NULL};
    if (text[-1] == '"') {
        leaf->type = cJSON_String;
        leaf->valuestring = text;
    } else if (*text == 't' || *text == 'f') {
        leaf->type = *text == 't' ? cJSON_True : cJSON_False;
    } else if (*text != 'n') {
        leaf->type = cJSON_Number;
        leaf->valuestring = text;
    }
    return leaf;
}

static void append(struct level *level, cJSON *node)
{
    node->prev = level->last;
    if (level->last)
        level->last->next = node;
    else
        level->node->child = node;
    level->last = node;
}

/* The next array or object begins. Its names and values are still missing. */
static enum rc enter(struct filling *f, char *name, char bracket)
{
    cJSON *node = f->level->inside;
    if (!node)
        return RC_INTERNAL;
    f->level->inside = node->next;
    node->next = NULL;
    node->string = name;
    node->type = bracket == '{' ? cJSON_Object : cJSON_Array;
    append(f->level, node);
    *++f->level = (struct level){node, NULL, node->child};
    node->child = NULL;
    return RC_OK;
}

static enum rc leave(struct filling *f)
{
    struct level *level = f->level--;
    if (level->inside)
        return RC_INTERNAL;
    if (!level->last)
        return RC_OK;
    level->node->child->prev = level->last; /* cJSON's own convention */
    return level->node->type == cJSON_Object ? drop_repeated(level->node, f->arena) : RC_OK;
}

static enum rc take_value_in(struct filling *f)
{
    char *name = f->level->node->type == cJSON_Object ? take_text(f) : NULL;
    char *text = take_text(f);
    if (is_bracket(text))
        return enter(f, name, *text);
    cJSON *leaf = make_leaf(f, text);
    if (!leaf)
        return f->arena->refused;
    leaf->string = name;
    append(f->level, leaf);
    return RC_OK;
}

enum rc json_tree_finish(cJSON *brackets, const struct json_texts *texts, struct arena *a)
{
    struct level levels[JSON_DEPTH_MAX + 1];
    struct filling f = {a, texts->items, texts->items + texts->n, levels};
    levels[0] = (struct level){brackets, NULL, brackets->child};
    brackets->child = NULL;
    while (f.next < f.end) {
        enum rc rc = RC_OK;
        if (*f.next) {
            rc = take_value_in(&f);
        } else {
            f.next++;
            rc = leave(&f);
        }
        if (rc != RC_OK)
            return rc;
    }
    return f.level == levels && !levels[0].inside ? RC_OK : RC_INTERNAL;
}
