/* Of places and of core/state: what the path of an output leads to. */
#ifndef LEADPIPE_TARGET_H
#define LEADPIPE_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/err.h"
#include "core/file/outfile.h"

struct place_ops;
struct places;

struct target {
    const struct place_ops *place; /* where it is written to: place.h */
    void *ctx;                     /* of a scheme (places.h) */
    char *path;                    /* as given */
    enum outfile_suffix suffix;    /* of the unfinished file */
    char *final;                   /* through symbolic links */
    int fd;                        /* the open descriptor that the path is a name of, or -1 */
    /* Of a local file only. */
    bool exists; /* it is there, with `mode` */
    mode_t mode;
    char *part;   /* the unfinished file */
    char *folder; /* of both; NULL: it is no local file */
};

/* RC_USAGE: no file can be there, and why; RC_NOMEM. */
enum rc target_find(struct target *out, const struct places *places, const char *path,
                    enum outfile_suffix suffix, struct err *e);
void target_free(struct target *t);

#endif
