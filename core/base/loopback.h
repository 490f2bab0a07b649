/* Is a URL's host this machine? Plain http to any other needs the user's word. */
#ifndef LEADPIPE_LOOPBACK_H
#define LEADPIPE_LOOPBACK_H

#include <stdbool.h>

/* "localhost" and names below it, 127.0.0.0/8, ::1 (also as an IPv4-mapped address). False for what
 * is no URL. Looks nothing up. */
bool url_is_loopback(const char *url);

/* Is its host an address, and not a name? */
bool url_has_address(const char *url);

/* Must requests to `url` go past any proxy? Plain http to this machine: a proxy would see the key,
 * which is why it needs no --allow-http. With that, `allow_http`, it is as any other. */
bool url_bypasses_proxy(const char *url, bool allow_http);

/* Is the scheme http, not https? */
bool url_is_plain_http(const char *url);

#endif
