/* The terms of a run: what of a command line must be the same for a run to go on. Names as options
 * are called, values without secrets. */
#ifndef LEADPIPE_CMD_TERMS_H
#define LEADPIPE_CMD_TERMS_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/state/state.h"

#define TERMS_MAX 1024

/* Zero it first. */
struct terms {
    struct state_term *items;
    size_t n, cap;
    struct arena memory; /* of the texts */
};

/* Adds one, with copies of its texts; RC_LIMIT, RC_NOMEM. */
enum rc terms_add(struct terms *t, const char *name, struct str value, struct err *e);
void terms_free(struct terms *t);

#endif
