/* What the parts of the state share. Private to core/state. */
#ifndef LEADPIPE_STATE_INTERNAL_H
#define LEADPIPE_STATE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "core/base/application_id.h"
#include "core/base/arena.h"
#include "core/state/state.h"
#include "core/state/state_sql.h"

#define STATE_PAGE_BYTES 4096 /* as we make it; a copy may have others */

/* Stands among the sinks that accepted where fingerprints are json_hash(). Whoever does not know a mark with this
 * beginning (earlier versions had another one, and another hash) can compare nothing, and finds all content changed.
 * The first versions know no marks, take it for a sink that is not in the run any more, and do the same. */
#define STATE_HASH_MARKS "fingerprints: "
#define STATE_XXH3_MARK STATE_HASH_MARKS "XXH3 of each value, 128 bits"

/* What was noted as accepted goes to the file in packs: a key, a fingerprint, and 1 or, where it is
 * to be forgotten, 0. */
#define NOTE_BYTES (LEAD_KEY_BYTES + STATE_FINGERPRINT_BYTES + 1)
#define PACK_NOTES 1000

/* What a state may hold: what comes back from it is refused beyond that. */
#define STATE_SEQ_MAX ((uint64_t)INT64_MAX) /* of leads; the last one means "never done" */
#define STATE_COUNT_MAX                                                                            \
    ((uint64_t)1 << 53) /* of leads, requests, bytes: what JSON can say exactly */
#define STATE_ROWS_MAX ((uint64_t)UINT32_MAX) /* of a list */
#define STATE_SINKS_MAX 64
#define STATE_HTTP_STATUS_MAX 999
#define STATE_WALL_MS_MAX INT64_C(253402300799999) /* the end of the year 9999 */

struct state_waiters {
    struct state_waiter *first, **end; /* `end`: where the next one goes */
};

struct state_snapshot;

/* The row of the table `list`. Parts of the list of leads have positions, one after the other: those before `first` are
 * of earlier runs. */
struct state_list_row {
    bool is_there;
    bool listing; /* the run has a list */
    char source[STATE_LIST_SOURCE_BYTES + 1];
    struct state_list_cfg cfg; /* without `source` */
    uint64_t first;
    uint64_t next; /* the position of the next part */
};

struct state {
    char *path; /* as it was given, for messages */
    char *file; /* where it really is, from the root on */
    void (*on_failed)(void *ctx, const struct err *e);
    void *ctx;

    /* All of the following is under the lock, which is recursive; `depth` is how often its holder
     * has it. SQLite is set to take no locks of its own. */
    pthread_mutex_t lock;
    unsigned depth;
    sqlite3 *db;
    sqlite3_stmt *statements[STATE_SQL_COUNT];
    struct state_snapshot *snapshot; /* it is only read: through this; else NULL */
    bool opened;
    bool forgets; /* state_cfg.forgets */
    bool
        verified; /* a run is resumed or has begun: damage from now on is its end, no wrong usage */
    struct err failed; /* the first error; rc RC_OK: none */
    bool failure_reported;
    enum state_phase phase;
    struct arena loaded; /* what state_load() gave */
    int64_t next_delivery;
    struct state_list_row list;

    unsigned char pack[PACK_NOTES * NOTE_BYTES]; /* noted and not yet given to SQLite */
    size_t n_pack;
    bool none_accepted; /* no earlier run has left anything: nothing need be looked up */

    /* state_commit.c */
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread, quitting;
    bool commit_due; /* at commit_at, by CLOCK_MONOTONIC, if nobody waits for it before */
    struct timespec commit_at;
    struct state_waiters waiting, durable; /* not yet durable; to be called */
};

/* ---- state_file.c: the file before SQLite sees it ------------------------------------------- */

struct state_file {
    char *real;  /* owned; from the root on; NULL until it is there */
    bool is_new; /* empty or not there */
};

/* Refuses what must not be touched, and makes a database without tables where there is none. */
enum rc state_file_make(const char *path, struct state_file *out, struct err *e);
/* RC_BUSY, with a text that names the process that has it. Not while this process has it. */
enum rc state_file_busy(const char *path, const char *real, struct err *e);
/* The process that has the file open at `fd` as a state; 0: none; -1: one whose id is not known. Not while
 * this process has it. */
pid_t state_file_holder(int fd);
/* Of the first bytes of a file, up to one more than a page: was nothing ever written to it? If something was,
 * is it a state of a version that is known? `advice` ends the text where it is no state at all. */
