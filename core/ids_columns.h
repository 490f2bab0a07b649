/* The header of a csv input: what its columns are. Private to core/ids*.c. */
#ifndef LEADPIPE_IDS_COLUMNS_H
#define LEADPIPE_IDS_COLUMNS_H

#include "ids.h"

enum {
    COLUMN_IGNORED = -1,
    COLUMN_ID = -2,
};

struct ids_columns {
    int *what; /* owned: COLUMN_*, or the index of a parameter */
    size_t n;
    char delimiter;
};

/* Finds the names by which the columns of `header` (one csv record) are known, with a comma or
 * else a tab between them. *found: the ID column is among them; else `out` is not touched.
 * RC_NOMEM. */
enum rc ids_columns_read(struct ids_columns *out, const struct ids_cfg *cfg, struct str header,
                         char delimiter, bool *found, struct err *e);
void ids_columns_free(struct ids_columns *c);

/* RC_USAGE: `header` has not got the ID column; names those that it has. */
enum rc ids_columns_refuse(const struct ids_cfg *cfg, const char *source, struct str header,
                           char delimiter, struct err *e);

/* The names that an ID may have, best first; NULL beyond the last. */
const char *ids_name(const struct ids_cfg *cfg, size_t i);
/* Is it one of them? */
bool ids_is_name(const struct ids_cfg *cfg, struct str name);

/* Index of a parameter, or COLUMN_IGNORED. */
int ids_param(const struct ids_cfg *cfg, struct str name);

#endif
