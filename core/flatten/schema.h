/* Which undocumented columns there are, in order of first appearance, and what becomes of values
 * when a table has as many columns as it may.
 *
 * The keys and documented columns are always there, and the last column is not given to an origin:
 * what finds no column goes, row by row, into a JSON object in the column "other_members", which is
 * made when it is needed first. A pivot's value does not, where a table has a row for each of the
 * pivot's elements: it is there already. Origins that have a column keep it.
 *
 * One thread resolves leads in the order in which they go to the sinks; so the same IDs give the
 * same columns. Columns never change or move once made: other threads read them through the leads
 * that they are handed.
 *
 * A name longer than 512 bytes is cut; what then clashes gets its "_n" as other names do. */
#ifndef LEADPIPE_SCHEMA_H
#define LEADPIPE_SCHEMA_H

#include "core/lead.h"
#include "core/provider/profile.h"

#define SCHEMA_COLUMNS_MAX 65536 /* of one table; no maximum may be more */
#define SCHEMA_OTHER_MEMBERS "other_members"

struct schema;

/* `max_columns`: of each table, 1 to SCHEMA_COLUMNS_MAX. The profile must outlive it. RC_NOMEM. */
enum rc schema_new(struct schema **out, const struct profile *p, size_t max_columns);
void schema_free(struct schema *s);

/* Sets `column` of every extra of the lead. Extras for which there is no column are taken out of their
 * rows, gathered in one that is put in, and counted (lead->codes_beyond, members_beyond). On failure
 * nothing was added. RC_LIMIT: of the lead's arena; RC_NOMEM. */
enum rc schema_resolve(struct schema *s, struct lead *lead, struct err *e);

/* Makes the column for an origin, as it was made in an earlier run: those of a table in their order
 * then. Before the first lead; a scope that the profile has not is RC_SYNTAX. RC_LIMIT: more than
 * there may be; RC_NOMEM. */
enum rc schema_restore(struct schema *s, size_t table, const struct column_origin *origin,
                       struct err *e);

/* The column of an origin, which is made if there is none: as schema_resolve() would with a lead. Errors as
 * schema_restore()'s. */
enum rc schema_add(struct schema *s, size_t table, const struct column_origin *origin,
                   const struct column **out, struct err *e);

/* The undocumented columns of a table so far; sinks have them from the rows. */
size_t schema_columns(const struct schema *s, size_t table);
const struct column *schema_column(const struct schema *s, size_t table, size_t index);

#endif