bool state_file_is_blank(const unsigned char *p, size_t n);
enum rc state_file_check_header(const char *path, const unsigned char *header, size_t n,
                                const char *advice, struct err *e);
/* Bytes of what was committed and is not in the file itself yet; 0: none. */
uint64_t state_file_wal_bytes(const char *real);

/* ---- state_owner.c: nobody else can have written it ------------------------------------------- */

struct stat;

/* RC_USAGE: the file with this status is not one that only we (or root) can write. */
enum rc state_owner_check(const char *file, const struct stat *st, struct err *e);
/* The same of all names of a state that is or will be `real`: its file, those that SQLite makes beside
 * it, its folder, and `path`, as it was given, where that is a link. */
enum rc state_owner_check_names(const char *path, const char *real, const char *folder,
                                struct err *e);
/* Until state_owner_release(), SQLite opens no other file as the state `real`, or beside it. RC_NOMEM. Any thread. */
enum rc state_owner_guard(const char *real, struct err *e);
/* After its database was closed. Does nothing for one that is not guarded. */
void state_owner_release(const char *real);

/* ---- state.c: one that has no file yet ---------------------------------------------------------- */

struct state *state_new(const struct state_cfg *cfg); /* NULL: out of memory */
void state_free(struct state *s);

/* ---- state_db.c: SQLite, set up and torn down ----------------------------------------------- */

/* Opens, locks and checks it, makes its tables where it is new, prepares all statements. */
enum rc state_db_open(struct state *s, struct err *e);
/* The same of what is only read (s->snapshot); pages are checked where `checks_pages`. RC_END: it has no tables
 * yet, or *is_earlier: those of an earlier version. */
enum rc state_db_open_read(struct state *s, bool checks_pages, bool *is_earlier, struct err *e);
/* What was not committed is lost. `as_it_is`: changes nothing more. */
void state_db_close(struct state *s, bool as_it_is);

/* ---- state_errors.c: the first one is the state's from then on ------------------------------ */

/* Takes SQLite's last error as the state's, which fails from now on. */
enum rc state_sql_failed(struct state *s, int sqlite_rc, struct err *e);
/* SQLite cannot read it, and says how; likewise. RC_USAGE before the run, else RC_IO. */
enum rc state_damaged(struct state *s, const char *how, struct err *e);
/* A checksum, or what goes without saying, is broken; likewise. RC_USAGE before the run,
 * else RC_IO. */
enum rc state_not_as_written(struct state *s, const char *what, struct err *e);
/* Any other error that sticks. `why` may be `e`. */
enum rc state_stick(struct state *s, const struct err *why, struct err *e);

/* ---- state_query.c: statements, their rows, and their checksums ---------------------------- */

/* A statement that is being given its parameters, or is giving rows. Errors of the former stick up
 * to query_run() or query_row(). A checksum is over what came since the last one: SQLite
 * checks its pages' structure, not what is in them. */
struct query {
    struct state *s;
    sqlite3_stmt *stmt;
    int rc; /* SQLite's: of the first parameter or value that failed */
    int at; /* parameters given, or values taken of this row */
    uint32_t checksum;
    bool malformed; /* a value of this row is of another type, or out of its range */
};

struct query query_of(struct state *s, enum state_sql sql);
void query_int(struct query *q, int64_t value);
void query_text(struct query *q, struct str value); /* must live until query_end() */
void query_blob(struct query *q, struct str value); /* likewise */
void query_checksum(struct query *q);
/* Runs what gives no rows. */
enum rc query_run(struct query *q, struct err *e);
/* The next row; RC_END after the last. query_end() must follow in the end. */
enum rc query_row(struct query *q, struct err *e);
void query_end(struct query *q);

/* The next value of a row. One that is not of the type, or out of range, is 0 or absent, and the row
 * is refused by row_checksum() or row_end(). Texts live until the next query_row() or query_end(). */
int64_t row_int(struct query *q);
uint64_t row_number(struct query *q, uint64_t max); /* from 0 to `max` */
struct str row_text(struct query *q);
struct str row_text_or_null(struct query *q);
struct str row_blob(struct query *q);
struct str row_blob_or_null(struct query *q);
bool row_is_null(struct query *q); /* the value that comes next, which is not taken */
/* Takes a checksum and compares; `what` is for the text of the error. */
enum rc row_checksum(struct query *q, const char *what, struct err *e);
/* For rows without a checksum. */
enum rc row_end(struct query *q, const char *what, struct err *e);
/* The next `n` values, and no checksum, must be NULL. */
void row_skip_nulls(struct query *q, int n);

