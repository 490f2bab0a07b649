/* The undocumented columns of one CSV file, in order of their first appearance in it.
 *
 * The schema numbers columns, too, but over the whole run: there may be gaps here, where a column
 * appeared in leads only that never reached this file. */
#ifndef LEADPIPE_CSV_COLUMNS_H
#define LEADPIPE_CSV_COLUMNS_H

#include "core/base/err.h"
#include "core/lead.h"

struct csv_known; /* a column of an earlier run */

/* Zero is empty. Errors are RC_NOMEM. */
struct csv_columns {
    char **names; /* owned, each one, too */
    uint32_t n, cap;
    struct cell *slots; /* `cap` of them: one row's cells by place */
    uint32_t *places;   /* by the schema's number: place + 1, or 0 */
    uint32_t n_places;
    struct csv_known *known; /* sorted by name; what was there when the file was resumed */
    uint32_t n_known;
};

void csv_columns_free(struct csv_columns *c);

/* A copy of the name becomes the last column. */
enum rc csv_columns_add(struct csv_columns *c, struct str name);

/* The columns so far are an earlier run's: their places are found by name from now on. RC_SYNTAX:
 * two have the same name. */
enum rc csv_columns_restored(struct csv_columns *c);

/* Puts the row's extras into `slots`, adding columns that are new. */
enum rc csv_columns_fill(struct csv_columns *c, const struct row *row);
void csv_columns_clear(struct csv_columns *c, const struct row *row);

#endif
