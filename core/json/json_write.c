#include "core/json/json.h"

#include "core/base/copy.h"
#include "core/json/json_escape.h"

/* ---- strings -------------------------------------------------------------------------------- */

static void write_escaped(struct buf *b, struct str s)
{
    char escaped[6];
    buf_addc(b, '"');
    for (;;) {
        size_t n = json_plain_run(s);
        buf_add(b, s.ptr, n);
        if (n == s.len)
            break;
        buf_add(b, escaped, json_escape((unsigned char)s.ptr[n], escaped));
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

/* The word for a value without content of its own, or without bytes. */
static struct str value_word(const cJSON *value)
{
    switch (value->type & 0xFF) {
    case cJSON_NULL:
        return STR("null");
    case cJSON_False:
        return STR("false");
    case cJSON_True:
        return STR("true");
    case cJSON_Number:
        return json_text(value);
    default:
        return STR_NONE;
    }
}

/* As it was received: only a node that is JSON_ESCAPED may have characters to escape. */
static char *put_received(char *to, struct str s)
{
    *to++ = '"';
    if (s.len > 0)
        copy_bytes(to, s.ptr, s.len);
    to += s.len;
    *to++ = '"';
    return to;
}

/* A comma and the member's name, as far as there are any, and its value, where that is a text, in one piece. False: something
 * may have to be escaped, and nothing was written. */
static bool write_received(struct buf *b, char comma, bool is_member, const cJSON *node)
{
    struct str name = is_member ? json_member_name(node) : STR_NONE;
    bool is_text = (node->type & 0xFF) == cJSON_String;
    if (node->valueint & JSON_ESCAPED)
        return false;
    struct str text = is_text ? json_text(node) : STR_NONE;
    char *room = buf_reserve(b, name.len + text.len + 6);
    if (!room)
        return true;
    char *at = room;
    if (comma)
        *at++ = comma;
    if (is_member) {
        at = put_received(at, name);
        *at++ = ':';
    }
    if (is_text)
        at = put_received(at, text);
    b->len += (size_t)(at - room);
    if (!is_text)
        json_write(b, node);
    return true;
}

static void write_children(struct buf *b, const cJSON *value)
{
    bool is_object = (value->type & 0xFF) == cJSON_Object;
    char comma = '\0';
    buf_addc(b, is_object ? '{' : '[');
    for (const cJSON *child = value->child; child; child = child->next, comma = ',') {
        if (write_received(b, comma, is_object, child))
            continue;
        if (comma)
            buf_addc(b, comma);
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
    struct str word = value_word(value);
    if (word.ptr)
        buf_add_str(b, word);
    else if ((value->type & 0xFF) == cJSON_String)
        json_write_string(b, json_text(value));
    else
        write_children(b, value);
}

size_t json_written_string_bytes(struct str s)
{
    char escaped[6];
    size_t bytes = 2;
    for (;;) {
        size_t n = json_plain_run(s);
        bytes += n;
        if (n == s.len)
            return bytes;
        bytes += json_escape((unsigned char)s.ptr[n], escaped);
        s.ptr += n + 1;
        s.len -= n + 1;
    }
}

/* Nested as deeply as the parser allows. */
size_t json_written_bytes(const cJSON *value)
{
    struct str word = value_word(value);
    if (word.ptr)
        return word.len;
    if ((value->type & 0xFF) == cJSON_String)
        return json_written_string_bytes(json_text(value));
    size_t bytes = value->child ? 1 : 2;
    for (const cJSON *child = value->child; child; child = child->next) {
        bytes += 1 + json_written_bytes(child); /* and a comma or the bracket */
        if (json_is_object(value))
            bytes += 1 + json_written_string_bytes(json_member_name(child));
    }
    return bytes;
}
