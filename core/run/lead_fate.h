/* What becomes of a lead: what the run knows of it beside its content. Private to core/run.
 *
 * lead->fate, which no sink sees. Stages before the sinks decide it (lead_fail()), or say that the lead
 * is ready; from then on it belongs to outcome.h. */
#ifndef LEADPIPE_LEAD_FATE_H
#define LEADPIPE_LEAD_FATE_H

#include <stdatomic.h>

#include "core/lead.h"

enum outcome {
    OUTCOME_PENDING,
    OUTCOME_EXPORTED,
    OUTCOME_UNCHANGED,
    OUTCOME_MISSING,
    OUTCOME_FAILED,
};

enum stage { STAGE_INPUT, STAGE_FETCH, STAGE_PARSE, STAGE_FLATTEN, STAGE_SINK };

const char *stage_text(enum stage s); /* "input", ... */

/* Why a lead failed. Texts live in the lead's arena or are static; those of a sink are in failure_text,
 * and `sink` lives as long as the run. */
struct failure {
    enum stage stage;
    int http_status;  /* 0: no answer */
    const char *sink; /* STAGE_SINK: its specification, without secrets */
    const char *code; /* a short word: the provider's own code, or ours such as "timeout" */
    const char *error;
    unsigned attempts;
};

struct lead_fate {
    struct lead lead; /* sinks give back a const lead: lead->fate->lead is the same */
    struct failure failure;
    char *failure_text;    /* owned; what `failure` of a sink points to */
    enum outcome outcome;  /* PENDING until decided; then only its owner reads it */
    bool ready;            /* for the sinks; else `outcome` is decided, or the run was stopped */
    bool counted;          /* its outcome is in the ledger already */
    bool reported_missing; /* to sinks, before it is finished */
    atomic_bool undecided; /* a sink was stopped before it could say */
    atomic_bool outdated;  /* a sink has accepted other content than this */
    atomic_uint holders;   /* sinks that still have to take it in or to give a verdict */
    atomic_uint readers;   /* sinks that still have to take it in: the arena lives until then */
    atomic_uint verdicts;  /* bit i: sink i has given its verdict */
    atomic_uint refusals;  /* 1: a sink failed it, and `failure` is that sink's to write */
};

/* As lead_new(), with a fate, which is pending. */
struct lead *lead_new_with_fate(struct str id, const struct str *params, size_t n_params);

/* Decides: failed. Texts are copied into the lead's arena; where it has no memory for them, the
 * code is "out_of_memory". `error` is formatted. */
void lead_fail(struct lead *lead, enum stage stage, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
