#include "core/json/json.h"

#include "core/base/copy.h"
#include "core/json/json_names.h"

#define CANON_BLOCK_BYTES 4096

/* ---- strings -------------------------------------------------------------------------------- */

static size_t plain_run(const char *p, size_t n)
{
    const unsigned char *from = (const unsigned char *)p;
    return (size_t)(json_plain_end(from, from + n, 0) - from);
}

/* How `c` stands in a string; the length of `out`. */
static size_t escape(unsigned char c, char out[6])
{
    static const char short_forms[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = c < 0x20 ? short_forms[c] : (char)c;
    if (out[1])
        return 2;
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return 6;
}

static void write_escaped(struct buf *b, struct str s)
{
    char escaped[6];
    buf_addc(b, '"');
    for (;;) {
        size_t n = plain_run(s.ptr, s.len);
        buf_add(b, s.ptr, n);
        if (n == s.len)
            break;
        buf_add(b, escaped, escape((unsigned char)s.ptr[n], escaped));
        s.ptr += n + 1;
        s.len -= n + 1;
    }
    buf_addc(b, '"');
}

void json_write_string(struct buf *b, struct str s)
{
    char *room = buf_reserve(b, s.len + 2);
    if (!room)
        return;
    if (s.len > 0 && !copy_tested(room + 1, s.ptr, s.len, json_special_bits, 0)) {
        write_escaped(b, s);
        return;
    }
    room[0] = '"';
    room[s.len + 1] = '"';
    b->len += s.len + 2;
}

void json_write_bytes(struct buf *b, struct str s)
{
    struct buf text;
    if (utf8_valid(s.ptr, s.len)) {
        json_write_string(b, s);
        return;
    }
    buf_init(&text, SIZE_MAX / 2);
    while (s.len > 0) {
        const unsigned char *at = (const unsigned char *)s.ptr;
        size_t n = *at < 0x80 ? 1 : utf8_sequence(at, s.len);
        if (n > 0) {
            buf_add(&text, s.ptr, n);
        } else {
            n = utf8_invalid_run(at, s.len);
            buf_adds(&text, "\xef\xbf\xbd");
        }
        s.ptr += n;
        s.len -= n;
    }
    if (buf_rc(&text) == RC_OK)
        json_write_string(b, buf_str(&text));
    else
        b->rc = RC_NOMEM;
    buf_free(&text);
}

void json_write_int(struct buf *b, int64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (n < 0)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof digits - at);
}

/* ---- values --------------------------------------------------------------------------------- */

/* The word for a value without content of its own, or NULL. */
static const char *value_word(const cJSON *value)
{
    switch (value->type & 0xFF) {
    case cJSON_NULL:
        return "null";
    case cJSON_False:
        return "false";
    case cJSON_True:
        return "true";
    case cJSON_Number:
        return value->valuestring;
    default:
        return NULL;
    }
}

static void write_children(struct buf *b, const cJSON *value)
{
    bool is_object = (value->type & 0xFF) == cJSON_Object;
    buf_addc(b, is_object ? '{' : '[');
    for (const cJSON *child = value->child; child; child = child->next) {
        if (child != value->child)
            buf_addc(b, ',');
        if (is_object) {
            json_write_string(b, json_member_name(child));
            buf_addc(b, ':');
        }
        json_write(b, child);
    }
    buf_addc(b, is_object ? '}' : ']');
}

void json_write(struct buf *b, const cJSON *value)
{
    const char *word = value_word(value);
    if (word)
        buf_adds(b, word);
    else if ((value->type & 0xFF) == cJSON_String)
        json_write_string(b, str_c(value->valuestring));
    else
        write_children(b, value);
}

size_t json_written_string_bytes(struct str s)
{
    char escaped[6];
    size_t bytes = 2;
    for (;;) {
        size_t n = plain_run(s.ptr, s.len);
        bytes += n;
        if (n == s.len)
            return bytes;
        bytes += escape((unsigned char)s.ptr[n], escaped);
        s.ptr += n + 1;
        s.len -= n + 1;
    }
}

/* Nested as deeply as the parser allows. */
size_t json_written_bytes(const cJSON *value)
{
    const char *word = value_word(value);
    if (word)
        return strlen(word);
    if ((value->type & 0xFF) == cJSON_String)
        return json_written_string_bytes(str_c(value->valuestring));
    size_t bytes = value->child ? 1 : 2;
    for (const cJSON *child = value->child; child; child = child->next) {
        bytes += 1 + json_written_bytes(child); /* and a comma or the bracket */
        if (json_is_object(value))
            bytes += 1 + json_written_string_bytes(json_member_name(child));
    }
    return bytes;
}

/* ---- canonical form ------------------------------------------------------------------------- */

