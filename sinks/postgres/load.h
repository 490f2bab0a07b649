/* The rows of a run on their way into staging tables, which belong to the run and nobody else reads:
 * gathered in memory, and sent as parts. A part is one transaction, and has a number; which was the last
 * one stands in _leadpipe_runs and, beside the rows, in a table of the staging tables' own kind.
 *
 * Staging tables are unlogged, but for those that are to become the tables (adopt.h), and the one with the second
 * number always is: a crash of the server empties it, which is how that is found out. One thread at a time. */
#ifndef LEADPIPE_SINKS_POSTGRES_LOAD_H
#define LEADPIPE_SINKS_POSTGRES_LOAD_H

#include "sinks/postgres/runs.h"
#include "sinks/postgres/spool.h"
#include "sinks/typed_rows.h"

struct pg_load_table {
    struct typed_table *typed; /* owned */
    struct typed_table_cfg cfg;
    struct buf rows;    /* in the format of COPY */
    uint64_t n_rows;    /* in it */
    uint64_t total;     /* rows of all parts */
    size_t n_columns;   /* that the rows have: what is known, and some more, which are null */
    size_t n_made;      /* that the staging table has */
    size_t n_described; /* that the staging table of columns says of */
};

struct pg_load {
    const struct pg_place *place;
    const struct profile *profile;
    struct pg_link *link;
    struct pg_load_table *tables; /* owned; one for each of the profile's, and PG_LOAD_GONE */
    size_t n_tables;
    struct pg_run run; /* what was loaded */
    uint64_t leads;    /* in the part at hand */
    bool resumable;
    struct pg_spool spool;
    size_t rows_max; /* of a part */
};

/* `mark`: what pg_load_mark() appended in an earlier run, or absent. RC_SYNTAX: it is damaged; RC_NOMEM. */
enum rc pg_load_new(struct pg_load *load, const struct pg_place *place, const struct profile *p,
                    struct pg_link *link, struct str mark, struct err *e);
void pg_load_free(struct pg_load *load);

/* Makes empty staging tables, in place of any that are there. */
enum rc pg_load_create(struct pg_load *load, struct err *e);

/* Goes on after the mark: takes out what was loaded behind it. RC_USAGE: the staging tables are not
 * there, or were emptied. */
enum rc pg_load_resume(struct pg_load *load, struct err *e);

/* Adds the rows of a lead, and sends what is there when it is enough. */
enum rc pg_load_put(struct pg_load *load, const struct lead *lead, struct err *e);

/* False: a row of the lead would take more than a page has room for. */
bool pg_load_fits(const struct pg_load *load, const struct lead *lead);

/* Adds the keys of a lead that is missing. */
enum rc pg_load_put_missing(struct pg_load *load, const struct lead *lead, struct err *e);

/* Sends all that is there. A connection that is lost is made again, and what the server has lost is sent
 * again, from the spool. */
enum rc pg_load_flush(struct pg_load *load, struct err *e);

/* Appends the mark of all that was sent. */
void pg_load_mark(const struct pg_load *load, struct buf *out);

/* After RC_NET of anything: connects, and brings the staging tables to where they were; a run that is committed has
 * none. RC_NET: the server was waited for as long as it may be, and is not to be waited for once more. */
enum rc pg_load_reconnect(struct pg_load *load, struct err *e);

#endif
