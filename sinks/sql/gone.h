/* Leads that the tables hold and the provider does not have any more: the statements that count, mark and
 * delete them. Text only; they run in the transaction of the merge, the counts before anything is written.
 * In all of them "t" is a row of a table and "l" a lead that is gone. */
#ifndef LEADPIPE_SINKS_SQL_GONE_H
#define LEADPIPE_SINKS_SQL_GONE_H

#include "core/base/units.h"
#include "sinks/sql/merge.h"

struct sql_gone {
    const struct sql_merge *leads; /* of the table of the leads themselves, but to delete: of any */
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

/* What becomes of them in a table; nothing where they stay as they are. `of_leads`: it is the table of the
 * leads themselves, where they are marked with the time `started` (as the database writes it); that needs a
 * column of marks. A row that is marked is written by this run, and says so. Gives the step that the rows
 * count in. */
enum sql_merge_step sql_gone_step(struct buf *b, const struct sql_gone *g, enum sql_deletes deletes,
                                  bool of_leads, const char *started);

/* Sets out->gone_allowed, of out->held. `max_gone` NULL: any number, as it was decided before. */
void sql_gone_limit(struct sql_outcome *out, enum sql_deletes deletes,
                    const struct portion *max_gone);

#endif
