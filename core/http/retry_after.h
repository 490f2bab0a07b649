/* The Retry-After field of an answer (RFC 9110, 10.2.3), also in forms that no standard knows but
 * that have one meaning only. Pure. */
#ifndef LEADPIPE_RETRY_AFTER_H
#define LEADPIPE_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

#define RETRY_AFTER_US_MAX INT64_C(3155760000000000) /* 100 years: what is longer counts as this */

/* An HTTP-date in any of its three forms (RFC 9110, 5.6.7), in any case, also with UTC or an offset
 * such as +0100 for GMT; or a date and time of ISO 8601 with its zone. False: it is none. */
bool http_date_parse(struct str text, int64_t *out_wall_ms);

/* `value` is the field's value:
 *   a number of seconds, perhaps with a fraction or a unit (20, 20.0, 20s, 2 minutes); of several
 *   with commas between them the longest counts;
 *   a duration of ISO 8601 up to hours (PT20S);
 *   a date as above, or the seconds or milliseconds since 1970 of a time within a year of now.
 *
 * A date is taken relative to `date`, the value of the same answer's Date field (absent where there
 * was none), so that it does not matter which of the two clocks is wrong; where that is none,
 * relative to `wall_ms`. A date in the past is 0. False: the value says nothing. */
bool retry_after_parse(struct str value, struct str date, int64_t wall_ms, int64_t *out_us);

#endif
