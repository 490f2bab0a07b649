/* The charset of a JSON text. RFC 8259 knows UTF-8 only; what a server declares otherwise, or what is
 * UTF-16 or UTF-32 by its first bytes, is decoded, so that no text is taken for what it is not. */
#ifndef LEADPIPE_CHARSET_H
#define LEADPIPE_CHARSET_H

#include "core/base/buf.h"

#define CHARSET_NAME_MAX 31

/* The charset that a Content-Type field (RFC 9110, 8.3.1) declares, in lower case; "" where it
 * declares none, or UTF-8. What is longer than any known name is cut. Pure. */
void charset_declared(const char *content_type, char out[CHARSET_NAME_MAX + 1]);

/* Makes `body` UTF-8, which may have been declared as `name` ("": it was not):
 * - a byte order mark, or the NULs of UTF-16 and UTF-32, say more than a declaration;
 * - what is declared ISO-8859-1 or US-ASCII, and is valid UTF-8, is UTF-8: several servers add these
 *   names without being asked, and no text in them looks like UTF-8 by chance;
 * - any other known charset is decoded by iconv, strictly.
 * The result has no more than body->max bytes. Errors leave it as it was: RC_USAGE (the charset is
 * not known), RC_SYNTAX (there are bytes that the charset does not have), RC_LIMIT (too large),
 * RC_NOMEM; the text, after "the answer", says so. Any thread. */
enum rc charset_to_utf8(struct buf *body, const char *name, struct err *e);

#endif
