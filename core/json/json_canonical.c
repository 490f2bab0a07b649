#include "core/json/json_content.h"
#include "core/json/json_escape.h"
#include "core/json/json_names.h"

#define BLOCK_BYTES 4096

struct canon {
    void (*fn)(void *ctx, const char *p, size_t n);
    void *ctx;
    const struct json_nulls *nulls;
    struct arena *scratch;
    struct json_named *named; /* a stack: the members of every object on the way down */
    size_t n_named, cap_named;
    char *at; /* where the block goes on */
    char block[BLOCK_BYTES + JSON_COPY_SLACK];
};

/* ---- bytes ---------------------------------------------------------------------------------- */

static void flush(struct canon *c)
{
    if (c->at > c->block)
        c->fn(c->ctx, c->block, (size_t)(c->at - c->block));
    c->at = c->block;
}

/* Room for `n` bytes in the block, with slack behind it. False: they are too many for any block. */
static inline bool make_room(struct canon *c, size_t n)
{
    if (n > (size_t)(c->block + BLOCK_BYTES - c->at))
        flush(c);
    return n <= BLOCK_BYTES;
}

static void put_bytes(struct canon *c, const char *p, size_t n)
{
    if (!make_room(c, n)) {
        c->fn(c->ctx, p, n);
        return;
    }
    if (n > 0)
        memcpy(c->at, p, n);
    c->at += n;
}

static void put_str(struct canon *c, struct str s)
{
    put_bytes(c, s.ptr, s.len);
}

static inline void put_char(struct canon *c, char ch)
{
    (void)make_room(c, 1);
    *c->at++ = ch;
}

/* Copies `n` bytes of the parser's text, and some more: as long as they are few, which most are, how
 * many does not matter, and no branch has to be guessed. */
static inline void copy_received(char *to, const char *p, size_t n)
{
    memcpy(to, p, JSON_COPY_SLACK);
    for (size_t i = JSON_COPY_SLACK; i < n; i += JSON_COPY_SLACK / 2)
        memcpy(to + i, p + i, JSON_COPY_SLACK / 2);
}

/* ---- strings -------------------------------------------------------------------------------- */

static void put_escaped(struct canon *c, struct str s)
{
    char escaped[6];
    put_char(c, '"');
    for (;;) {
        size_t n = json_plain_run(s);
        put_bytes(c, s.ptr, n);
        if (n == s.len)
            break;
        put_bytes(c, escaped, json_escape((unsigned char)s.ptr[n], escaped));
        s.ptr += n + 1;
        s.len -= n + 1;
    }
    put_char(c, '"');
}

/* Of a node that is not JSON_ESCAPED: a quote is before it. */
static void put_received(struct canon *c, struct str s)
{
    if (!make_room(c, s.len + 2)) {
        put_char(c, '"');
        put_bytes(c, s.ptr, s.len);
        put_char(c, '"');
        return;
    }
    copy_received(c->at, s.ptr - 1, s.len + 1);
    c->at += s.len + 2;
    c->at[-1] = '"';
}

static void put_name(struct canon *c, const cJSON *member)
{
    if (member->valueint & JSON_ESCAPED)
        put_escaped(c, json_name_key(member));
    else
        put_received(c, json_member_name(member));
    put_char(c, ':');
}

/* ---- values --------------------------------------------------------------------------------- */

static bool put_container(struct canon *c, const cJSON *value, bool has_nulls);

/* A value and what is inside it. `has_nulls`: it is an element of an array that c->nulls names. */
static bool put_value(struct canon *c, const cJSON *value, bool has_nulls)
{
    switch (value->type & 0xFF) {
    case cJSON_String:
        if (value->valueint & JSON_ESCAPED)
            put_escaped(c, json_text_key(value));
        else
            put_received(c, (struct str){value->valuestring, json_size(value)});
        return true;
    case cJSON_Number:
        put_str(c, json_text(value));
        return true;
    case cJSON_NULL:
        put_bytes(c, "null", 4);
        return true;
    case cJSON_False:
        put_bytes(c, "false", 5);
        return true;
    case cJSON_True:
        put_bytes(c, "true", 4);
        return true;
    default:
        return put_container(c, value, has_nulls);
    }
}

