/* How values become bytes: JSON or MessagePack. Tables of functions that append to a buffer; what
 * is written in which order is decided in record.c. Stateless: any thread. */
#ifndef LEADPIPE_ENCODING_H
#define LEADPIPE_ENCODING_H

#include "core/base/buf.h"
#include "core/lead.h"

struct encoding {
    char separator; /* between members and between elements; 0: none */
    char end;       /* after every record; 0: none */

    /* A map of `n` members: for each, name() and then a value. */
    void (*map_begin)(struct buf *b, size_t n);
    void (*map_end)(struct buf *b);
    void (*array_begin)(struct buf *b, size_t n);
    void (*array_end)(struct buf *b);

    void (*name)(struct buf *b, struct str name);
    void (*text)(struct buf *b, struct str utf8);
    void (*cell)(struct buf *b, const struct cell *c); /* not CELL_ABSENT */
    /* Any JSON value. NULL where it is written as its JSON text. */
    void (*value)(struct buf *b, const cJSON *value);
};

/* Numbers keep their digits. */
extern const struct encoding encoding_json;

/* Whole numbers that fit 64 bits in their shortest form; other numbers as float64 where that is
 * exact (number.h), else their digits as text. */
extern const struct encoding encoding_msgpack;

#endif
