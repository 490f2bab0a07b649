/* Times as RFC 3339 writes them. Pure; any thread. */
#ifndef LEADPIPE_RFC3339_H
#define LEADPIPE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

/* The first and the last microsecond of the years 1 to 9999, since 1970-01-01T00:00:00Z. */
#define TIME_YEAR_1_US INT64_C(-62135596800000000)
#define TIME_YEAR_9999_END_US INT64_C(253402300799999999)

/* A date-time of RFC 3339, section 5.6, as microseconds since 1970-01-01T00:00:00Z: the years 0000 to
 * 9999, "T", "t" or a blank before the time, an offset ("Z", "z", "+01:00"; "-00:00" is UTC).
 *
 * False, for it is no such time: a date alone, no seconds, no offset, a blank around it, a day that
 * the month has not. False, for there is no such microsecond: a leap second (23:59:60), and a fraction
 * with other digits than 0 behind the sixth. */
bool rfc3339_parse(struct str text, int64_t *out_us);

#endif