static bool put_elements(struct canon *c, const cJSON *array)
{
    bool is_named = json_has_nulls(c->nulls, array);
    put_char(c, '[');
    for (const cJSON *child = array->child; child; child = child->next) {
        if (child != array->child)
            put_char(c, ',');
        if (!put_value(c, child, is_named))
            return false;
    }
    put_char(c, ']');
    return true;
}

/* ---- the order of members ------------------------------------------------------------------- */

/* Room for `n` on the stack. Doubling, the arena is left with as much again at most. */
static bool reserve_named(struct canon *c, size_t n)
{
    if (c->named && n <= c->cap_named - c->n_named)
        return true;
    size_t cap = 2 * (c->n_named + n);
    struct json_named *named = arena_array(c->scratch, cap, sizeof *named);
    if (!named)
        return false;
    if (c->named && c->n_named)
        memcpy(named, c->named, c->n_named * sizeof *named);
    c->named = named;
    c->cap_named = cap;
    return true;
}

/* The members of an object are put on the stack, sorted: *out of them. */
static bool push_sorted(struct canon *c, const cJSON *object, size_t *out)
{
    size_t n = 0;
    for (const cJSON *member = object->child; member; member = member->next)
        n++;
    if (!reserve_named(c, 2 * n))
        return false;
    struct json_named *v = c->named + c->n_named;
    json_names_sort(object, v, v + n, n);
    *out = n;
    return true;
}

/* ---- members -------------------------------------------------------------------------------- */

/* A member in one piece, as it was received. False: it was received otherwise, or is too long. */
static inline bool put_pair(struct canon *c, char before, const cJSON *member)
{
    struct str name = json_member_name(member);
    size_t n_value = json_adjacent_bytes(member);
    size_t n = name.len + 3 + n_value;
    if (n_value == 0 || !make_room(c, 1 + n))
        return false;
    char *to = c->at;
    to[0] = before;
    copy_received(to + 1, name.ptr - 1, n);
    to[2 + name.len] = '"'; /* the parser left NULs there */
    if (json_is_string(member))
        to[n] = '"';
    c->at = to + 1 + n;
    return true;
}

static bool put_member(struct canon *c, char before, const cJSON *member, bool has_nulls)
{
    bool null = has_nulls && json_is_nulled(c->nulls, member);
    if (!null && !(member->type & (cJSON_Object | cJSON_Array)) && put_pair(c, before, member))
        return true;
    put_char(c, before);
    put_name(c, member);
    if (!null)
        return put_value(c, member, false);
    put_bytes(c, "null", 4);
    return true;
}

static bool put_members(struct canon *c, const cJSON *object, bool has_nulls)
{
    size_t base = c->n_named, n;
    if (!push_sorted(c, object, &n))
        return false;
    c->n_named += n;
    for (size_t i = 0; i < n; i++) {
        if (!put_member(c, i ? ',' : '{', c->named[base + i].node, has_nulls))
            return false;
    }
    if (n == 0)
        put_char(c, '{');
    put_char(c, '}');
    c->n_named = base;
    return true;
}

/* Nested as deeply as the parser allows. */
static bool put_container(struct canon *c, const cJSON *value, bool has_nulls)
{
    return json_is_object(value) ? put_members(c, value, has_nulls) : put_elements(c, value);
}

enum rc json_canonical(const cJSON *value, const struct json_nulls *nulls, struct arena *scratch,
                       void (*fn)(void *ctx, const char *p, size_t n), void *ctx)
{
    struct canon c;
    c.fn = fn;
    c.ctx = ctx;
    c.nulls = nulls && nulls->n_members ? nulls : NULL;
    c.scratch = scratch;
    c.named = NULL;
    c.n_named = c.cap_named = 0;
    c.at = c.block;
    if (!put_value(&c, value, false))
        return scratch->refused;
    flush(&c);
    return RC_OK;
}
