#include "core/provider/name.h"

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Does a new word begin at the capital raw.ptr[i]? */
static bool begins_word(struct str raw, size_t i)
{
    if (i == 0)
        return false;
    char before = raw.ptr[i - 1];
    if (is_lower(before) || is_digit(before))
        return true;
    return is_upper(before) && i + 1 < raw.len && is_lower(raw.ptr[i + 1]);
}

void name_snake(struct buf *b, struct str raw)
{
    size_t start = b->len;
    bool gap = false; /* an underscore is due before the next byte that stays */
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        bool stays = is_lower(c) || is_upper(c) || is_digit(c) || (c & 0x80);
        gap = gap || !stays || (is_upper(c) && begins_word(raw, i));
        if (!stays)
            continue;
        bool first = b->len == start;
        if (first ? is_digit(c) : gap)
            buf_addc(b, '_');
        buf_addc(b, is_upper(c) ? (char)(c | 0x20) : c);
        gap = false;
    }
    if (b->len == start)
        buf_adds(b, "field");
}
