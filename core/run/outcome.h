/* The outcome of a lead: exactly one, recorded once: in the ledger, its lists, and the notes of accepted
 * content. Private to core/run. Any thread; a lead belongs to one thread at a time, but its sinks' verdicts
 * come from several.
 *
 * A lead that never reaches the sinks is finished by whoever decides it (outcome_finish()). One that does is
 * held twice by each sink: until the sink has taken it in, and until it has given its verdict. The last
 * release finishes the lead. */
#ifndef LEADPIPE_OUTCOME_H
#define LEADPIPE_OUTCOME_H

#include "core/run/control.h"
#include "core/run/run_lead.h"
#include "core/run/ledger.h"
#include "core/run/memory.h"
#include "core/run/resume.h"
#include "core/sink.h"
#include "core/source.h"
#include "core/state/state.h"

struct outcomes {
    struct control *control;
    struct memory *memory;
    struct ledger *ledger;
    struct state *state; /* where accepted content is noted; NULL: nowhere */
    /* Where offsets are committed as leads are settled; NULL: they are not. */
    struct id_source *queue;
    bool lists_failed, lists_missing; /* in files, which appear at the end */
    bool warns; /* about failed and missing leads: without an end, nothing else names them */
    const struct resume_plan *resume; /* NULL: the run was not resumed. Else an earlier note may not
                                         hold any more */
};

/* The outcome is decided: notes, lists and counts it, gives back the lead's memory and frees the lead. */
void outcome_finish(struct outcomes *o, struct lead *lead);

/* The lead goes to `n_sinks` sinks. */
void outcome_hold(struct lead *lead, unsigned n_sinks);
/* A missing lead goes to the `n_sinks` sinks that want it, which give no verdict: lists and counts it now; the last sink
 * that has taken it in finishes it. */
void outcome_hold_missing(struct outcomes *o, struct lead *lead, unsigned n_sinks);
/* Likewise, a failed one. */
void outcome_hold_failed(struct outcomes *o, struct lead *lead, unsigned n_sinks);
/* Sink number `sink`, described by `spec`, gives its verdict; a second one is ignored. May free the lead. */
void outcome_settle(struct outcomes *o, const struct lead *lead, unsigned sink, const char *spec,
                    const struct verdict *v);
/* A sink has taken the lead in. May free the lead. */
void outcome_release(struct outcomes *o, struct lead *lead);

/* The lead's rows and tree have been freed: gives back their share of the memory budget. */
void outcome_release_memory(struct outcomes *o, struct lead *lead);

#endif
