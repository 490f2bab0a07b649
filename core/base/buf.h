/* A growable byte buffer that cannot be made without a maximum.
 *
 * Appending never needs a check of its own: the first failure (out of memory, maximum reached)
 * sticks, later appends do nothing, and buf_rc() reports it at the end. One thread at a time. */
#ifndef LEADPIPE_BUF_H
#define LEADPIPE_BUF_H

#include "core/base/err.h"
#include "core/base/str.h"

struct buf {
    char *data; /* owned, malloc'd; NULL while cap is 0 */
    size_t len, cap, max;
    enum rc rc; /* RC_OK, RC_NOMEM, RC_LIMIT; RC_INTERNAL: a wrong format */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b); /* and is then as after buf_init() */
/* The same, once all that it held is overwritten: for secrets. */
void buf_wipe(struct buf *b);
void buf_clear(struct buf *b); /* empties, forgets a failure, keeps the memory */

static inline void buf_add(struct buf *b, const void *p, size_t n);
static inline void buf_addc(struct buf *b, char c);
static inline void buf_add_str(struct buf *b, struct str s);
void buf_adds(struct buf *b, const char *c_string);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for `n` more bytes at data + len, or NULL (the failure sticks). The caller adds to len. */
static inline char *buf_reserve(struct buf *b, size_t n);

/* The capacity that the buffer will have when `len` bytes are in it. */
size_t buf_cap_for(const struct buf *b, size_t len);

enum rc buf_rc(const struct buf *b);

/* The content with a NUL behind it (not counted in len), or "" after a failure. */
const char *buf_cstr(struct buf *b);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

/* ---- what is called for every value of every row -------------------------------------------- */

/* buf_reserve(), where the buffer may have to grow. */
char *buf_reserve_more(struct buf *b, size_t n);

static inline char *buf_reserve(struct buf *b, size_t n)
{
    if (b->rc == RC_OK && n <= b->cap - b->len && n <= b->max - b->len)
        return b->data + b->len;
    return buf_reserve_more(b, n);
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
    char *room = n ? buf_reserve(b, n) : NULL;
    if (!room)
        return;
    memcpy(room, p, n);
    b->len += n;
}

static inline void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

static inline void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

#endif
