/* The files of shards that write to one database, beside it:
 *
 *     .NAME.leadpipe-shard-I-of-N         what the run of a shard stages (stage.h), while it fetches
 *     .NAME.leadpipe-loaded-I-of-N-SET    the same when that run is done: complete and durable, it waits for the others
 *     .NAME.leadpipe-merged               a new database, while the last shard makes it
 *     .NAME.leadpipe-shards               locked by whoever changes any of these names, or merges
 *
 * A shard that is loaded is a file with a record of whose rows it has (shard_record.h). It gets its name by a rename, and
 * is removed once the rows of its set are in the database, so a kill leaves nothing half done. A file whose rows are there
 * already, because the run that merged them was killed before it had removed it, does not count.
 *
 * While a shard has the lock, no other one begins, ends or recovers. One thread at a time. */
#ifndef LEADPIPE_SINKS_SQLITE_SHARD_FILES_H
#define LEADPIPE_SINKS_SQLITE_SHARD_FILES_H

#include "sinks/sqlite/shard_record.h"

struct sqlite_loaded {
    const char *path;
    uint32_t index, of;
    struct str set; /* the beginning of it, as the name has it */
    struct sqlite_shard_record record;
    bool is_damaged; /* there is no record */
    bool is_taken;   /* its rows have been taken in */
};

struct sqlite_shard_files {
    const struct sqlite_place *place;
    const struct sqlite_stage *stage; /* whose connection reads the files */
    int lock;                         /* a descriptor; -1: it is not locked */
    struct arena memory;
    struct sqlite_loaded *items; /* owned */
    size_t n, cap;
};

void sqlite_shard_files_init(struct sqlite_shard_files *f, const struct sqlite_place *p,
                             const struct sqlite_stage *s);
/* Unlocks where it is locked, and frees the list. May be called again. */
void sqlite_shard_files_free(struct sqlite_shard_files *f);

/* Waits as long as another shard has the lock. RC_STOPPED: the run was stopped meanwhile. */
enum rc sqlite_shard_files_lock(struct sqlite_shard_files *f, struct err *e);

/* The following need the lock, and a connection that is in no transaction. */

/* Finds what is loaded. Removes files whose rows are in the database. */
enum rc sqlite_shard_files_read(struct sqlite_shard_files *f, struct err *e);

/* Removes a loaded file; *l is left as it is. */
enum rc sqlite_shard_files_remove(const struct sqlite_loaded *l, struct err *e);

/* Removes what runs of shards that were killed have left, and nobody has continued for a week. */
enum rc sqlite_shard_files_tidy(struct sqlite_shard_files *f, struct err *e);

/* Is it a file of that set, by its name? */
bool sqlite_shard_files_is_of(const struct sqlite_loaded *l, const char *set);

/* The staging file, which nobody has open, gets the name of a loaded one, in place of an earlier one of that shard. */
enum rc sqlite_shard_files_keep(const struct sqlite_shard_files *f,
                                const struct sqlite_shard_record *r, struct err *e);

#endif
