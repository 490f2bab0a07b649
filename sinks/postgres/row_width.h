/* How much of a page a row takes: one that does not fit into a page cannot be stored. PostgreSQL's
 * documentation, "Database Page Layout" and "TOAST". */
#ifndef LEADPIPE_SINKS_POSTGRES_ROW_WIDTH_H
#define LEADPIPE_SINKS_POSTGRES_ROW_WIDTH_H

#include "core/lead.h"

#define PG_ROW_BYTES_MAX 8160 /* of a row in a page of 8 KiB */

/* What a value of that many bytes takes, where long ones are stored elsewhere. */
size_t pg_stored_bytes(size_t len);

/* Can a row of a table with that many columns be stored? `n_documented`: of row->cells. An estimate, which
 * takes a documented column for a few bytes more than it may need, so that no row that it accepts is refused. */
bool pg_row_fits(const struct row *row, size_t n_documented, size_t n_columns);

#endif
