/* Thrift's compact protocol, as much of it as the metadata of Parquet needs:
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 *
 * Fields of a struct are written in the order of their ids. Errors stick in the buffer. */
#ifndef LEADPIPE_PARQUET_THRIFT_H
#define LEADPIPE_PARQUET_THRIFT_H

#include "core/base/buf.h"

#define THRIFT_DEPTH_MAX 8

enum thrift_type {
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_BINARY = 8,
    THRIFT_STRUCT = 12,
};

struct thrift {
    struct buf *out;
    int last_id[THRIFT_DEPTH_MAX]; /* of the structs that are open, outermost first */
    unsigned depth;
};

/* Begins a struct that is no field: the message itself, or an element of a list. */
void thrift_begin(struct thrift *t);
/* Ends the struct that was begun last, of either kind. */
void thrift_end(struct thrift *t);

void thrift_bool(struct thrift *t, int id, bool value);
void thrift_i32(struct thrift *t, int id, int32_t value);
void thrift_i64(struct thrift *t, int id, int64_t value);
void thrift_binary(struct thrift *t, int id, struct str value);
void thrift_struct(struct thrift *t, int id);
/* `n` elements follow, each with one of the functions below; a struct with thrift_begin(). */
void thrift_list(struct thrift *t, int id, enum thrift_type type, size_t n);
void thrift_element_i32(struct thrift *t, int32_t value);
void thrift_element_binary(struct thrift *t, struct str value);

/* An unsigned number in groups of seven bits, the lowest first (ULEB128). */
void thrift_varint(struct buf *out, uint64_t value);

#endif
