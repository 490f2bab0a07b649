/* A report on a run: one HTML page without scripts and external resources, to be read in a browser, on paper or in a
 * mail. A function of its input; any thread. */
#ifndef LEADPIPE_REPORT_H
#define LEADPIPE_REPORT_H

#include "core/base/buf.h"
#include "core/run/run.h"

/* Every such file begins with this. */
#define REPORT_BEGIN "<!DOCTYPE html>\n<!-- a report by leadpipe -->\n"

struct report {
    const char *job; /* any text, as all others here */
    const char *version;
    int64_t started_wall_ms, ended_wall_ms;
    int exit_status;
    const char *signal;           /* name of the signal that stopped it; NULL: none */
    const char *error;            /* why the run did not begin; NULL: it did */
    const char *const *arguments; /* the command, without secrets */
    size_t n_arguments;           /* 0: not known */
    struct secrets *secrets;
    const struct run_cfg *cfg;       /* NULL: the run did not begin */
    const struct run_result *result; /* NULL with `cfg` */
};

/* Appends the whole page. Its size is bounded, whatever the run did. Errors stick in `out`. */
void report_put(struct buf *out, const struct report *r);

#endif
