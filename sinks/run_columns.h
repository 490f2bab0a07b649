/* `_exported_at` and `_run_id`, with which every row of a file ends if the option `run-columns` is given:
 * the start of the run, and its run_id. Without it the same input gives the same bytes. */
#ifndef LEADPIPE_RUN_COLUMNS_H
#define LEADPIPE_RUN_COLUMNS_H

#include "core/sink.h"

/* The option; `at` is OPTION_AT(..., FLAG, ...). */
#define RUN_COLUMNS_OPTION(at)                                                                     \
    {                                                                                              \
        .name = "run-columns", at,                                                                 \
        .help = "end every row with _exported_at and _run_id: when the run started, and its "      \
                "run_id in the manifest"                                                           \
    }

#define RUN_COLUMNS_MAX 2

struct run_columns {
    size_t n; /* 0: they are not wanted */
    struct str names[RUN_COLUMNS_MAX], values[RUN_COLUMNS_MAX];
    char started_at[25];
};

/* `c` must not be copied, and cfg->run_id live as long. */
void run_columns_init(struct run_columns *c, const struct sink_cfg *cfg, bool are_wanted);

#endif
