/* The places of files beyond this machine's own: whoever opens files is handed a list of them. */
#ifndef LEADPIPE_PLACES_H
#define LEADPIPE_PLACES_H

#include <stddef.h>

struct place_ops;

/* Of the paths that begin with "NAME://". */
struct place_scheme {
    const char *name;
    const struct place_ops *ops;
    void *ctx; /* the place's own */
};

struct places {
    const struct place_scheme *items;
    size_t n;
};

#endif
