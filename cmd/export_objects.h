/* Object storage of an export: made where an output is an object ("s3://..."). In a build without it
 * (LEADPIPE_OBJECT_STORAGE=OFF) such an output is refused. */
#ifndef LEADPIPE_CMD_EXPORT_OBJECTS_H
#define LEADPIPE_CMD_EXPORT_OBJECTS_H

#include "cmd/export.h"

struct export_objects;

/* Is any output of the command an object? */
bool export_has_objects(const struct export *x);

/* Sets x->cfg.places where there are objects. After everything else but the settings. RC_USAGE names the
 * option or the variable. */
enum rc export_set_objects(struct export *x, struct err *e);
/* After run_free(); `o` may be NULL. */
void export_objects_free(struct export_objects *o);

#endif
