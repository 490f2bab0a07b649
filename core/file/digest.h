/* SHA-256 of a file while it is written, which a later run can continue where it cannot read back what
 * was written. */
#ifndef LEADPIPE_DIGEST_H
#define LEADPIPE_DIGEST_H

#include <stdbool.h>

#include "core/base/buf.h"

#define DIGEST_CHARS 64

struct digest;

struct digest *digest_new(void);    /* NULL: out of memory */
void digest_free(struct digest *d); /* may be NULL */
void digest_add(struct digest *d, const void *p, size_t n);
/* Hexadecimal. Nothing may be added afterwards. */
void digest_end(struct digest *d, char out[DIGEST_CHARS + 1]);

/* Appends its state: letters, digits and dots. */
void digest_put(const struct digest *d, struct buf *out);
/* False: digest_put() did not write that. */
bool digest_take(struct digest *d, struct str text);

#endif
