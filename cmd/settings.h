/* The settings of a run: the options that must be the same for a run to be resumed. Names are those of options; values
 * contain no secrets. */
#ifndef LEADPIPE_CMD_SETTINGS_H
#define LEADPIPE_CMD_SETTINGS_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/state/state.h"

#define SETTINGS_MAX 1024

/* Zero it first. */
struct settings {
    struct state_setting *items;
    size_t n, cap;
    struct arena memory; /* of the texts */
};

/* Adds a setting, and copies its texts. RC_USAGE: there are SETTINGS_MAX already; RC_NOMEM. */
enum rc settings_add(struct settings *t, const char *name, struct str value, struct err *e);
void settings_free(struct settings *t);

#endif
