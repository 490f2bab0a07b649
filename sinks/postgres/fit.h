/* Columns of a table that have another type than ours: what a value becomes there. */
#ifndef LEADPIPE_SINKS_POSTGRES_FIT_H
#define LEADPIPE_SINKS_POSTGRES_FIT_H

#include "sinks/postgres/catalog.h"

enum pg_fit {
    PG_FIT_SAME, /* the staged value itself */
    PG_FIT_TEXT, /* its text: anything fits */
    PG_FIT_JSON, /* as json: anything fits */
    PG_FIT_PARSED, /* text as json: an object or an array as such, all else as a string: a function makes it */
    PG_FIT_FUNCTION, /* what a function makes of its text; null where it does not fit exactly */
};

bool pg_column_is_text(const struct pg_column *c);                   /* of any length */
bool pg_column_is(const struct pg_column *c, enum column_type type); /* exactly our type */

/* `has`: of the table, NULL: it will be as it is staged; `from`: of the staging table. */
enum pg_fit pg_fit_of(const struct pg_column *has, const struct pg_column *from);

/* May there be values that do not fit? */
bool pg_fit_may_refuse(enum pg_fit fit, const struct pg_column *has);

/* Appends the value of s.STAGED for that column; function number `n` of table number `table`. */
void pg_fit_put(struct buf *b, enum pg_fit fit, const char *staged, const struct pg_column *has,
                size_t table, unsigned n);

/* Makes that function, if the fit has one; it lasts as long as the connection. It takes no value that it would have to
 * change: a fraction for an integer, too many digits or characters, a time for a date, a "yes", "now". */
enum rc pg_fit_make(struct pg_link *l, enum pg_fit fit, const struct pg_column *has, size_t table,
                    unsigned n, struct err *e);

#endif
