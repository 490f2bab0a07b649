/* The IDs of the earlier part of the run, read once more: are they the same? */
#include <stdlib.h>

#include "core/base/grow.h"
#include "core/run/run_internal.h"

static enum rc other_ids(const struct run *r, struct err *e)
{
    uint64_t high = r->resume.run.checkpoint.tally.high;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: among the first %llu one is "
                   "another, or their order is; it goes on with the same IDs, --fresh forgets it",
                   r->cfg->state_path, (unsigned long long)high);
}

static enum rc add_early(struct resume *m, struct lead *lead)
{
    struct lead **early = list_grow(m->early, m->n_early, &m->cap_early, sizeof(struct lead *));
    if (!early)
        return RC_NOMEM;
    m->early = early;
    m->early[m->n_early++] = lead;
    return RC_OK;
}

enum rc resume_next_id(struct run *r, struct lead *lead, bool *skip, bool *waits, struct err *e)
{
    struct resume *m = &r->resume;
    const struct state_tally *done = &m->run.checkpoint.tally;
    *skip = *waits = false;
    if (!m->loaded || lead->seq >= done->high)
        return RC_OK;
    *skip = m->next_hole == m->run.checkpoint.n_holes ||
            m->run.checkpoint.holes[m->next_hole] != lead->seq;
    m->next_hole += !*skip;
    *waits = !*skip;
    if (*skip)
        tally_add_key(&m->seen, lead->seq, lead->key);
    else if (add_early(m, lead) != RC_OK) {
        *waits = false;
        return err_nomem(e);
    }
    bool is_last = lead->seq + 1 == done->high;
    bool same = m->seen.key_a == done->key_a && m->seen.key_b == done->key_b;
    return is_last && !same ? other_ids(r, e) : RC_OK;
}

bool resume_ids_are_sure(const struct run *r)
{
    return !r->resume.loaded || r->next_place >= r->resume.run.checkpoint.tally.high;
}

struct lead *resume_next_early(struct run *r)
{
    struct resume *m = &r->resume;
    return m->next_early < m->n_early ? m->early[m->next_early++] : NULL;
}

enum rc resume_end_of_ids(struct run *r, struct err *e)
{
    const struct resume *m = &r->resume;
    uint64_t high = m->loaded ? m->run.checkpoint.tally.high : 0;
    if (r->next_place >= high)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: they end after %llu, and "
                   "%llu were done; it goes on with the same IDs, --fresh forgets it",
                   r->cfg->state_path, (unsigned long long)r->next_place, (unsigned long long)high);
}
