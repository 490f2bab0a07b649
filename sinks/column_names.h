/* The names of a file's columns, in order: for the manifest. */
#ifndef LEADPIPE_COLUMN_NAMES_H
#define LEADPIPE_COLUMN_NAMES_H

#include "core/profile.h"
#include "core/schema.h"
#include "record.h"

/* Zero is empty. The texts are not owned. Errors are RC_NOMEM. */
struct column_names {
    struct str *items;
    size_t n, cap;
};

void column_names_free(struct column_names *c);

enum rc column_names_add(struct column_names *c, struct str name);
/* The first columns of every row, and the documented ones of a table. */
enum rc column_names_add_documented(struct column_names *c, const struct table_spec *table);

/* The members that a record of this layout can have: of `lead` those of the object itself, of `rows`
 * those of all tables together, none twice. `schema` may be NULL: no undocumented ones. */
enum rc column_names_add_record(struct column_names *c, const struct profile *p,
                                const struct schema *schema, enum record_layout layout);

#endif
