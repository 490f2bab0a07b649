/* Refuses configurations that cannot work, before anything is changed. */
#ifndef LEADPIPE_RUN_CHECK_H
#define LEADPIPE_RUN_CHECK_H

#include "core/run/run.h"
#include "core/run/run_files.h"

/* Fills in the members of the sinks' configuration that the run sets (run_sink_cfg). Call it first. */
void run_check_complete(const struct run_cfg *cfg);

/* RC_USAGE, RC_NOMEM, or as from state_check() and outfile_check(). */
enum rc run_check(const struct run_cfg *cfg, struct err *e);

/* Bytes that are kept from one lead to the next if --max-memory were `max_memory`: by the sinks
 * (sink_ops.keeps()), and for the list or queue that the IDs come from. After run_check() it is known that
 * cfg->max_memory is larger. */
size_t run_kept_bytes(const struct run_cfg *cfg, size_t max_memory);

/* The steps of run_check(): checks one sink; compares the files that it, or an option, reads and writes with those in the
 * list, and adds them to it. */
enum rc run_check_sink(const struct run_cfg *cfg, const struct run_sink_cfg *sink, struct err *e);
enum rc run_check_add_sink(struct run_files *l, const struct run_sink_cfg *sink, bool has_state,
                           struct err *e);
enum rc run_check_add_option(struct run_files *l, const struct places *places,
                             const struct run_file *f, struct err *e);

#endif
