/* A FILE kafka://...: the IDs are messages of a topic. */
#ifndef LEADPIPE_CMD_EXPORT_QUEUE_H
#define LEADPIPE_CMD_EXPORT_QUEUE_H

#include "cmd/export.h"

struct export_queue;

/* After the run: x->cfg.queue, where a FILE is one; nothing is connected. RC_USAGE: what cannot go with it, or a wrong
 * parameter. */
enum rc export_set_queue(struct export *x, struct err *e);
void export_queue_free(struct export_queue *q); /* NULL, too */

/* Can it be read? Nothing where no FILE is one. */
void export_check_queue(const struct export *x, const struct findings *f);

#endif
