/* The names that are still to change when a run was cut off while it published: what the state says of
 * them, compared with what this command's outputs call for. Private to core/run. */
#ifndef LEADPIPE_RUN_RENAMES_H
#define LEADPIPE_RUN_RENAMES_H

#include "core/file/file_print.h"
#include "core/run/run.h"

struct due_rename {
    char *from,
        *to; /* made from the configuration, never from the state; `to` NULL: removed only */
    struct file_print print; /* the state's: of the complete file */
};

struct due_renames {
    struct due_rename *items;
    size_t n, cap;
};

/* All of them, in the state's order, of a run that published its outputs, or that withheld them: then
 * these are only removed. RC_USAGE: the state has another one, or lacks one. */
enum rc due_renames_load(struct due_renames *out, const struct run_cfg *cfg, struct state *state,
                         bool withheld, struct err *e);
void due_renames_free(struct due_renames *d);

#endif
