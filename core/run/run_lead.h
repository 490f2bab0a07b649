/* A lead of a run: what the run knows of it beside its content. Private to core/run.
 *
 * lead->run, which no sink sees: its slot, its memory and its request, which are the fetcher's and the
 * workers', and its outcome. Stages before the sinks decide that (lead_fail()), or say that the lead
 * is ready; from then on it belongs to outcome.h. */
#ifndef LEADPIPE_RUN_LEAD_H
#define LEADPIPE_RUN_LEAD_H

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

/* What the lead has of memory, and may have (memory.h). */
struct lead_memory {
    size_t held_bytes;  /* its share of memory.held_bytes */
    size_t charge;      /* bytes that it has of the budget */
    size_t wants;       /* bytes that it needs to continue, if it waits for them */
    size_t beside;      /* bytes that others had when it was alone, and found no room */
    size_t arena_bytes; /* that its arena may have at the next try; 0: as for any lead */
    bool is_first;      /* it may have what others may not */
    bool is_alone;      /* and all there is */
    bool is_large;      /* it cannot continue unless it is alone */
    bool waits;         /* on its way back to the loop, for want of memory */
};

struct fetch_request;

struct run_lead {
    struct lead lead; /* sinks give back a const lead: lead->run->lead is the same */

    uint64_t item; /* which of the source's items it is, from 1 */
    uint64_t slot; /* of the ring (ring.h) */
    struct lead_memory memory;
    struct lead *next_waiting;     /* of those that wait for memory (fetch_wait.c) */
    struct fetch_request *request; /* until the lead is completed (request_pool.h); or NULL */

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

/* As lead_new(), of a run; its outcome is pending. */
struct lead *run_lead_new(struct str id, const struct str *params, size_t n_params);

/* Decides: failed. Texts are copied into the lead's arena; where it has no memory for them, the
 * code is "out_of_memory". `error` is formatted. */
void lead_fail(struct lead *lead, enum stage stage, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
