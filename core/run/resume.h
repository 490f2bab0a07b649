/* A run that is resumed: what it takes from the state, and whether it may. From the state and the
 * configuration to a plan that the stages are made from; knows no stage. Private to core/run. */
#ifndef LEADPIPE_RESUME_H
#define LEADPIPE_RESUME_H

#include "core/run/beyond.h"
#include "core/flatten/schema.h"
#include "core/run/run.h"
#include "core/run/progress.h"
#include "core/state/state.h"

/* Zero it first. In a run that begins, all members from `loaded` on stay zero. */
struct resume_plan {
    const struct run_cfg *cfg;
    struct state *state;         /* NULL: none */
    struct run_figures *figures; /* which get what is known of earlier runs; NULL: none */
    /* Sinks want fingerprints, which are content hashes, too: no others are computed beside them. A delivery in
     * the state has no others either. */
    bool has_fingerprints;
    char run_id[33];
    int64_t started_wall_ms;
    bool notes_accepted; /* content hashes go into the state */
    bool by_xxh3;        /* these are XXH3, not the beginning of a fingerprint */
    /* Of an unfinished run that --fresh has discarded: "": there was none, or it cannot be read. */
    char discarded_run_id[33];
    int64_t discarded_wall_ms;

    bool loaded;    /* an unfinished run is resumed */
    bool republish; /* it was cut off at its end: its outputs are only made visible */
    int64_t active_before_ms;
    struct beyond beyond;
    struct str totals;        /* of the HTTP engine; absent without one */
    struct progress progress; /* what was done when this part of the run began; constant */
    struct state_run run;     /* its texts and arrays are the state's */
    struct state_failures failures;

    /* Leads that sinks still have to give a verdict on, by sequence number. The sinks have them once they
     * are open. */
    struct lead **unacked;
    size_t n_unacked, cap_unacked;
    uint64_t unacked_failed; /* of them: another sink had failed them */

    /* Sequence numbers of leads that sinks have in deliveries, and that come once more. Ascending. */
    uint64_t *sent;
    size_t n_sent, cap_sent;

    /* Of the loop: payloads that the earlier run had fetched. */
    const uint64_t *buffered;
    size_t n_buffered, next_buffered;
};

/* ---- resume.c: may it be resumed, and where do its stages begin? ---------------------------------- */

/* With a state, which is open: begins a run in it (whose run_id and started_wall_ms are set), or finds the
 * one to resume, and sets both. RC_USAGE: it holds an unfinished run of another command; else as the
 * state's functions. */
enum rc resume_begin(struct resume_plan *p, struct err *e);
/* Would resume_begin() resume that unfinished run of `s`, which may be one that is only read (state_status.h)?
 * *is_blank: nothing of it is done, and a new one begins. Else as resume_begin(). Changes nothing. */
enum rc resume_may(const struct run_cfg *cfg, struct state *s, const struct state_run *run,
                   bool *is_blank, struct err *e);
/* Before anything is done: takes what happened after its last checkpoint out of the state, and puts its
 * columns into the schema. */
enum rc resume_restore(struct resume_plan *p, struct schema *schema, struct err *e);
/* The mark for a sink; NULL: it begins. */
const struct sink_mark *resume_mark(const struct resume_plan *p, size_t sink,
                                    struct sink_mark *mark);
/* After the sinks were opened: what the ledger begins with. */
enum rc resume_count(struct resume_plan *p, struct ledger *ledger, struct err *e);
void resume_free(struct resume_plan *p);

/* ---- resume_leads.c: leads that sinks have already, and payloads that were fetched ------------ */

/* As sink_host.unacked and .sent, of any sink. */
enum rc resume_unacked(struct resume_plan *p, const struct unacked_lead *unacked, struct lead **out,
                       struct err *e);
enum rc resume_sent(struct resume_plan *p, uint64_t seq, struct err *e);
void resume_sort_sent(struct resume_plan *p); /* after the last resume_sent() */
bool resume_was_sent(const struct resume_plan *p, uint64_t seq);

/* The loop: has the earlier run fetched it? Then its body, status and attempts are set. */
bool resume_take_buffered(struct resume_plan *p, struct lead *lead, struct buf *body);

#endif
