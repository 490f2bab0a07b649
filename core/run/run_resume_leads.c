/* Leads that the earlier part of the run left: with sinks, or fetched. */
#include <stdlib.h>
#include <string.h>

#include "core/base/grow.h"
#include "core/run/run_internal.h"

/* ---- leads that sinks owe ------------------------------------------------------------------- */

/* The first that is not below `place`: they are in order of their places. */
static size_t find_owed(const struct resume *m, uint64_t place)
{
    size_t low = 0;
    size_t high = m->n_owed;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->owed[middle]->seq < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct lead *get_owed(const struct resume *m, uint64_t place)
{
    size_t i = find_owed(m, place);
    return i < m->n_owed && m->owed[i]->seq == place ? m->owed[i] : NULL;
}

static enum rc add_owed(struct resume *m, struct lead *lead)
{
    struct lead **owed = list_grow(m->owed, m->n_owed, &m->cap_owed, sizeof(struct lead *));
    if (!owed)
        return RC_NOMEM;
    m->owed = owed;
    size_t i = find_owed(m, lead->seq);
    memmove(m->owed + i + 1, m->owed + i, (m->n_owed - i) * sizeof(struct lead *));
    m->owed[i] = lead;
    m->n_owed++;
    return RC_OK;
}

static enum rc make_owed(struct run *r, const struct owed_lead *owed, struct lead **out,
                         struct err *e)
{
    struct resume *m = &r->resume;
    struct lead *lead = lead_new(owed->id, owed->params, r->cfg->profile->n_params);
    if (!lead)
        return err_nomem(e);
    lead->seq = owed->seq;
    memcpy(lead->fingerprint, owed->fingerprint, sizeof lead->fingerprint);
    enum rc rc = id_key(owed->id, owed->params, r->cfg->profile->n_params, lead->key, e);
    bool failed = false;
    if (rc == RC_OK)
        rc = state_has_failed(r->state, owed->seq, &failed, e);
    if (rc == RC_OK && add_owed(m, lead) != RC_OK)
        rc = err_nomem(e);
    if (rc != RC_OK) {
        lead_free(lead);
        return rc;
    }
    if (failed) { /* by another sink: it is counted and listed */
        lead->refusals = 1;
        lead->outcome = OUTCOME_FAILED;
        lead->counted = true;
        m->owed_failed++;
    }
    *out = lead;
    return RC_OK;
}

enum rc resume_owed(void *outlet, struct sink *sink, const struct owed_lead *owed,
                    struct lead **out, struct err *e)
{
    struct run *r = ((struct outlet *)outlet)->run;
    (void)sink;
    *out = NULL;
    if (!tally_is_done(&r->tally, owed->seq))
        return RC_OK;
    struct lead *lead = get_owed(&r->resume, owed->seq);
    enum rc rc = lead ? RC_OK : make_owed(r, owed, &lead, e);
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

enum rc resume_sent(void *outlet, struct sink *sink, uint64_t place, struct err *e)
{
    struct resume *m = &((struct outlet *)outlet)->run->resume;
    (void)sink;
    uint64_t *sent = list_grow(m->sent, m->n_sent, &m->cap_sent, sizeof *sent);
    if (!sent)
        return err_nomem(e);
    m->sent = sent;
    m->sent[m->n_sent++] = place;
    return RC_OK;
}

void resume_sort_sent(struct resume *m)
{
    if (m->n_sent)
        qsort(m->sent, m->n_sent, sizeof *m->sent, compare_places);
}

bool resume_was_sent(const struct run *r, uint64_t place)
{
    const struct resume *m = &r->resume;
    return m->n_sent && bsearch(&place, m->sent, m->n_sent, sizeof *m->sent, compare_places);
}

/* ---- kept payloads -------------------------------------------------------------------------- */

static bool is_kept(struct resume *m, uint64_t place)
{
    while (m->next_kept < m->n_kept && m->kept[m->next_kept] < place)
        m->next_kept++;
    return m->next_kept < m->n_kept && m->kept[m->next_kept] == place;
}

bool resume_take_kept(struct run *r, struct lead *lead, struct buf *body)
{
    struct state_kept kept;
    struct err e;
    if (!is_kept(&r->resume, lead->seq))
        return false;
    enum rc rc = state_take_kept(r->state, lead->seq, &kept, body, &e);
    if (rc != RC_OK || memcmp(kept.key, lead->key, sizeof kept.key) != 0) {
        buf_clear(body); /* it is fetched once more; the state's errors stop the run */
        return false;
    }
    lead->http_status = kept.http_status;
    lead->attempts = kept.attempts;
    lead->mended = kept.mended;
    return true;
}
