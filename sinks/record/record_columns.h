/* Which members the records of a file can have, for the manifest. */
#ifndef LEADPIPE_RECORD_COLUMNS_H
#define LEADPIPE_RECORD_COLUMNS_H

#include "sinks/column_names.h"
#include "core/flatten/schema.h"
#include "sinks/record/record.h"

/* Appends the members that a record of this layout can have: of `lead` those of the object itself, of
 * `rows` those of all tables together, none twice, of LAYOUT_TABLE those of `table`. `schema` may be
 * NULL: no undocumented ones. The texts are not owned. RC_NOMEM. */
enum rc record_column_names(struct column_names *c, const struct profile *p,
                            const struct schema *schema, enum record_layout layout, size_t table);

#endif
