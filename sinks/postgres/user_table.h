/* Tables that were in the database before the sink came: can they be used, and how? */
#ifndef LEADPIPE_SINKS_POSTGRES_USER_TABLE_H
#define LEADPIPE_SINKS_POSTGRES_USER_TABLE_H

#include "sinks/postgres/catalog.h"

/* How the column of a source is staged, given what the table has (NULL: nothing): as its own type, as text,
 * or as json where the table's type is another one. RC_USAGE: it cannot be used at all. */
enum rc pg_staged_type(const struct pg_place *p, const struct sql_relation *r, size_t column,
                       const struct pg_column *has, const char *spec, enum column_type *out,
                       struct err *e);

/* Can the table be written to by our keys? One that is not there can. RC_USAGE says why not. */
enum rc pg_check_table(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                       struct pg_link *l, struct err *e);

/* What is known before the first lead of what would fail at the end. RC_IO: the role may not write, or not add
 * the columns that are missing. Warns of columns that nobody may come to fill. */
enum rc pg_check_end(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                     struct pg_link *l, struct err *e);

#endif
