#include "core/json/json_names.h"

#include <stdio.h>
#include <stdlib.h>

#define PAIRWISE_MAX 24 /* members: up to here, comparing each with each is the fastest way */
#define INSERTION_MAX 8

/* ---- keys ----------------------------------------------------------------------------------- */

struct str json_replaced_name_key(const cJSON *member)
{
    const char *name = member->string;
    if (member->valueint & JSON_NAME_NUMBERED)
        name += strlen(name) + 1;
    size_t n = strlen(name) + 1;
    return (struct str){name, n + strlen(name + n)};
}

struct str json_replaced_text_key(const cJSON *string)
{
    size_t n = strlen(string->valuestring) + 1;
    return (struct str){string->valuestring, n + strlen(string->valuestring + n)};
}

/* ---- sorting -------------------------------------------------------------------------------- */

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

static int text_cmp(struct str a, struct str b)
{
    int cmp = memcmp(a.ptr, b.ptr, at_most(a.len, b.len));
    return cmp ? cmp : (a.len > b.len) - (a.len < b.len);
}

static uint64_t name_start(struct str name)
{
    uint64_t start = 0;
    for (size_t i = 0; i < 8; i++)
        start = start << 8 | (i < name.len ? (unsigned char)name.ptr[i] : 0);
    return start;
}

static struct json_named named(cJSON *member)
{
    struct str name = json_member_name(member);
    uint64_t start;
    if ((member->valueint & JSON_ESCAPED) || name.len == 0)
        return (struct json_named){name_start(json_name_key(member)), member};
    memcpy(&start, name.ptr, sizeof start); /* JSON_COPY_SLACK is behind it */
    start = be64toh(start) & ~UINT64_C(0) << (8 - at_most(name.len, 8)) * 8;
    return (struct json_named){start, member};
}

