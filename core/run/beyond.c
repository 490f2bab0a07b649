#include "core/run/beyond.h"

#include <inttypes.h>

#include "core/base/units.h"
#include "core/source/ids.h"

#define WORD "beyond "

static void set_first(struct beyond *b, struct str id)
{
    size_t n = id.len < sizeof b->first ? id.len : sizeof b->first - 1;
    memcpy(b->first, id.ptr, n);
    b->first[n] = '\0';
}

void beyond_note(struct beyond *b, const struct lead *lead)
{
    if (!lead->codes_beyond && !lead->members_beyond)
        return;
    if (!b->leads++)
        set_first(b, lead->id);
    b->codes += lead->codes_beyond;
    b->members += lead->members_beyond;
}

void beyond_write(const struct beyond *b, struct buf *out)
{
    if (b->leads)
        buf_addf(out, WORD "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", b->codes, b->members,
                 b->leads, b->first);
}

bool beyond_read(struct beyond *b, struct str *text)
{
    struct str rest = *text;
    size_t n = sizeof WORD - 1;
    *b = (struct beyond){0};
    if (rest.len < n || memcmp(rest.ptr, WORD, n) != 0)
        return true;
    rest = (struct str){rest.ptr + n, rest.len - n};
    if (!text_take_uint(&rest, ' ', &b->codes) || !text_take_uint(&rest, ' ', &b->members) ||
        !text_take_uint(&rest, ' ', &b->leads))
        return false;
    const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
    size_t len = end ? (size_t)(end - rest.ptr) : 0;
    if (id_check((struct str){rest.ptr, len}, NULL) != RC_OK)
        return false;
    set_first(b, (struct str){rest.ptr, len});
    *text = (struct str){end + 1, rest.len - len - 1};
    return true;
}
