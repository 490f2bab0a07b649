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
    const char *word = value_word(value);
    if (word)
        return strlen(word);
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
