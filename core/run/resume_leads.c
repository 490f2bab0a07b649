/* Leads that the earlier part of the run left: with sinks, or fetched. */
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/run/resume.h"
#include "core/source/id_seen.h"

/* ---- leads that sinks owe ------------------------------------------------------------------- */

/* The first that is not below `place`: they are in order of their places. */
static size_t find_owed(const struct resume_plan *p, uint64_t place)
{
    size_t low = 0;
    size_t high = p->n_owed;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->owed[middle]->seq < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct lead *get_owed(const struct resume_plan *p, uint64_t place)
{
    size_t i = find_owed(p, place);
    return i < p->n_owed && p->owed[i]->seq == place ? p->owed[i] : NULL;
}

static enum rc add_owed(struct resume_plan *p, struct lead *lead)
{
    struct lead **owed = list_grow(p->owed, p->n_owed, &p->cap_owed, sizeof(struct lead *));
    if (!owed)
        return RC_NOMEM;
    p->owed = owed;
    size_t i = find_owed(p, lead->seq);
    memmove(p->owed + i + 1, p->owed + i, (p->n_owed - i) * sizeof(struct lead *));
    p->owed[i] = lead;
    p->n_owed++;
    return RC_OK;
}

static enum rc make_owed(struct resume_plan *p, const struct owed_lead *owed, struct lead **out,
                         struct err *e)
{
    struct lead *lead = lead_new(owed->id, owed->params, p->cfg->profile->n_params);
    if (!lead)
        return err_nomem(e);
    lead->seq = owed->seq;
    memcpy(lead->fingerprint, owed->fingerprint, sizeof lead->fingerprint);
    enum rc rc = id_key(owed->id, owed->params, p->cfg->profile->n_params, lead->key, e);
    bool failed = false;
    if (rc == RC_OK)
        rc = state_has_failed(p->state, owed->seq, &failed, e);
    if (rc == RC_OK && add_owed(p, lead) != RC_OK)
        rc = err_nomem(e);
    if (rc != RC_OK) {
        lead_free(lead);
        return rc;
    }
    if (failed) { /* by another sink: it is counted and listed */
        lead->refusals = 1;
        lead->outcome = OUTCOME_FAILED;
        lead->counted = true;
        p->owed_failed++;
    }
    *out = lead;
    return RC_OK;
}

enum rc resume_owed(struct resume_plan *p, const struct owed_lead *owed, struct lead **out,
                    struct err *e)
{
    *out = NULL;
    if (!tally_is_done(&p->tally, owed->seq))
        return RC_OK;
    struct lead *lead = get_owed(p, owed->seq);
    enum rc rc = lead ? RC_OK : make_owed(p, owed, &lead, e);
    if (rc != RC_OK || !lead)
        return rc;
    lead->holders++; /* no other thread knows it yet */
    *out = lead;
    return RC_OK;
}

/* ---- leads that sinks have in deliveries ---------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum rc resume_sent(struct resume_plan *p, uint64_t place, struct err *e)
{
    uint64_t *sent = list_grow(p->sent, p->n_sent, &p->cap_sent, sizeof *sent);
    if (!sent)
        return err_nomem(e);
    p->sent = sent;
    p->sent[p->n_sent++] = place;
    return RC_OK;
}

void resume_sort_sent(struct resume_plan *p)
{
    if (p->n_sent)
        qsort(p->sent, p->n_sent, sizeof *p->sent, compare_places);
}

bool resume_was_sent(const struct resume_plan *p, uint64_t place)
{
    return p->n_sent && bsearch(&place, p->sent, p->n_sent, sizeof *p->sent, compare_places);
}

/* ---- kept payloads -------------------------------------------------------------------------- */

static bool is_kept(struct resume_plan *p, uint64_t place)
{
    while (p->next_kept < p->n_kept && p->kept[p->next_kept] < place)
        p->next_kept++;
    return p->next_kept < p->n_kept && p->kept[p->next_kept] == place;
}

bool resume_take_kept(struct resume_plan *p, struct lead *lead, struct buf *body)
{
    struct state_kept kept;
    struct err e;
    if (!is_kept(p, lead->seq))
        return false;
    enum rc rc = state_take_kept(p->state, lead->seq, &kept, body, &e);
    if (rc != RC_OK || memcmp(kept.key, lead->key, sizeof kept.key) != 0) {
        buf_clear(body); /* it is fetched once more; the state's errors stop the run */
        return false;
    }
    lead->http_status = kept.http_status;
    lead->attempts = kept.attempts;
    lead->mended = kept.mended;
    return true;
}
