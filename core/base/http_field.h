/* Fields of an HTTP request that only the program itself may set (RFC 9110, 9112 and 9113): what frames the
 * message, belongs to one connection, or says what the program does with a body. A field given by somebody
 * else would contradict it: the receiver would take another body, or the rest of it for a request. */
#ifndef LEADPIPE_HTTP_FIELD_H
#define LEADPIPE_HTTP_FIELD_H

#include <stdbool.h>

/* Who sets it. */
enum http_field_owner {
    HTTP_FIELD_ANYONE,  /* also the user */
    HTTP_FIELD_PROGRAM, /* code that makes or reads the body: Accept-Encoding, Content-Encoding */
    HTTP_FIELD_ENGINE,  /* the HTTP engine and libcurl alone */
};

/* `name` in any case. *why, where it is not anyone's: the end of a sentence whose subject is the field, such
 * as "is taken from the URL". `why` may be NULL. */
enum http_field_owner http_field_owner(const char *name, const char **why);

/* Is it a name at all: a token (RFC 9110 section 5.6.2)? */
bool http_field_is_name(const char *name);

#endif
