/* Bytes within a text, for what a mark must hold itself: as they are, or compressed in base64. */
#ifndef LEADPIPE_BLOB_H
#define LEADPIPE_BLOB_H

#include "core/base/buf.h"
#include "core/base/units.h" /* text_take(), which reads what blobs stand in */

#define BLOB_BYTES_MAX ((size_t)1 << 24)

/* Appends "LENGTH:BASE64" for at most BLOB_BYTES_MAX bytes; printable ASCII without blanks. Errors
 * stick in `out`: RC_LIMIT, RC_NOMEM. */
void blob_put(struct buf *out, const void *p, size_t n);

/* Appends to `out` the bytes that blob_put() turned into `text`. RC_SYNTAX: it did not; RC_LIMIT:
 * more than `out` may hold; RC_NOMEM. `out` is as before when it fails. */
enum rc blob_take(struct str text, struct buf *out);

/* Appends "LENGTH:" and the bytes as they are; "-:" for an absent string. */
void counted_put(struct buf *out, struct str s);

/* Takes what counted_put() appended from the beginning of `text`; *out points into it. */
bool counted_take(struct str *text, struct str *out);

#endif
