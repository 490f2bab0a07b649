/* The rows of a run on their way into staging tables, which belong to the run and nobody else reads:
 * gathered in memory, and sent as parts. A part is one transaction, and has a number; which was the last
 * one stands in _leadpipe_runs and, beside the rows, in a table of the staging tables' own kind.
 *
 * Staging tables are unlogged, but for those that are to become the tables (adopt.h), and the one with the second
 * number always is: a crash of the server empties it, which is how that is found out. One thread at a time. */
#ifndef LEADPIPE_SINKS_POSTGRES_LOAD_H
#define LEADPIPE_SINKS_POSTGRES_LOAD_H

#include "sinks/postgres/fingerprint.h"
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
    uint64_t *hashes;   /* owned; of the columns, for fingerprints; 0: not known yet */
    size_t n_hashes, cap_hashes;
};

/* Leads whose rows are gathered, while it is not known whether they were loaded before: see load_same.c. */
struct pg_waiting {
    struct pg_fingerprint lead, rows;
    size_t key_at; /* in `keys` */
};

struct pg_span { /* the rows of a lead among those of a table */
    size_t from, to;
    uint64_t n_rows;
};

struct pg_same {
    uint64_t look_at; /* so many leads of the run are worth a look at the tables */
    bool is_on;       /* they are as they were left: leads may be the same */
    bool was_changed; /* they are not */
    bool is_cut;      /* rows of the lead at hand were sent already */
    struct pg_fingerprint at_hand;
    struct pg_waiting *waiting; /* owned */
    size_t n, cap;
    size_t bytes; /* of their rows */
    struct pg_span *spans,
        *here; /* owned; of each of them, and of the lead at hand, one for each table */
    size_t cap_spans;
    struct buf keys; /* rows of the leads, should they be the same */
    uint64_t rows;   /* of leads that are the same, since the last part */
    uint64_t leads;  /* of the whole run */
};

struct pg_load {
    const struct pg_place *place;
    const struct profile *profile;
    struct pg_link *link;
    struct pg_load_table *tables; /* owned; one for each of the profile's, and load_internal.h's */
    size_t n_tables;
    bool remembers; /* the fingerprints of its leads */
    struct pg_same same;
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

/* Before the first lead: finds out when it is worth while to look whether leads are the same as they were loaded before. */
enum rc pg_load_recall(struct pg_load *load, struct err *e);

/* Adds the rows of a lead, and sends what is there when it is enough. Leads that are in the tables as they are, as this sink has
 * left them there, are not sent. */
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

/* Loads all leads again, from the spool, those that are the same, too. RC_IO: there is no spool. */
enum rc pg_load_all(struct pg_load *load, struct err *e);

/* After RC_NET of anything: connects, and brings the staging tables to where they were; a run that is committed has
 * none. RC_NET: the server was waited for as long as it may be, and is not to be waited for once more. */
enum rc pg_load_reconnect(struct pg_load *load, struct err *e);

#endif
