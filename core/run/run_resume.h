/* A run that goes on: what it takes from the state, and whether it may. Private to core/run. */
#ifndef LEADPIPE_RUN_RESUME_H
#define LEADPIPE_RUN_RESUME_H

#include "core/run/run.h"
#include "core/state/state.h"

struct outlet;

/* What a run has of the state, beyond what is in its stages. Zero it first. */
struct resume {
    bool loaded;       /* an unfinished run goes on */
    struct str totals; /* of its engine; absent without one */
    struct state_run run;
    struct state_failures failures;

    /* Leads that sinks still owe a verdict, by place. Of run_new(); the sinks have them then. */
    struct lead **owed;
    size_t n_owed, cap_owed;
    uint64_t owed_failed; /* of them: another sink had failed them */

    /* Places of leads that sinks have in deliveries, and that come once more. Ascending. */
    uint64_t *sent;
    size_t n_sent, cap_sent;

    /* Of the IDs' thread: */
    struct state_tally seen; /* of the IDs that were done, read once more */
    size_t next_hole;
    struct lead **early; /* not done, but before the last one that was: until the IDs are sure */
    size_t next_early, n_early, cap_early;

    /* Of the loop: payloads that the earlier run had fetched. */
    const uint64_t *kept;
    size_t n_kept, next_kept;
};

/* run_resume.c: may it go on, and where do its stages begin? */

/* Opens the state; begins a run, or finds the one to go on with. RC_USAGE: it holds an unfinished
 * run of another command; else as state_open(). */
enum rc resume_open(struct run *r, struct err *e);

/* Puts columns and counts of the earlier run into the stages that are there. */
enum rc resume_restore(struct run *r, struct err *e);
/* The mark for a sink; NULL: it begins. */
const struct sink_mark *resume_mark(const struct run *r, size_t sink, struct sink_mark *mark);
/* After the sinks were opened: what the ledger begins with. */
enum rc resume_count(struct run *r, struct err *e);
void resume_free(struct run *r);

/* run_resume_leads.c: leads that sinks have already, and payloads that were fetched */

/* sink_host.owed and .sent */
enum rc resume_owed(void *outlet, struct sink *sink, const struct owed_lead *owed,
                    struct lead **out, struct err *e);
enum rc resume_sent(void *outlet, struct sink *sink, uint64_t place, struct err *e);
void resume_sort_sent(struct resume *m); /* after the last resume_sent() */
bool resume_was_sent(const struct run *r, uint64_t place);

/* The loop: has the earlier run fetched it? Then its body, status and attempts are set. */
bool resume_take_kept(struct run *r, struct lead *lead, struct buf *body);

/* run_resume_ids.c: are the IDs those that were done? */

/* The IDs' thread. What to do with the next lead; *skip: it was done, and is freed by the caller.
 * *waits: it is early and stays here, until resume_next_early(). RC_USAGE: the IDs are others. */
enum rc resume_next_id(struct run *r, struct lead *lead, bool *skip, bool *waits, struct err *e);
/* Has all that was done before been read, and is the same? Then those that wait may go on, one lead
 * after the other; NULL: none any more. */
bool resume_ids_are_sure(const struct run *r);
struct lead *resume_next_early(struct run *r);
/* The input has ended: RC_USAGE when it is shorter than what was done. */
enum rc resume_end_of_ids(struct run *r, struct err *e);

#endif
