/* Object storage for an export with outputs "s3://...". A build without it (LEADPIPE_OBJECT_STORAGE=OFF) refuses such
 * outputs. */
#ifndef LEADPIPE_CMD_EXPORT_OBJECTS_H
#define LEADPIPE_CMD_EXPORT_OBJECTS_H

#include "cmd/export.h"

struct export_objects;

/* Is any output in object storage? After export_set_run(). */
bool export_has_objects(const struct export *x);

/* Sets x->cfg.places if there are such outputs. After everything else but the settings. RC_USAGE: the message names the
 * option or the variable. */
enum rc export_set_objects(struct export *x, struct err *e);
/* After run_free(); `o` may be NULL. */
void export_objects_free(struct export_objects *o);

#endif
