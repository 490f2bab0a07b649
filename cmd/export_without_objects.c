/* Instead of export_objects.c, in a build without LEADPIPE_OBJECT_STORAGE. */
#include "cmd/export_objects.h"

enum rc export_set_objects(struct export *x, struct err *e)
{
    if (!export_has_objects(x))
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "s3://: this program was built without object storage "
                   "(LEADPIPE_OBJECT_STORAGE=OFF)");
}

void export_objects_free(struct export_objects *o)
{
    (void)o;
}
