/* What `do` of a destination makes of a text. Pure; any thread; the locale has no say.
 *
 *   trim        without white space at both ends: Unicode's White_Space, and the invisible U+200B and U+FEFF
 *   lower upper of every character on its own, as case_map.h says
 *   digits      0 to 9; all else is left out
 *   e164        a phone number as "+", country code and number (ITU-T E.164): blanks, - . / ( ) between the
 *               digits go, and so does a "(0)" behind a country code. Without "+", or "00" in its place, it is
 *               a national number, and the country must be given, e164:+49: then a first 0 goes (not with +39,
 *               where it belongs to the number). With +1 and +7 it has 10 digits; a 1 or 8 before them goes.
 *   date        YYYY-MM-DD of an RFC 3339 time, as its own offset has it; a date stays as it is
 *   epoch_s     seconds or milliseconds from 1970-01-01T00:00:00Z to an RFC 3339 time, what is less is cut
 *   epoch_ms    off towards the past
 *   first:N     the first N characters (code points)
 *
 * An empty text stays empty in all of them: `required` and `default` are for that. */
#ifndef LEADPIPE_TRANSFORM_H
#define LEADPIPE_TRANSFORM_H

#include "core/base/buf.h"

enum transform_kind {
    DO_TRIM,
    DO_LOWER,
    DO_UPPER,
    DO_DIGITS,
    DO_E164,
    DO_DATE,
    DO_EPOCH_S,
    DO_EPOCH_MS,
    DO_FIRST,
};

struct transform {
    enum transform_kind kind;
    uint32_t n; /* of first:N, at least 1; of e164 the country code, 0: none */
};

#define TRANSFORM_FIRST_MAX 1000000
#define TRANSFORMS_TEXT                                                                            \
    "trim, lower, upper, digits, e164, e164:+1, date, epoch_s, epoch_ms, first:N"

/* As a destination writes it. False: `text` names none. */
bool transform_parse(struct str text, struct transform *out);

/* Its name without what is behind the colon. */
const char *transform_name(enum transform_kind kind);

/* Is what it makes a number, if the text is not empty? */
bool transform_makes_number(enum transform_kind kind);

/* Appends what becomes of `in`, valid UTF-8 that is not in `out`. NULL, or the end of a sentence that begins
 * with the text: "is not a time ...". Errors of memory stick in the buffer. */
const char *transform_apply(const struct transform *t, struct str in, struct buf *out);

#endif
