/* A database that is not there yet: complete under another name, and then renamed. */
#ifndef LEADPIPE_SINKS_SQLITE_FRESH_H
#define LEADPIPE_SINKS_SQLITE_FRESH_H

#include "sinks/sqlite/place.h"

/* Removes what was made of it, also by a run that was killed. */
enum rc sqlite_fresh_remove(const struct sqlite_place *p, struct err *e);
/* It is complete, and closed: flushes it. */
enum rc sqlite_fresh_sync(const struct sqlite_place *p, struct err *e);
/* A run that was killed while it gave a new database its name may have left it with both: removes the old one, as a state's run
 * opens no file that has two. */
void sqlite_fresh_settle(const struct sqlite_place *p);
/* Gives it its name; RC_IO if somebody has made a file of that name meanwhile. */
enum rc sqlite_fresh_publish(const struct sqlite_place *p, struct err *e);

#endif