struct canon {
    void (*fn)(void *ctx, const char *p, size_t n);
    void *ctx;
    struct arena *scratch;
    struct json_named *named; /* a stack: the members of every object on the way down */
    size_t n_named, cap_named;
    char *block; /* pieces are gathered: `fn` may be dear to call */
    size_t held;
};

static void canon_flush(struct canon *c)
{
    if (c->held)
        c->fn(c->ctx, c->block, c->held);
    c->held = 0;
}

/* Room for `n` bytes in the block, or NULL: too many for any block. */
static inline char *canon_reserve(struct canon *c, size_t n)
{
    if (n > CANON_BLOCK_BYTES - c->held)
        canon_flush(c);
    return n <= CANON_BLOCK_BYTES ? c->block + c->held : NULL;
}

static void canon_put(struct canon *c, const char *p, size_t n)
{
    if (n == 0)
        return;
    char *room = canon_reserve(c, n);
    if (!room) {
        c->fn(c->ctx, p, n);
        return;
    }
    memcpy(room, p, n);
    c->held += n;
}

static inline void canon_char(struct canon *c, char ch)
{
    if (c->held == CANON_BLOCK_BYTES)
        canon_flush(c);
    c->block[c->held++] = ch;
}

static void canon_escaped(struct canon *c, struct str s, size_t n)
{
    char escaped[6];
    canon_char(c, '"');
    for (;; n = plain_run(s.ptr, s.len)) {
        canon_put(c, s.ptr, n);
        if (n == s.len)
            break;
        canon_put(c, escaped, escape((unsigned char)s.ptr[n], escaped));
        s.ptr += n + 1;
        s.len -= n + 1;
    }
    canon_char(c, '"');
}

static void canon_string(struct canon *c, struct str s)
{
    size_t n = plain_run(s.ptr, s.len);
    char *room = n == s.len && n < CANON_BLOCK_BYTES - 2 ? canon_reserve(c, n + 2) : NULL;
    if (!room) {
        canon_escaped(c, s, n);
        return;
    }
    room[0] = '"';
    memcpy(room + 1, s.ptr, n);
    room[n + 1] = '"';
    c->held += n + 2;
}

static void canon_word(struct canon *c, const char *word)
{
    canon_put(c, word, strlen(word));
}

/* Room for `n` more on the stack. Doubling, the arena is left with as much again at most. */
static bool canon_room(struct canon *c, size_t n)
{
    if (c->named && n <= c->cap_named - c->n_named)
        return true;
    size_t cap = 2 * (c->n_named + n);
    struct json_named *named = arena_array(c->scratch, cap, sizeof *named);
    if (!named)
        return false;
    if (c->n_named)
        memcpy(named, c->named, c->n_named * sizeof *named);
    c->named = named;
    c->cap_named = cap;
    return true;
}

static bool canon_value(struct canon *c, const cJSON *value);

static size_t count_members(const cJSON *object)
{
    size_t n = 0;
    for (const cJSON *node = object->child; node; node = node->next)
        n++;
    return n;
}

static bool canon_object(struct canon *c, const cJSON *object)
{
    size_t base = c->n_named;
    size_t n = count_members(object);
    if (!canon_room(c, 2 * n))
        return false;
    json_names_sort(object, c->named + base, c->named + base + n, n);
    c->n_named += n;
    canon_char(c, '{');
    for (size_t i = 0; i < n; i++) {
        const cJSON *child = c->named[base + i].node;
        if (i)
            canon_char(c, ',');
        canon_string(c, json_name_key(child));
        canon_char(c, ':');
        if (!canon_value(c, child))
            return false;
    }
    canon_char(c, '}');
    c->n_named = base;
    return true;
}

static bool canon_array(struct canon *c, const cJSON *array)
{
    canon_char(c, '[');
    for (const cJSON *child = array->child; child; child = child->next) {
        if (child != array->child)
            canon_char(c, ',');
        if (!canon_value(c, child))
            return false;
    }
    canon_char(c, ']');
    return true;
}

static bool canon_value(struct canon *c, const cJSON *value)
{
    int type = value->type & 0xFF;
    if (type == cJSON_Object)
        return canon_object(c, value);
    if (type == cJSON_Array)
        return canon_array(c, value);
    if (type == cJSON_String)
        canon_string(c, json_text_key(value));
    else
        canon_word(c, value_word(value));
    return true;
}

enum rc json_canonical(const cJSON *value, struct arena *scratch,
                       void (*fn)(void *ctx, const char *p, size_t n), void *ctx)
{
    char block[CANON_BLOCK_BYTES];
    struct canon c = {.fn = fn, .ctx = ctx, .scratch = scratch, .block = block};
    if (!canon_value(&c, value))
        return scratch->refused;
    canon_flush(&c);
    return RC_OK;
}