/* A statement without parameters and rows. */
enum rc state_run_sql(struct state *s, enum state_sql sql, struct err *e);
/* One without parameters whose only row is a number. */
enum rc state_number(struct state *s, enum state_sql sql, int64_t *out, struct err *e);

/* A copy that lives as long as what state_load() gave. */
enum rc state_keep_str(struct state *s, struct str from, struct str *out, struct err *e);
/* An array that does; zeroed. */
enum rc state_keep_array(struct state *s, size_t n, size_t size, void *out, struct err *e);

/* Gives `take` all rows of a statement without parameters; stops with its first error. */
enum rc state_each_row(struct state *s, enum state_sql sql,
                       enum rc (*take)(struct query *q, void *ctx, struct err *e), void *ctx,
                       struct err *e);

/* Rows with a number from 0 on, then what `take` makes an item of, then a checksum. */
struct state_list {
    enum state_sql sql, count; /* the rows; how many there are */
    const char *what;          /* for the text of an error */
    size_t item_size;
    enum rc (*take)(struct state *s, struct query *q, void *item, struct err *e);
};
/* All of them, which must be `n`, into an array that lives as long as what state_load() gave; `out` is the
 * address of a pointer to it. */
enum rc state_load_list(struct state *s, const struct state_list *list, size_t n, void *out,
                        struct err *e);

/* ---- state_commit.c ------------------------------------------------------------------------- */

/* Takes the lock, unless the state has failed. state_leave() must follow when RC_OK. */
enum rc state_enter(struct state *s, struct err *e);
/* And begins a transaction where none is at hand. */
enum rc state_enter_write(struct state *s, struct err *e);
/* Gives the lock back and returns `rc`. */
enum rc state_leave(struct state *s, enum rc rc);

/* Under the lock: */
enum rc state_begin_transaction(struct state *s, struct err *e); /* where none is at hand */
enum rc state_commit(struct state *s, struct err *e);
/* Commits before long, or within so many milliseconds. RC_NOMEM: there can be no thread to do that. */
enum rc state_commit_soon(struct state *s, struct err *e);
enum rc state_commit_within(struct state *s, int64_t ms, struct err *e);
void state_wake(struct state *s);

bool state_commit_init(struct state *s); /* false: out of memory */
void state_commit_stop(struct state *s); /* not under the lock */
void state_commit_destroy(struct state *s);

/* ---- the rest ------------------------------------------------------------------------------- */

/* state_run.c: reads the phase, as it is when a state is opened. */
enum rc state_read_phase(struct state *s, struct err *e);

/* state_checkpoint.c: the last one, all zero where there is none. */
enum rc state_load_checkpoint(struct state *s, struct state_checkpoint *out, struct err *e);

/* state_deliveries.c: the number for the next one. */
enum rc state_read_next_delivery(struct state *s, struct err *e);

/* What is only read when the run is at its end must be known to be good before it is resumed. Each reads
 * all of its rows: */
enum rc state_verify_deliveries(struct state *s, struct err *e);
enum rc state_verify_leads(struct state *s, struct err *e); /* failed ones, buffered payloads */
enum rc state_verify_accepted(struct state *s, struct err *e);
enum rc state_verify_listed(struct state *s, struct err *e);

/* state_list.c, of lists: reads their row, as it is when a state is opened. */
enum rc state_read_list(struct state *s, struct err *e);
/* The run's list is forgotten with the run. */
enum rc state_drop_list(struct state *s, struct err *e);
/* At the end of the run: what was listed before is from now on what this run has listed, where it was `published`. */
enum rc state_finish_list(struct state *s, bool published, struct err *e);
/* How many leads the run's list has, and whether all lists have been read; under the lock. */
enum rc state_count_listed(struct state *s, uint64_t *n, bool *is_complete, struct err *e);

/* state_accepted.c: is it no sink that accepted, but the mark of a hash? */
bool state_is_mark(struct str sink);
/* Gives SQLite what was noted since the last time. */
enum rc state_flush_notes(struct state *s, struct err *e);
/* The notes of a row of SQL_NOTES_EACH: whole ones, as they were packed. */
enum rc state_take_pack(struct query *q, struct str *out, struct err *e);

/* state_merge.c: brings what was noted in this run into what was accepted. In several commits, and
 * may be done again after any of them. */
enum merge {
    MERGE_ACCEPTED, /* the notes hold */
    MERGE_FORGET,   /* nothing counts as accepted of any lead that was noted */
    MERGE_WITHHELD, /* likewise, unless it was accepted with the same content before this run */
};
enum rc state_merge_notes(struct state *s, enum merge how, struct err *e);

#endif
