/* Bytes within a text: compressed, in base64, for what a mark must hold itself. */
#ifndef LEADPIPE_BLOB_H
#define LEADPIPE_BLOB_H

#include "core/buf.h"

#define BLOB_BYTES_MAX ((size_t)1 << 24)

/* Appends "LENGTH:BASE64" for at most BLOB_BYTES_MAX bytes; printable ASCII without blanks. Errors
 * stick in `out`: RC_LIMIT, RC_NOMEM. */
void blob_put(struct buf *out, const void *p, size_t n);

/* Appends to `out` the bytes that blob_put() turned into `text`. RC_SYNTAX: it did not; RC_LIMIT:
 * more than `out` may hold; RC_NOMEM. `out` is as before when it fails. */
enum rc blob_take(struct str text, struct buf *out);

/* Takes decimal digits and the `end` behind them from the beginning of `text`. */
bool text_take_uint(struct str *text, char end, uint64_t *out);

/* Takes what stands before the first `end`, which goes, too. */
bool text_take(struct str *text, char end, struct str *out);

#endif
