/* URLs of a provider: checking a server's, and filling in a template such as
 * "/leads/{id}?agentId={agentId}". */
#ifndef LEADPIPE_URL_H
#define LEADPIPE_URL_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define SERVER_URL_BYTES_MAX 8192

/* A server's URL: http or https, a host, perhaps a port and a path; no user, query or fragment.
 * RC_SYNTAX with what is wrong (no subject before it), RC_NOMEM. */
enum rc url_check(struct str url, struct err *e);

/* Is there no slash at its end, it stays; else without. */
struct str url_trim(struct str url);

/* The next piece of a template: literal text, then a name in braces (absent at the end).
 * `rest` moves on. False: braces that do not match, or a name that is none. */
bool url_template_next(struct str *rest, struct str *literal, struct str *name);

/* The whole template: begins with a slash, characters that a URL may have, "{id}" at least once.
 * RC_SYNTAX as above. */
enum rc url_template_check(struct str text, struct err *e);

/* The template of a list of leads: the same without "{id}", and the slash may be missing. */
enum rc url_list_template_check(struct str text, struct err *e);

/* Scheme, host and port of a URL, as they are written: what stands before its path. */
struct str url_origin(struct str url);

/* Appends the absolute URL of a reference (RFC 3986, section 5) that a server gave with `base`. RC_SYNTAX with what
 * is wrong: it is no http or https URL, has a user, or is of another server, which must not get the key; RC_NOMEM,
 * RC_LIMIT: of the buffer. */
enum rc url_resolve(const char *base, struct str reference, struct buf *out, struct err *e);

/* Appends all but the unreserved characters (RFC 3986, section 2.3) as %XX. */
void url_encode(struct buf *b, struct str value);

/* Does the path have a segment "." or ".."? Clients and servers resolve these. */
bool url_has_dot_segment(struct str path_and_query);

/* User and password of a URL, without the "@" behind them; absent where there is none. Of what is no
 * well-formed URL it is all that might be: up to the last "@", whatever stands before it. */
struct str url_userinfo(const char *url);

#endif
