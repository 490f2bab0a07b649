/* Values in the binary format of COPY: each a length of four bytes (-1: null), then the value as the type's
 * receive function takes it, all in network byte order. Pure; errors stay in the buffer. */
#ifndef LEADPIPE_SINKS_POSTGRES_ENCODE_H
#define LEADPIPE_SINKS_POSTGRES_ENCODE_H

#include "core/base/buf.h"
#include "sinks/typed_rows.h"

/* numeric has 131,072 digits before the point and 16,383 behind it, also within jsonb. */
extern const struct typed_target pg_target;

void pg_put_begin(struct buf *b); /* of the data */
void pg_put_end(struct buf *b);
void pg_put_row(struct buf *b, size_t n_fields);

void pg_put_null(struct buf *b);
void pg_put_text(struct buf *b, struct str text);  /* text; valid UTF-8 without NUL */
void pg_put_integer(struct buf *b, int64_t value); /* bigint */
void pg_put_time(struct buf *b, int64_t us);       /* timestamptz, of microseconds since 1970 */
void pg_put_uuid(struct buf *b, uint64_t high, uint64_t low);
void pg_put_decimal(struct buf *b,
                    struct str digits); /* numeric, of JSON's syntax, within pg_target */

/* A cell of a table with pg_target. */
void pg_put_typed(struct buf *b, const struct typed_cell *cell);

/* The text of field `field` (from 0) of row `row` (from 1) of such data; absent: there is none. */
struct str pg_text_at(struct str data, uint64_t row, size_t field);

/* The row (from 1) that takes most of a page, where a long value is stored elsewhere. 0: there is none. */
uint64_t pg_widest_row(struct str data);

#endif
