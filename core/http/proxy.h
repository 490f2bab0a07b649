/* The proxy that requests go through, given or by the environment's variables as curl reads them
 * (https_proxy, HTTPS_PROXY, http_proxy, all_proxy, ALL_PROXY, no_proxy, NO_PROXY). */
#ifndef LEADPIPE_PROXY_H
#define LEADPIPE_PROXY_H

#include <stdbool.h>

#include "core/base/err.h"

/* [SCHEME://][USER[:PASSWORD]@]HOST[:PORT] with the schemes http, https, socks4, socks4a, socks5 and
 * socks5h. RC_USAGE with what is wrong, and no part of the text, for it may hold a password;
 * RC_NOMEM. */
enum rc proxy_check(const char *text, struct err *e);

/* The name of the variable that names the proxy for requests to `url`, or NULL: there is none, or
 * no_proxy (or NO_PROXY) leaves the host out. */
const char *proxy_variable(const char *url);

/* Checks the proxy for `url`: `given`, or where that is NULL the environment's. RC_USAGE naming
 * --proxy or the variable; RC_NOMEM. */
enum rc proxy_check_for(const char *url, const char *given, struct err *e);

/* Do requests to `url` go through a proxy? no_proxy counts for a given one, too. */
bool proxy_is_used(const char *url, const char *given);

#endif
