/* Leads that the tables hold and the provider does not have any more: the statements that count, mark and
 * delete them. Text only; they run in the transaction of the merge, the counts before anything is written.
 * In all of them "t" is a row of a table and "l" a lead that is gone. */
#ifndef LEADPIPE_SINKS_SQL_GONE_H
#define LEADPIPE_SINKS_SQL_GONE_H

#include "core/base/units.h"
#include "sinks/sql/merge.h"

struct sql_gone {
    const struct sql_merge *leads; /* of the table of the leads themselves */
    struct str
        keys; /* the keys of leads that are gone, as SQL: a table with columns named as staged keys */
    struct str provider;   /* whose leads they are: those of others are not counted */
    struct str deleted_at; /* the column of marks, without quotes; absent: the table has none */
    bool has_history;      /* a lead may have several rows: those of several runs */
};

/* Counts the leads of the provider that the table holds, without marked ones. */
void sql_gone_count_held(struct buf *b, const struct sql_gone *g);

/* Counts those of them that are gone. */
void sql_gone_count(struct buf *b, const struct sql_gone *g);

/* Marks them: `at` is the time, as SQL. A row that is marked is written by this run, and says so. Needs a
 * column of marks. */
void sql_gone_mark(struct buf *b, const struct sql_gone *g, struct str at);

/* Deletes all rows of the leads whose keys are in `keys` (as SQL) from any table. */
void sql_gone_delete(struct buf *b, const struct sql_merge *m, struct str keys);

/* Sets out->gone_allowed, of out->held. `max_gone` NULL: any number, as it was decided before. */
void sql_gone_limit(struct sql_outcome *out, enum sql_deletes deletes,
                    const struct portion *max_gone);

#endif
