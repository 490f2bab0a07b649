/* The rows of a run before they come to its tables: in a database of the sink's own beside the one that is
 * written, so that nobody sees them, and nobody waits for them.
 *
 *     s0, s1, ...   a row for each row of the table with that index: c0, c1, ... as the profile has them,
 *                   e0, e1, ... undocumented columns, and `misfits`
 *     extras        what these columns are called, and where their values come from
 *     gone          the keys of leads that the provider does not have
 *     run           whose rows they are
 *
 * Rows are counted by their rowid, from 1 without a gap: what came after a mark has a higher one.
 * One process has it at a time, and it is locked as long as it is open. One thread at a time. */
#ifndef LEADPIPE_SINKS_SQLITE_STAGE_H
#define LEADPIPE_SINKS_SQLITE_STAGE_H

#include "sinks/sqlite/target.h"
#include "sinks/typed_rows.h"

struct sqlite_staged {
    struct typed_table_cfg cfg;
    struct typed_table *typed;
    struct sqlite_table now; /* the table as it was when this process opened it */
    sqlite3_stmt *insert;    /* with n_columns values */
    size_t n_columns;        /* before `misfits` */
    bool *no_numerals;       /* of each column, see struct sqlite_fit */
    size_t cap_no_numerals;
    size_t n_made; /* undocumented columns that the staging table has */
    size_t n_more; /* columns that the table of `now` does not have */
    uint64_t rows;
};

struct sqlite_loaded;
struct sqlite_shard_record;

struct sqlite_stage {
    const struct sqlite_place *place;
    const struct profile *profile;
    struct sqlite_db db;
    struct sqlite_staged *tables; /* owned; one for each of the profile's */
    size_t n_tables;
    sqlite3_stmt *gone;
    uint64_t leads, n_gone;
    bool is_attached; /* "out" is there */
    bool is_durable;  /* what mark() covers must be */
    struct buf text;  /* scratch, for SQL */
    struct buf value; /* scratch, for one value */
    const struct sqlite_shard_record
        *own;                           /* the run is one of a shard, and at its end; else NULL */
    const struct sqlite_loaded *others; /* other shards, whose rows are taken in (take_in.h) */
    size_t n_others;
    size_t columns_max;
    int length_max; /* bytes of a row in the table; of a staged one a few fewer */
};

/* Opens the staging database, and takes it from a process that is not there any more; `begins`: it is
 * empty then. RC_BUSY: another run has it, and the message says which. */
enum rc sqlite_stage_open(struct sqlite_stage *s, const struct sqlite_place *p,
                          const struct sink_cfg *cfg, bool begins, struct err *e);
/* Makes its tables, for the run of the place. */
enum rc sqlite_stage_begin(struct sqlite_stage *s, struct err *e);
/* Resumes after that mark. RC_SYNTAX: it is damaged; RC_USAGE: the rows are not there. */
enum rc sqlite_stage_resume(struct sqlite_stage *s, const struct sink_cfg *cfg, struct str mark,
                            struct err *e);
enum sqlite_stage_owner {
    SQLITE_STAGE_NOBODYS, /* a run was killed before it had made the tables */
    SQLITE_STAGE_THIS_RUNS,
    SQLITE_STAGE_ANOTHER_RUNS,
};
/* Whose rows it holds, for recovering a run without a mark. */
enum rc sqlite_stage_owner(struct sqlite_stage *s, enum sqlite_stage_owner *out, struct err *e);

/* Has another process that file open as its staging database? *pid: which; 0: not known. Only for who does not have it
 * open: closing a file ends all locks that a process has of it. */
bool sqlite_stage_is_locked(const char *path, long *pid);

enum rc sqlite_stage_put(struct sqlite_stage *s, const struct lead *lead, struct err *e);
enum rc sqlite_stage_put_missing(struct sqlite_stage *s, const struct lead *lead, struct err *e);

/* All rows so far are in the file, durable where they must be. */
enum rc sqlite_stage_commit(struct sqlite_stage *s, struct err *e);
void sqlite_stage_mark(const struct sqlite_stage *s, struct buf *out);

/* Closes the connection, so that the file may get another name; what the sink's result needs stays. */
void sqlite_stage_disconnect(struct sqlite_stage *s);
/* Closes it; `remove`: and removes it. */
void sqlite_stage_close(struct sqlite_stage *s, bool remove);

#endif
