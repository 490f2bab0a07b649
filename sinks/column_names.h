/* The names of a file's columns, in order: for the manifest. */
#ifndef LEADPIPE_COLUMN_NAMES_H
#define LEADPIPE_COLUMN_NAMES_H

#include "core/provider/profile.h"

/* Zero is empty. The texts are not owned. Errors are RC_NOMEM. */
struct column_names {
    struct str *items;
    size_t n, cap;
};

void column_names_free(struct column_names *c);

enum rc column_names_add(struct column_names *c, struct str name);
/* What every row begins with. */
enum rc column_names_add_keys(struct column_names *c, const struct profile *p);
/* The documented columns of a table. */
enum rc column_names_add_columns(struct column_names *c, const struct table_spec *table);
/* Both. */
enum rc column_names_add_documented(struct column_names *c, const struct profile *p,
                                    const struct table_spec *table);

#endif
