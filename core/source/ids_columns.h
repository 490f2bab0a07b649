/* The header of a csv input: what its columns are. Private to core/source. */
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

/* Finds out what the columns of `header` (one well-formed csv record) are, by their names, in which
 * case does not matter unless two differ in it alone. *found: the ID column is among them; else
 * `out` is not touched. `bad`: rc RC_OK, or what makes it no header (then nothing is found).
 * RC_NOMEM. */
enum rc ids_columns_read(struct ids_columns *out, const struct ids_cfg *cfg, struct str header,
                         char delimiter, bool *found, struct err *bad, struct err *e);
void ids_columns_free(struct ids_columns *c);

/* RC_USAGE: `header` has not got the ID column; names those that it has. */
enum rc ids_columns_refuse(const struct ids_cfg *cfg, const char *source, struct str header,
                           char delimiter, struct err *e);

/* The names that an ID may have, best first; NULL beyond the last. */
const char *ids_name(const struct ids_cfg *cfg, size_t i);
/* Is it one of them, whatever the case? */
bool ids_is_name(const struct ids_cfg *cfg, struct str name);

/* Which of several columns or members has a name. One that is the same byte for byte is better than
 * one that differs in case; two that are alike are one too many. */
struct name_choice {
    size_t at, other; /* as given to name_consider() */
    bool found, exact, twice;
};
void name_consider(struct name_choice *c, struct str name, struct str wanted, size_t at);

#endif
