/* Resuming a run: whether it is possible, and what is taken from the state. Makes a plan, from state and
 * configuration, for the stages to start from; knows no stage. Private to core/run. */
#ifndef LEADPIPE_RESUME_H
#define LEADPIPE_RESUME_H

#include "core/run/beyond.h"
#include "core/flatten/schema.h"
#include "core/run/run.h"
#include "core/run/progress.h"
#include "core/state/state.h"

/* Zero it first. In a new run, all members from `loaded` on stay zero. */
struct resume_plan {
    const struct run_cfg *cfg;
    struct state *state;         /* NULL: none */
    struct run_figures *figures; /* get what the state has of earlier runs; NULL: not wanted */
    /* Some sink wants fingerprints. Then they also serve as content hashes, and no others are computed. (Deliveries in
     * the state have only fingerprints.) */
    bool has_fingerprints;
    char run_id[33];
    int64_t started_wall_ms;
    bool notes_accepted; /* content hashes are stored in the state */
    bool by_xxh3;        /* they are XXH3 hashes, not the first bytes of fingerprints */
    /* Of an unfinished run that --fresh has discarded. "": there was none, or it could not be read. */
    char discarded_run_id[33];
    int64_t discarded_wall_ms;

    bool loaded;              /* an unfinished run is resumed */
    bool republish;           /* it was cut off at its end: only make its outputs visible */
    int64_t active_before_ms; /* how long the earlier parts of the run were running */
    struct beyond beyond;
    struct str totals;        /* those of the HTTP engine; absent: none */
    struct progress progress; /* what was done when this part of the run began; constant */
    struct state_run run;     /* its texts and arrays are owned by the state */
    struct state_failures failures;

    /* Leads for which sinks still have to give a verdict, by sequence number. Sinks get them when they are opened. */
    struct lead **unacked;
    size_t n_unacked, cap_unacked;
    uint64_t unacked_failed; /* how many of them another sink has failed */

    /* Sequence numbers of leads that are in recorded deliveries, but not done, and so will be put again. Ascending. */
    uint64_t *sent;
    size_t n_sent, cap_sent;

    /* For the loop: sequence numbers of leads whose payloads are in the state. */
    const uint64_t *buffered;
    size_t n_buffered, next_buffered;
};

/* ---- resume.c: may it be resumed, and where do its stages begin? ---------------------------------- */

/* With an open state: begins a run in it, with the plan's run_id and started_wall_ms; or finds the unfinished run, and
 * sets both to those of that run. RC_USAGE: the state has an unfinished run of another command; otherwise as from the
 * state's functions. */
enum rc resume_begin(struct resume_plan *p, struct err *e);
/* Would resume_begin() resume the unfinished run of `s`? `s` may be a read-only one (state_status.h). *is_blank: no,
 * because nothing of that run is done; a new run would begin. Errors as from resume_begin(). Changes nothing. */
enum rc resume_may(const struct run_cfg *cfg, struct state *s, const struct state_run *run,
                   bool *is_blank, struct err *e);
/* Before the run continues: removes from the state what happened after its last checkpoint, and restores the columns in
 * the schema. */
enum rc resume_restore(struct resume_plan *p, struct schema *schema, struct err *e);
/* The mark from which a sink resumes, in *mark; NULL: the sink begins anew. */
const struct sink_mark *resume_mark(const struct resume_plan *p, size_t sink,
                                    struct sink_mark *mark);
/* After the sinks were opened: sets the ledger to the counts of the earlier part. */
enum rc resume_count(struct resume_plan *p, struct ledger *ledger, struct err *e);
void resume_free(struct resume_plan *p);

/* ---- resume_leads.c: leads that sinks have already, and payloads that were fetched ------------ */

/* These implement sink_host.unacked and .sent. */
enum rc resume_unacked(struct resume_plan *p, const struct unacked_lead *unacked, struct lead **out,
                       struct err *e);
enum rc resume_sent(struct resume_plan *p, uint64_t seq, struct err *e);
void resume_sort_sent(struct resume_plan *p); /* after the last resume_sent() */
bool resume_was_sent(const struct resume_plan *p, uint64_t seq);

/* The loop's thread. Is the lead's payload in the state? Then sets its body, status and attempts. */
bool resume_take_buffered(struct resume_plan *p, struct lead *lead, struct buf *body);

#endif
