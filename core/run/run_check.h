/* Configurations that cannot work are refused before anything is touched. */
#ifndef LEADPIPE_RUN_CHECK_H
#define LEADPIPE_RUN_CHECK_H

#include "core/run/run.h"
#include "core/run/run_files.h"

/* What the run fills in of its sinks' configuration before anything else. */
void run_check_complete(const struct run_cfg *cfg);

/* RC_USAGE, RC_NOMEM, or as state_check() and outfile_check(). */
enum rc run_check(const struct run_cfg *cfg, struct err *e);

/* Bytes that the sinks keep from one lead to the next (struct sink_ops's keeps()), if the ceiling were
 * `max_memory`. After run_check() there is more than that. */
size_t run_kept_bytes(const struct run_cfg *cfg, size_t max_memory);

/* Parts of it. Of one sink; then what it, or an option, reads and writes: compared with all that is in the list, and
 * added to it. */
enum rc run_check_sink(const struct run_cfg *cfg, const struct run_sink_cfg *sink, struct err *e);
enum rc run_check_add_sink(struct run_files *l, const struct run_sink_cfg *sink, bool has_state,
                           struct err *e);
enum rc run_check_add_option(struct run_files *l, const struct places *places,
                             const struct run_file *f, struct err *e);

#endif
