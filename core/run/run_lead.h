/* A lead of a run: what the run knows of it besides its content. Private to core/run.
 *
 * Sinks do not see this (lead->run is opaque to them): slot, memory and request, which belong to the
 * fetcher and the workers; and the outcome. Stages before the sinks decide the outcome (lead_fail()), or
 * say that the lead is ready. From then on the outcome belongs to outcome.h. */
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

/* Why a lead failed. Texts are in the lead's arena or static; those from a sink are in failure_text. `sink`
 * lives as long as the run. */
struct failure {
    enum stage stage;
    int http_status;  /* 0: no response */
    const char *sink; /* STAGE_SINK: its specification, without secrets */
    const char *code; /* a short word: the provider's own code, or one of ours, such as "timeout" */
    const char *error;
    unsigned attempts;
};

/* How much memory the lead has, and may have (memory.h). Sizes in bytes. */
struct lead_memory {
    size_t held_bytes;  /* its share of memory.held_bytes */
    size_t charge;      /* its share of the budget */
    size_t wants;       /* what it needs to continue, if it waits for memory */
    size_t beside;      /* what other leads had when it was alone and found no room */
    size_t arena_bytes; /* limit of its arena at the next try; 0: as for any lead */
    bool is_first;      /* it may use more than half of the budget */
    bool is_alone;      /* it may use all of it: no other lead is started */
    bool is_large;      /* it can only continue when it is alone */
    bool waits;         /* for memory; it is on its way back to the loop */
};

struct fetch_request;

struct run_lead {
    struct lead lead; /* sinks give back a const lead: lead->run->lead is the same */

    uint64_t item; /* which of the source's items it is, from 1 */
    uint64_t slot; /* of the ring (ring.h) */
    struct lead_memory memory;
    struct lead *next_waiting;     /* in the list of those that wait for memory (fetch_wait.c) */
    struct fetch_request *request; /* until the lead is completed (request_pool.h); or NULL */

    struct failure failure;
    char *failure_text;    /* owned; the texts of a sink's `failure` */
    enum outcome outcome;  /* PENDING until decided; then only its owner reads it */
    bool ready;            /* for the sinks; false: `outcome` is decided, or the run was stopped */
    bool counted;          /* its outcome is in the ledger already */
    bool reported_missing; /* to sinks, before it is finished */
    atomic_bool undecided; /* a sink was stopped before it could give its verdict */
    atomic_bool outdated;  /* a sink has accepted other content than this */
    atomic_uint holders;   /* holds of sinks: see outcome.h */
    atomic_uint readers;   /* sinks that still have to take it in; the arena lives until then */
    atomic_uint verdicts;  /* bit i: sink i has given its verdict */
    atomic_uint refusals;  /* 1: a sink failed it, and `failure` is that sink's to write */
};

/* Like lead_new(), but makes a struct run_lead around the lead; its outcome is pending. NULL: out of memory. */
struct lead *run_lead_new(struct str id, const struct str *params, size_t n_params);

/* Decides that the lead has failed. `code` and the formatted text are copied into the lead's arena; if there is no memory
 * for them, the code is "out_of_memory". */
void lead_fail(struct lead *lead, enum stage stage, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
