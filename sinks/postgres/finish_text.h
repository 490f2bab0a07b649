/* The text by which a later run finishes what a sink has prepared: in a state, so what is read may be
 * anything. */
#ifndef LEADPIPE_SINKS_POSTGRES_FINISH_TEXT_H
#define LEADPIPE_SINKS_POSTGRES_FINISH_TEXT_H

#include "sinks/postgres/place.h"

struct pg_finish_text {
    char run_id[33];
    int64_t started_ms; /* of the run, since 1970-01-01T00:00:00Z */
};

/* Appends the text of a place whose token and run are set. */
void pg_finish_text_put(struct buf *b, const struct pg_place *p);

/* RC_SYNTAX: it is malformed. The token is not returned: it follows from the run and the sink. */
enum rc pg_finish_text_read(struct str text, struct pg_finish_text *out, struct err *e);

#endif
