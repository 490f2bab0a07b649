/* What the sink remembers in the database of leads that it has loaded, so that a lead of which nothing differs need not be loaded
 * and compared again: their fingerprints, and what the tables were like then.
 *
 * The tables are others', too. But every row has in xmin which transaction wrote it. So if all rows of a table are from
 * transactions that are remembered, and there are as many rows as there were, then nobody else has inserted, updated or deleted
 * one since, and no table was restored or written anew. A merge is remembered that keeps the fingerprints up to date; of any other,
 * also one of an earlier version of this program, the transaction is not, and then all leads are loaded.
 *
 * All of it lies in unlogged tables, which are empty after a crash of the server, on a replica, and in a copy of its files:
 *
 *     _leadpipe_loaded                      a row for each set of tables, with the text of this file
 *     _leadpipe_loaded_0123456789abcdef     of one set: the fingerprints of its leads, and of what is loaded of each
 *
 * One thread at a time. */
#ifndef LEADPIPE_SINKS_POSTGRES_REMEMBERED_H
#define LEADPIPE_SINKS_POSTGRES_REMEMBERED_H

#include "core/provider/profile.h"
#include "sinks/postgres/fingerprint.h"
#include "sinks/postgres/link.h"
#include "sinks/postgres/place.h"

struct pg_remembered_table {
    uint64_t oid;       /* 0: it is not there, or is no plain table */
    uint64_t signature; /* of its columns, and of what _leadpipe_columns says of them */
    uint64_t rows;
};

struct pg_remembered {
    uint64_t since; /* the full number of the transaction from which on they are remembered */
    uint64_t
        lasts; /* for so many transactions; then the numbers of `writers` begin to come again */
    uint64_t leads; /* that have fingerprints */
    struct pg_remembered_table tables[PROFILE_TABLES_MAX];
    uint32_t *writers; /* owned: transactions as xmin has them, in ascending order */
    size_t n_writers, cap;
};

void pg_remembered_free(struct pg_remembered *r);

/* Sets place->loaded: what the second table is called by. RC_NOMEM. */
enum rc pg_remembered_name(struct pg_place *p, struct err *e);

/* Appends the name of the set for SQL, as the row of _leadpipe_loaded has it. */
void pg_put_set_name(struct buf *b, const struct pg_place *p);

/* !*found: nothing is remembered, or nothing that can be read. `r` is the caller's, with pg_remembered_free(), in any case. */
enum rc pg_remembered_read(struct pg_remembered *r, const struct pg_place *p, struct pg_link *l,
                           bool *found, struct err *e);
/* Appends the statement that writes it. */
void pg_remembered_put(struct buf *b, const struct pg_remembered *r, const struct pg_place *p);

/* Sets oid and signature of all tables. */
enum rc pg_remembered_describe(struct pg_remembered *r, const struct pg_place *p, struct pg_link *l,
                               struct err *e);
/* Are the tables the ones of `r`, with the same columns? */
bool pg_remembered_same_tables(const struct pg_remembered *r, const struct pg_remembered *now,
                               const struct pg_place *p);

/* Adds the transactions that wrote the rows of a table, and sets *rows to their number. RC_LIMIT: there are too many to remember. */
enum rc pg_remembered_add_writers(struct pg_remembered *r, struct pg_link *l, struct str table,
                                  uint64_t *rows, struct err *e);
/* Adds one. RC_LIMIT, RC_NOMEM. */
enum rc pg_remembered_add_writer(struct pg_remembered *r, uint32_t xid, struct err *e);

/* Sets `since` and `lasts`: the writers are remembered from transaction `now` on. */
void pg_remembered_start(struct pg_remembered *r, uint64_t now);

/* Are the tables as they were left? PG_UNKNOWN: that cannot be found out, or not now. Only RC_NET, RC_STOPPED and RC_NOMEM are
 * failures. Reads all tables. Outside of a transaction. */
enum pg_tables_are { PG_UNKNOWN, PG_AS_LEFT, PG_CHANGED };
enum rc pg_remembered_check(const struct pg_place *p, struct pg_link *l, enum pg_tables_are *out,
                            struct err *e);

/* Of a relation with that name for SQL; `name` is empty afterwards. */
struct pg_access {
    bool exists, reads;
};
enum rc pg_access_of(struct pg_link *l, struct buf *name, struct pg_access *out, struct err *e);

/* Can the role use the tables of what is remembered? Not if they are another role's, or are not as they were made. */
struct pg_usable {
    bool texts; /* _leadpipe_loaded, and the other one, if that is there */
    bool fingerprints;
};
enum rc pg_remembered_usable(const struct pg_place *p, struct pg_link *l, struct pg_usable *out,
                             struct err *e);

#endif
