#include "core/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAP_MIN 64
#define DOUBLED_MAX (64 * 1024) /* beyond it, an eighth more than is needed */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->cap);
    buf_free(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->rc = RC_OK;
}

size_t buf_cap_for(const struct buf *b, size_t len)
{
    if (len <= b->cap)
        return b->cap;
    size_t cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
    while (cap < len && cap < DOUBLED_MAX)
        cap *= 2;
    if (cap < len)
        cap = len < b->max - len / 8 ? len + len / 8 : b->max;
    return cap > b->max ? b->max : cap;
}

static bool buf_grow(struct buf *b, size_t need)
{
    size_t cap = buf_cap_for(b, need);
    char *data = realloc(b->data, cap);
    if (!data) {
        b->rc = RC_NOMEM;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_reserve_more(struct buf *b, size_t n)
{
    if (b->rc != RC_OK)
        return NULL;
    if (b->len > b->max || n > b->max - b->len) { /* the owner may have lowered it */
        b->rc = RC_LIMIT;
        return NULL;
    }
    if (n > b->cap - b->len && !buf_grow(b, b->len + n))
        return NULL;
    return b->data + b->len;
}

void buf_adds(struct buf *b, const char *c_string)
{
    buf_add(b, c_string, strlen(c_string));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        b->rc = b->rc == RC_OK ? RC_INTERNAL : b->rc;
        return;
    }
    if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
        return;
    }
    char *room = buf_reserve(b, (size_t)n + 1); /* vsnprintf writes a NUL, too */
    if (!room)
        return;
    va_start(args, fmt);
    (void)vsnprintf(room, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
}

enum rc buf_rc(const struct buf *b)
{
    return b->rc;
}

const char *buf_cstr(struct buf *b)
{
    char *room = buf_reserve(b, 1);
    if (!room)
        return "";
    *room = '\0';
    return b->data;
}
