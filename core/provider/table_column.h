/* All columns that a table has whatever the payloads are, in their order: those that every row begins
 * with, then the documented ones. For whatever lists, creates or fills tables. */
#ifndef LEADPIPE_TABLE_COLUMN_H
#define LEADPIPE_TABLE_COLUMN_H

#include "core/provider/profile.h"

struct table_column {
    struct str name; /* the profile's */
    enum column_type type;
    bool is_key;                    /* with the others no two rows have the same: table_has_key() */
    const struct column_spec *spec; /* NULL: one of profile->key_columns */
};

/* What rows end with, behind the undocumented columns: values that do not fit their column's type, as
 * JSON, where columns have types; and where it is asked for, or in databases, when the run that wrote the
 * row began, and its run_id. No column of a profile or a payload can be called so. */
extern const struct table_column column_misfits, column_exported_at, column_run_id;

size_t table_columns(const struct profile *p, const struct table_spec *t);

/* The i-th of them. */
struct table_column table_column(const struct profile *p, const struct table_spec *t, size_t i);

/* Does the profile give the position of a row for every "*" of the table's `each`? Else nothing keeps
 * its rows apart, and it has no key. */
bool table_has_key(const struct table_spec *t);

#endif
