/* A state's file as it is at one moment, read without a lock and without writing a byte, also while a run
 * holds it: a VFS of SQLite's that takes each page from the -wal file, as of its last commit, or else from
 * the file. Nobody is kept waiting, so it may turn out afterwards that what was read is of two moments:
 * state_snapshot_holds(). Private to core/state. */
#ifndef LEADPIPE_STATE_SNAPSHOT_H
#define LEADPIPE_STATE_SNAPSHOT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/base/err.h"

struct state_snapshot;

/* `path` may be a symbolic link. RC_USAGE: no state of this version or an earlier one is there; RC_IO,
 * RC_NOMEM. `path` must live as long. */
enum rc state_snapshot_open(struct state_snapshot **out, const char *path, struct err *e);
/* Not before what was opened through its VFS is closed. May be NULL. */
void state_snapshot_close(struct state_snapshot *s);

/* Nothing was ever written to it. */
bool state_snapshot_is_blank(const struct state_snapshot *s);
/* Does another process have it now? 0: no; -1: one whose id is not known. */
pid_t state_snapshot_holder(const struct state_snapshot *s);

/* Opens the database. As sqlite3_open_v2(). */
int state_snapshot_database(struct state_snapshot *s, sqlite3 **db);

/* Is all that was read up to now of one moment? False: it has changed meanwhile, or may have. */
bool state_snapshot_holds(const struct state_snapshot *s);

#endif
