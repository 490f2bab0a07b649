/* A JSON number's digits as a 64-bit value, where that loses nothing. Pure; any thread. */
#ifndef LEADPIPE_NUMBER_H
#define LEADPIPE_NUMBER_H

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

/* `digits` is of JSON's number syntax (RFC 8259); what is not gives NUMBER_TEXT. */
struct number number_of(struct str digits);

#endif
