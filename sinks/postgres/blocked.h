/* A statement that waits for a lock which somebody else holds: the user is told who, and a wait that nobody
 * ends does not go on for ever. Two sinks of one run can wait for each other in this way (a trigger of the
 * user's that makes both write one row), which the server cannot see, as one of them is idle. */
#ifndef LEADPIPE_SINKS_POSTGRES_BLOCKED_H
#define LEADPIPE_SINKS_POSTGRES_BLOCKED_H

#include "sinks/postgres/link.h"

#define PG_BLOCKED_US ((int64_t)300000000) /* then it is given up */

enum pg_blocked_step { PG_BLOCKED_WAIT, PG_BLOCKED_TELL, PG_BLOCKED_GIVE_UP };

/* How long until the next look at what a statement waits for, which has waited for `waited_us`. */
int64_t pg_blocked_pause_ms(int64_t waited_us);

/* What to do about one that has been blocked for `blocked_us`; *minute: the last one that was told, -1:
 * none. */
enum pg_blocked_step pg_blocked_decide(int64_t blocked_us, bool gives_up, int64_t *minute);

/* Asks the server over a connection of its own who blocks `l`, and tells it. RC_OK: wait on (also where the
 * server could not be asked); RC_IO: it was blocked for too long. */
enum rc pg_blocked_look(struct pg_link *l, struct err *e);

#endif
