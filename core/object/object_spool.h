/* Private to core/object: the local files of an object, in the spool directory: what must be read back before
 * it is complete, and what belongs to it and is never published (OUTFILE_SCRATCH). */
#ifndef LEADPIPE_OBJECT_SPOOL_H
#define LEADPIPE_OBJECT_SPOOL_H

#include "core/file/place.h"
#include "core/object/object_store.h"

struct object_spool {
    int fd; /* -1: it is not open */
    struct target
        target; /* `part` is its name; one for the same object of the same server and suffix */
    bool folder_synced; /* of who calls object_spool_sync() */
};

/* Opens and locks it, cut to `keep_bytes` and standing at their end; object_spool_close() is due after an
 * error, too. RC_USAGE: there are fewer; RC_BUSY: another run has it. */
enum rc object_spool_open(struct object_spool *spool, const struct target *t, uint64_t keep_bytes,
                          struct err *e);
enum rc object_spool_write(struct object_spool *spool, const char *data, size_t n, struct err *e);
/* Any thread, also while another one writes. */
enum rc object_spool_sync(struct object_spool *spool, struct err *e);
/* Closes it, and removes it unless it is to be kept. */
void object_spool_close(struct object_spool *spool, bool keep);

/* Appends the names of all that may be made for an object, each with a NUL behind it. */
enum rc object_spool_names(const struct target *t, struct buf *out, struct err *e);

/* Removes one, unless another run is writing it. */
void object_spool_clear(const struct object_store *s, const char *url, enum outfile_suffix suffix);

/* An OUTFILE_SCRATCH file of an object. */
extern const struct place_ops place_object_scratch;
enum rc object_scratch_open(struct place **out, const struct target *t,
                            const struct outfile_cfg *cfg, struct err *e);

#endif
