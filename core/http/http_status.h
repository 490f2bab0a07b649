/* What the status of an answer means, with what else its head says of it (RFC 9110, 6585). Pure. */
#ifndef LEADPIPE_HTTP_STATUS_H
#define LEADPIPE_HTTP_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/http/origin.h"

/* 408, 425, 429, 500, 502, 503, 504, 520 to 524, 529, 530, 599. */
bool http_status_retryable(int status);

/* The server serves no more for now: 429, and a 403 that says when to come again (Retry-After).
 * Such a 403 does not refuse the credentials, and is tried again. */
bool http_status_is_limit(int status, bool has_retry_after);

/* The credentials are refused: 401, and a 403 that is no limit. */
bool http_status_is_refusal(int status, bool is_limit);

/* Is it one at whose Retry-After every request waits? 503, 529, and a limit. */
bool http_status_may_hold(int status);

/* Sends to another address: 301, 302, 303, 307, 308, and any other 3xx that names one; never 304. */
bool http_status_is_redirect(int status, bool has_target);

/* For the limiter: the server has too much to do. */
bool http_status_is_congestion(int status);

/* How a try ended for the origin; `retry_after_us` 0: none was understood. */
enum try_end http_status_end(int status, bool is_limit, int64_t retry_after_us);

#endif
