/* What the digits of a JSON number are worth, where nothing is lost: as 64-bit integers, doubles and
 * decimals. Pure; the locale has no say; any thread. `digits` is of JSON's number syntax (RFC 8259). */
#ifndef LEADPIPE_NUMBER_H
#define LEADPIPE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

enum number_kind {
    NUMBER_UINT,  /* a whole number from 0, written without point and exponent */
    NUMBER_INT,   /* the same below 0 */
    NUMBER_FLOAT, /* a double whose shortest decimal form is the same number, sign of 0 included */
    NUMBER_TEXT,  /* none of these is exact: only the digits are */
};

struct number {
    enum number_kind kind;
    union {
        uint64_t u;
        int64_t i;
        double d;
    } v;
};

/* What is not of that syntax gives NUMBER_TEXT. */
struct number number_of(struct str digits);

/* Is the whole text a JSON number: no blank around it, no "+", no zero before other digits? */
bool number_is_json(struct str text);

/* The double whose shortest decimal form is the same number; false: there is none. "-0" is -0.0. */
bool number_to_double(struct str digits, double *out);

/* The number times 10^scale (0 to 18), where that is a whole number of 64 bits: for scale 0 "1.0" and
 * "1e2" are 1 and 100, "1.5" and "1e19" are none. "-0" is 0. */
bool number_to_scaled(struct str digits, unsigned scale, int64_t *out);

/* How long it is when written out without an exponent. */
struct number_extent {
    int64_t whole;    /* digits before the point, without leading zeros: of "0.5" 0, of "1e3" 4 */
    int64_t fraction; /* digits behind it, trailing zeros counted: of "1.50" 2, of "1e-3" 3 */
    int64_t exponent; /* as written; one beyond 10^15 is only some number beyond it */
};

struct number_extent number_extent(struct str digits);

#endif
