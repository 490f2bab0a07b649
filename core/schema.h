/* Which undocumented columns there are, in order of first appearance.
 *
 * One thread resolves leads in the order in which they go to the sinks; so the same IDs give the
 * same columns. Columns never change or move once made: other threads read them through the leads
 * that they are handed.
 *
 * A name longer than 512 bytes is cut; what then clashes gets its "_n" as other names do. */
#ifndef LEADPIPE_SCHEMA_H
#define LEADPIPE_SCHEMA_H

#include "lead.h"
#include "profile.h"

#define SCHEMA_COLUMNS_MAX 65536 /* undocumented columns of one table; beyond: the lead fails */

struct schema;

/* The profile must outlive it. RC_NOMEM. */
enum rc schema_new(struct schema **out, const struct profile *p);
void schema_free(struct schema *s);

/* Sets `column` of every extra of the lead. On failure nothing was added. RC_LIMIT: too many
 * columns, or their keys too long; RC_NOMEM. */
enum rc schema_resolve(struct schema *s, struct lead *lead, struct err *e);

/* Makes the column for a source, as it was made in an earlier run: those of a table in their order
 * then. Before the first lead; a scope that the profile has not is RC_SYNTAX. RC_LIMIT, RC_NOMEM. */
enum rc schema_restore(struct schema *s, size_t table, const struct source *source, struct err *e);

/* The undocumented columns of a table so far; sinks have them from the rows. */
size_t schema_columns(const struct schema *s, size_t table);
const struct column *schema_column(const struct schema *s, size_t table, size_t index);

#endif
