/* Leads that an earlier part of the run has left: those that sinks have, and payloads that were fetched. */
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/run/run_lead.h"
#include "core/run/resume.h"
#include "core/source/id_seen.h"

/* ---- leads without a verdict ---------------------------------------------------------------- */

/* The index of the first lead whose sequence number is not below `seq`; they are sorted. */
static size_t find_unacked(const struct resume_plan *p, uint64_t seq)
{
    size_t low = 0;
    size_t high = p->n_unacked;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->unacked[middle]->seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum rc add_unacked(struct resume_plan *p, struct lead *lead)
{
    struct lead **unacked =
        list_grow(p->unacked, p->n_unacked, &p->cap_unacked, sizeof(struct lead *));
    if (!unacked)
        return RC_NOMEM;
    p->unacked = unacked;
    size_t i = find_unacked(p, lead->seq);
    memmove(p->unacked + i + 1, p->unacked + i, (p->n_unacked - i) * sizeof(struct lead *));
    p->unacked[i] = lead;
    p->n_unacked++;
    return RC_OK;
}

static enum rc make_unacked(struct resume_plan *p, const struct unacked_lead *unacked,
                            struct lead **out, struct err *e)
{
    struct lead *lead = run_lead_new(unacked->id, unacked->params, p->cfg->profile->n_params);
    if (!lead)
        return err_nomem(e);
    lead->seq = unacked->seq;
    memcpy(lead->fingerprint, unacked->fingerprint, sizeof lead->fingerprint);
    memcpy(lead->content_hash, lead->fingerprint, sizeof lead->content_hash);
    enum rc rc = id_key(unacked->id, unacked->params, p->cfg->profile->n_params, lead->key, e);
    bool failed = false;
    if (rc == RC_OK)
        rc = state_has_failed(p->state, unacked->seq, &failed, e);
    if (rc == RC_OK && add_unacked(p, lead) != RC_OK)
        rc = err_nomem(e);
    if (rc != RC_OK) {
        lead_free(lead);
        return rc;
    }
    if (failed) { /* by another sink: it has been counted and listed */
        lead->run->refusals = 1;
        lead->run->outcome = OUTCOME_FAILED;
        lead->run->counted = true;
        p->unacked_failed++;
    }
    *out = lead;
    return RC_OK;
}

enum rc resume_unacked(struct resume_plan *p, const struct unacked_lead *unacked, struct lead **out,
                       struct err *e)
{
    *out = NULL;
    if (!progress_is_done(&p->progress, unacked->seq))
        return RC_OK;
    size_t i = find_unacked(p, unacked->seq);
    bool is_known = i < p->n_unacked && p->unacked[i]->seq == unacked->seq;
    struct lead *lead = is_known ? p->unacked[i] : NULL;
    enum rc rc = is_known ? RC_OK : make_unacked(p, unacked, &lead, e);
    if (rc != RC_OK || !lead)
        return rc;
    lead->run->holders++; /* no other thread has the lead yet */
    *out = lead;
    return RC_OK;
}

/* ---- leads that sinks have in deliveries ---------------------------------------------------- */

static int compare_seqs(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum rc resume_sent(struct resume_plan *p, uint64_t seq, struct err *e)
{
    uint64_t *sent = list_grow(p->sent, p->n_sent, &p->cap_sent, sizeof *sent);
    if (!sent)
        return err_nomem(e);
    p->sent = sent;
    p->sent[p->n_sent++] = seq;
    return RC_OK;
}

void resume_sort_sent(struct resume_plan *p)
{
    if (p->n_sent)
        qsort(p->sent, p->n_sent, sizeof *p->sent, compare_seqs);
}

bool resume_was_sent(const struct resume_plan *p, uint64_t seq)
{
    return p->n_sent && bsearch(&seq, p->sent, p->n_sent, sizeof *p->sent, compare_seqs);
}

/* ---- buffered payloads ---------------------------------------------------------------------- */

bool resume_take_buffered(struct resume_plan *p, struct lead *lead, struct buf *body)
{
    struct state_buffered payload;
    struct err e;
    /* Leads come in order: earlier payloads are not needed again. */
    while (p->next_buffered < p->n_buffered && p->buffered[p->next_buffered] < lead->seq)
        p->next_buffered++;
    if (p->next_buffered == p->n_buffered || p->buffered[p->next_buffered] != lead->seq)
        return false;
    enum rc rc = state_take_buffered(p->state, lead->seq, &payload, body, &e);
    if (rc != RC_OK || memcmp(payload.key, lead->key, sizeof payload.key) != 0) {
        buf_clear(body); /* it is fetched again; an error of the state stops the run anyway */
        return false;
    }
    lead->http_status = payload.http_status;
    lead->attempts = payload.attempts;
    return true;
}
