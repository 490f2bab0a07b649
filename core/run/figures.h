/* What a report shows of a run besides its result: figures over time, reasons of failures, new columns. Collected only
 * if cfg->wants_figures, in a fixed amount of memory.
 *
 * The timeline belongs to the event loop's thread; failures are added under the ledger's lock. To be read after the
 * run. */
#ifndef LEADPIPE_FIGURES_H
#define LEADPIPE_FIGURES_H

#include "core/flatten/schema.h"
#include "core/run/failure_groups.h"
#include "core/run/run.h"
#include "core/run/timeline.h"
#include "core/state/state.h"

#define FIGURES_SAMPLE_MS 100 /* between samples of the timeline */
#define FIGURES_COLUMNS_MAX 100

/* Texts live as long as the run's schema and profile. */
struct figures_column {
    struct str table, name;
};

struct run_figures {
    struct timeline timeline; /* of this part of the run */
    struct failure_groups failures;

    /* Undocumented columns that the last run with this state did not have. */
    bool knows_columns; /* there was such a run; if false, the rest is zero */
    struct figures_column columns[FIGURES_COLUMNS_MAX];
    size_t n_columns;
    size_t more_columns; /* for which `columns` had no room */

    uint64_t *before; /* owned: hashes of the columns of the last run, ascending */
    size_t n_before;
};

/* RC_NOMEM. */
enum rc figures_new(struct run_figures **out, struct err *e);
void figures_free(struct run_figures *f); /* may be NULL */

/* ---- the timeline --------------------------------------------------------------------------- */

void figures_begin(struct run_figures *f, int64_t now_us, const struct ledger_counts *ledger,
                   const struct http_stats *http);
void figures_sample(struct run_figures *f, int64_t now_us, const struct ledger_counts *ledger,
                    const struct http_stats *http);

/* ---- failures ------------------------------------------------------------------------------- */

void figures_add_failure(struct run_figures *f, const struct profile *p, const struct lead *lead);
/* Adds the failures of an earlier part of the run, from its state. Errors as from state_each_failure(). */
enum rc figures_load_failures(struct run_figures *f, const struct profile *p, struct state *s,
                              struct err *e);

/* ---- columns -------------------------------------------------------------------------------- */

/* Before state_begin(): loads the columns of the last run, if that is finished. Errors as from state_last_columns(). */
enum rc figures_load_columns(struct run_figures *f, struct state *s, struct err *e);
/* At the end of the run: finds the new columns. */
void figures_compare_columns(struct run_figures *f, const struct profile *p,
                             const struct schema *schema);

#endif
