/* Reads the header of a CSV input: what each column is. Private to core/source. */
#ifndef LEADPIPE_IDS_COLUMNS_H
#define LEADPIPE_IDS_COLUMNS_H

#include "core/source/ids.h"

enum {
    COLUMN_IGNORED = -1,
    COLUMN_ID = -2,
};

struct ids_columns {
    int *what; /* owned: COLUMN_*, or the index of a parameter */
    size_t n;
    size_t last_used; /* index of the last one that is not ignored */
    char delimiter;
};

/* Finds out what the columns of `header` (one well-formed CSV record) are, by their names. Names are
 * case-insensitive, unless two differ only in case. *found: the ID column is among them; if not, `out` is
 * unchanged. `bad`: rc RC_OK, or why this cannot be a header (then nothing is found). RC_NOMEM. */
enum rc ids_columns_read(struct ids_columns *out, const struct ids_cfg *cfg, struct str header,
                         char delimiter, bool *found, struct err *bad, struct err *e);
void ids_columns_free(struct ids_columns *c);

/* Reports that `header` has no ID column, and names the columns that it has: always RC_USAGE. */
enum rc ids_columns_refuse(const struct ids_cfg *cfg, const char *source, struct str header,
                           char delimiter, struct err *e);

/* The names that the ID column or member may have, the best first; NULL beyond the last. */
const char *ids_name(const struct ids_cfg *cfg, size_t i);
/* Is it one of them, ignoring case? */
bool ids_is_name(const struct ids_cfg *cfg, struct str name);

/* Chooses the column or member with a given name. An exact match wins over one that differs in case; two equally good
 * matches are ambiguous (`twice`). */
struct name_choice {
    size_t at, other; /* positions, as given to name_consider() */
    bool found, exact, twice;
};
void name_consider(struct name_choice *c, struct str name, struct str wanted, size_t at);

#endif