static int named_cmp(const struct json_named *a, const struct json_named *b)
{
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (!((a->node->valueint | b->node->valueint) & JSON_NAME_REPLACED))
        return text_cmp(json_member_name(a->node), json_member_name(b->node));
    return text_cmp(json_name_key(a->node), json_name_key(b->node));
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

void json_names_sort(const cJSON *object, struct json_named *v, struct json_named *spare, size_t n)
{
    size_t i = 0;
    for (cJSON *node = object->child; i < n; node = node->next, i++)
        v[i] = named(node);
    merge_sort(v, spare, n);
}

/* ---- members that come again ---------------------------------------------------------------- */

/* The last value counts, at the place of the first. */
static void take_value(cJSON *first, const cJSON *last)
{
    first->type = last->type;
    first->child = last->child;
    first->valuestring = last->valuestring;
    first->valuedouble = last->valuedouble;
    first->valueint &= ~JSON_TEXT_REPLACED;
    first->valueint |= last->valueint & (JSON_TEXT_REPLACED | JSON_ESCAPED);
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

static bool same_name(const cJSON *a, const cJSON *b)
{
    if (!str_eq(json_member_name(a), json_member_name(b)))
        return false;
    return !((a->valueint | b->valueint) & JSON_NAME_REPLACED) ||
           str_eq(json_name_key(a), json_name_key(b));
}

/* *repeated: a member whose name came more than once; untouched where none did. */
static void drop_pairwise(cJSON *object, const cJSON **repeated)
{
    for (cJSON *first = object->child; first; first = first->next) {
        size_t len = json_member_name(first).len;
        char c = *first->string;
        for (cJSON *again = first->next; again; again = again->next) {
            bool may_be = json_member_name(again).len == len && *again->string == c;
            if (!may_be || !same_name(again, first))
                continue;
            take_value(first, again);
            unlink_member(object, again);
            *repeated = first;
        }
    }
}

static enum rc drop_sorted(cJSON *object, size_t n, struct arena *a, const cJSON **repeated)
{
    struct json_named *v = arena_array(a, n, 2 * sizeof *v);
    if (!v)
        return a->refused;
    json_names_sort(object, v, v + n, n);
    for (size_t first = 0, i = 1; i < n; i++) {
        if (named_cmp(&v[first], &v[i]) != 0) {
            first = i;
            continue;
        }
        take_value(v[first].node, v[i].node);
        unlink_member(object, v[i].node);
        *repeated = v[first].node;
    }
    return RC_OK;
}

static enum rc drop_repeated(cJSON *object, size_t n, struct arena *a, const cJSON **repeated)
{
    if (n > PAIRWISE_MAX)
        return drop_sorted(object, n, a, repeated);
    drop_pairwise(object, repeated);
    return RC_OK;
}

/* ---- names that only U+FFFD makes the same -------------------------------------------------- */

#define NUMBER_BYTES 24 /* "_", digits, NUL */

/* The members of an object by their keys: those of one name stand together, first the ones in which
 * nothing was replaced, then those of one key. Names that get a number stay under their key. */
struct name_groups {
    struct json_named *v;
    size_t n;
    uint32_t *used;    /* for the first of a name: the highest "_n" so far; 1: the name itself */
    uint32_t *numbers; /* for the first of a key: which it has got */
};

/* The first member whose key is not before this one. The key before all others of a name is that
 * name. */
static size_t find_key(const struct name_groups *g, struct str key)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (text_cmp(json_name_key(g->v[middle].node), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_name(const struct name_groups *g, struct str name)
{
    size_t at = find_key(g, name);
    return at < g->n && str_eq(json_key_text(json_name_key(g->v[at].node)), name);
}

/* The compact text gets the number, too, where it does not have what was replaced. */
static enum rc note_number(struct json_scan *s, const cJSON *member, const char *number, size_t len)
{
    struct json_tree *t = &s->tree;
    if (json_size(member) == 0)
        return RC_OK;
    if (t->n_numbers == t->cap_numbers) {
        size_t cap = t->cap_numbers ? 2 * t->cap_numbers : 16;
        struct json_number *numbers = arena_array(s->arena, cap, sizeof *numbers);
        if (!numbers)
            return s->arena->refused;
        if (t->n_numbers)
            memcpy(numbers, t->numbers, t->n_numbers * sizeof *numbers);
        t->numbers = numbers;
        t->cap_numbers = cap;
    }
    t->numbers[t->n_numbers++] = (struct json_number){json_size(member), number, len};
    return RC_OK;
}

static enum rc number_member(struct json_scan *s, cJSON *member, uint32_t number)
{
    struct str key = json_name_key(member), text = json_key_text(key);
    char *name = arena_alloc(s->arena, text.len + NUMBER_BYTES + key.len + 1);
    if (!name)
        return s->arena->refused;
    memcpy(name, text.ptr, text.len);
    size_t len = (size_t)snprintf(name + text.len, NUMBER_BYTES, "_%u", (unsigned)number);
    char *copy = name + text.len + len + 1;
    memcpy(copy, key.ptr, key.len);
    copy[key.len] = '\0';
    if (!json_set_name(member, (struct str){name, text.len + len}))
        return RC_LIMIT;
    member->valueint |= JSON_NAME_NUMBERED;
    return note_number(s, member, name + text.len, len);
}

static bool has_replaced_name(const cJSON *object)
{
    for (const cJSON *member = object->child; member; member = member->next) {
        if (member->valueint & JSON_NAME_REPLACED)
            return true;
    }
    return false;
}

/* The lowest "_n" that makes the name nobody else's. */
static enum rc find_number(const struct name_groups *g, struct arena *a, struct str name,
                           uint32_t *number)
{
    char *numbered = arena_alloc(a, name.len + NUMBER_BYTES);
    if (!numbered)
        return a->refused;
    memcpy(numbered, name.ptr, name.len);
    int n;
    do
        n = snprintf(numbered + name.len, NUMBER_BYTES, "_%u", (unsigned)++*number);
    while (is_name(g, (struct str){numbered, name.len + (size_t)n}));
    return RC_OK;
}

/* Which number the member has: 1: none, its name is its own. */
static enum rc choose_number(struct name_groups *g, struct arena *a, const cJSON *member,
                             uint32_t *out)
{
    struct str key = json_name_key(member), name = json_key_text(key);
    size_t first = find_key(g, name);
    uint32_t *number = &g->numbers[find_key(g, key)], *used = &g->used[first];
    bool is_free = !*used && (g->v[first].node->valueint & JSON_NAME_REPLACED);
    enum rc rc = RC_OK;
    if (!*used)
        *used = 1;
    if (!*number && !is_free)
        rc = find_number(g, a, name, used);
    if (!*number)
        *number = *used;
    *out = *number;
    return rc;
}

/* Before members that come again are dropped: in the compact text they stay. */
static enum rc tell_apart(struct json_scan *s, cJSON *object, size_t n)
{
    struct name_groups g = {.v = arena_array(s->arena, n, 2 * sizeof *g.v), .n = n};
    g.used = arena_array(s->arena, n, sizeof *g.used);
    g.numbers = arena_array(s->arena, n, sizeof *g.numbers);
    if (!g.v || !g.used || !g.numbers)
        return s->arena->refused;
    json_names_sort(object, g.v, g.v + n, n);
    enum rc rc = RC_OK;
    for (cJSON *member = object->child; rc == RC_OK && member; member = member->next) {
        uint32_t number = 1;
        if (member->valueint & JSON_NAME_REPLACED)
            rc = choose_number(&g, s->arena, member, &number);
        if (rc == RC_OK && number > 1)
            rc = number_member(s, member, number);
    }
    return rc;
}

enum rc json_names_settle(struct json_scan *s, cJSON *object, size_t n)
{
    enum rc rc = RC_OK;
    if (s->tree.any_replaced && has_replaced_name(object))
        rc = tell_apart(s, object, n);
    return rc == RC_OK ? drop_repeated(object, n, s->arena, &s->tree.repeated) : rc;
}

static int number_cmp(const void *a, const void *b)
{
    const struct json_number *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

bool json_names_number(struct json_scan *s)
{
    struct json_number *v = s->tree.numbers;
    size_t n = s->tree.n_numbers;
    struct json_out *o = &s->compact;
    const char *from = o->start, *end = o->at;
    if (n == 0)
        return true;
    qsort(v, n, sizeof *v, number_cmp);
    size_t bytes = (size_t)(end - from) + 1;
    for (size_t i = 0; i < n; i++)
        bytes += v[i].len;
    *o = (struct json_out){.run = o->run};
    if (!json_out_alloc(s, o, bytes))
        return false;
    for (size_t i = 0, at = 0; i <= n; i++) {
        size_t upto = i < n ? v[i].at : (size_t)(end - from);
        memcpy(o->at, from + at, upto - at);
        o->at += upto - at;
        at = upto;
        if (i == n)
            break;
        memcpy(o->at, v[i].text, v[i].len);
        o->at += v[i].len;
    }
    return true;
}
