/* What thrift.h writes, read back: the fields of structs, in any order, others skipped. The bytes may be anything: an error
 * sticks in `bad`, and then there are no more fields. */
#ifndef LEADPIPE_PARQUET_THRIFT_READ_H
#define LEADPIPE_PARQUET_THRIFT_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

struct thrift_in {
    struct str text; /* what is left */
    bool bad;
};

struct thrift_field { /* zero: before the first one of a struct */
    int id;
    unsigned type;
};

/* The next field of a struct; false: it has ended. Its value must be read, or skipped, before the next. */
bool thrift_next(struct thrift_in *in, struct thrift_field *f);
int64_t thrift_read_int(struct thrift_in *in);
struct str thrift_read_binary(struct thrift_in *in);
/* Of a field that is a list: how many elements follow, at most as many as there are bytes left. */
uint64_t thrift_read_list(struct thrift_in *in);
void thrift_skip(struct thrift_in *in, const struct thrift_field *f);

#endif
