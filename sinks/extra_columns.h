/* The undocumented columns of one file or table, in order of their first appearance in it.
 *
 * The schema numbers columns, too, but over the whole run: there may be gaps here, where a column
 * appeared in leads only that never reached this sink. */
#ifndef LEADPIPE_EXTRA_COLUMNS_H
#define LEADPIPE_EXTRA_COLUMNS_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/lead.h"

struct extra_known; /* a column of an earlier run */

/* Zero is empty. Errors are RC_NOMEM. */
struct extra_columns {
    char **names; /* owned, each one, too */
    uint32_t n, cap;
    struct cell *slots; /* `cap` of them: one row's cells by position */
    const struct column *
        *origin;         /* by position, too: the schema's; NULL: of a mark, and not met since */
    uint32_t *positions; /* by the schema's number: position + 1, or 0 */
    uint32_t n_positions;
    struct extra_known *known; /* sorted by name; what was there when the run was resumed */
    uint32_t n_known;
};

void extra_columns_free(struct extra_columns *c);

/* Appends the names to a mark: "NAME,NAME,". Errors stick in `out`. */
void extra_columns_mark(const struct extra_columns *c, struct buf *out);

/* The columns so far are those of such a text; their positions are found by name from now on. RC_SYNTAX:
 * it is damaged. */
enum rc extra_columns_restore(struct extra_columns *c, struct str names);

/* The position of a column, which is added if it is new. */
enum rc extra_columns_position(struct extra_columns *c, const struct column *column,
                               uint32_t *position);

/* Puts the row's extras into `slots`, adding columns that are new. */
enum rc extra_columns_fill(struct extra_columns *c, const struct row *row);
void extra_columns_clear(struct extra_columns *c, const struct row *row);

#endif
