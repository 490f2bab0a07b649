/* What the message says of a redirect, which is not followed. Any thread. Private to core/http. */
#ifndef LEADPIPE_REDIRECT_H
#define LEADPIPE_REDIRECT_H

#include <stddef.h>

/* Where the answer to a request for `url` sends to by its Location field `location`: the whole
 * target but for user, password, query and fragment, and what is striking about it in parentheses
 * (https instead of http, a slash more or less, a login page). One line of valid UTF-8, cut where it
 * does not fit; "" where the target is no URL or memory is out. */
void redirect_describe(const char *url, const char *location, char *out, size_t size);

#endif
