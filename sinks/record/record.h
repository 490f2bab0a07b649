/* From a lead to records: which members an object has and in which order, for every encoding.
 *
 *   lead  one object a lead: the columns that every row begins with (profile->key_columns), those of
 *         the first table, then each child table as an array of its rows without the former
 *   rows  one object a row: _table, then all columns
 *   table the same without _table: for a file of one table's rows
 *   raw   {"provider", "lead_id", "payload"}: the whole body as received, expiring URLs and all; as
 *         JSON its own bytes, blanks between tokens aside
 *
 * Documented columns come first, the others follow in the order in which the run met them. A column
 * that the payload does not have is left out; null is null; a table without rows is an empty array.
 */
#ifndef LEADPIPE_RECORD_H
#define LEADPIPE_RECORD_H

#include "core/base/buf.h"
#include "core/lead.h"
#include "core/provider/profile.h"
#include "sinks/record/encoding.h"
#include "sinks/run_columns.h"

enum record_layout { LAYOUT_LEAD, LAYOUT_ROWS, LAYOUT_RAW, LAYOUT_TABLE };

/* What is prepared once for a profile, an encoding and a layout. One thread at a time. */
struct record_writer;

struct record_cfg {
    const struct profile *profile;
    const struct encoding *encoding;
    enum record_layout layout;
    const struct run_columns *run; /* what every record ends with; NULL: nothing */
};

/* What `cfg` points to must live as long. RC_NOMEM. */
enum rc record_writer_new(struct record_writer **out, const struct record_cfg *cfg, struct err *e);
void record_writer_free(struct record_writer *w); /* may be NULL */

/* Appends the lead's one object to `b`, with nothing behind it. For LAYOUT_LEAD and LAYOUT_RAW. RC_NOMEM and
 * RC_LIMIT stick in `b`. */
void record_write_object(struct record_writer *w, struct buf *b, const struct lead *lead);

/* Appends all records of the lead, each with the encoding's end, and returns how many; for LAYOUT_TABLE
 * those of one table. Errors as above. */
size_t record_write(struct record_writer *w, struct buf *b, const struct lead *lead);
size_t record_write_table(struct record_writer *w, struct buf *b, const struct lead *lead,
                          size_t table);

/* What of a lead is needed: of enum sink_wants. */
unsigned record_wants(const struct encoding *encoding, enum record_layout layout);

#endif
