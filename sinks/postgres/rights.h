/* May the role of the connection do what a run will do? Private to sinks/postgres. */
#ifndef LEADPIPE_SINKS_POSTGRES_RIGHTS_H
#define LEADPIPE_SINKS_POSTGRES_RIGHTS_H

#include "core/base/findings.h"
#include "sinks/postgres/link.h"
#include "sinks/postgres/place.h"

/* Reports on the server, the schema (`wanted`; NULL: that of the connection) and the tables in it that a run would
 * write to. Only reads. Errors as pg_exec()'s, which are not reported. */
enum rc pg_probe_rights(const struct pg_place *p, struct pg_link *l, const char *wanted,
                        const struct findings *f, struct err *e);

#endif
