#include "core/run/resume_ids.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "core/run/tally.h"

static enum rc other_ids(const struct resume_ids *m, struct err *e)
{
    uint64_t high = m->before->tally.high;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: the first %llu, or their "
                   "order, differ; give the same IDs to resume it, or --fresh to discard it",
                   m->state_path, (unsigned long long)high);
}

static enum rc add_early(struct resume_ids *m, struct lead *lead)
{
    struct lead **early = list_grow(m->early, m->n_early, &m->cap_early, sizeof(struct lead *));
    if (!early)
        return RC_NOMEM;
    m->early = early;
    m->early[m->n_early++] = lead;
    return RC_OK;
}

enum rc resume_ids_take(struct resume_ids *m, struct lead *lead, bool *skip, bool *waits,
                        struct err *e)
{
    const struct state_checkpoint *before = m->before;
    *skip = *waits = false;
    if (!before || lead->seq >= before->tally.high)
        return RC_OK;
    *skip = m->next_hole == before->n_holes || before->holes[m->next_hole] != lead->seq;
    m->next_hole += !*skip;
    *waits = !*skip;
    if (*skip)
        tally_add_key(&m->seen, lead->seq, lead->key);
    else if (add_early(m, lead) != RC_OK) {
        *waits = false;
        return err_nomem(e);
    }
    bool is_last = lead->seq + 1 == before->tally.high;
    bool same = m->seen.key_a == before->tally.key_a && m->seen.key_b == before->tally.key_b;
    return is_last && !same ? other_ids(m, e) : RC_OK;
}

bool resume_ids_are_verified(const struct resume_ids *m, uint64_t next_place)
{
    return !m->before || next_place >= m->before->tally.high;
}

struct lead *resume_ids_next_early(struct resume_ids *m)
{
    return m->next_early < m->n_early ? m->early[m->next_early++] : NULL;
}

enum rc resume_ids_end(const struct resume_ids *m, uint64_t next_place, struct err *e)
{
    if (resume_ids_are_verified(m, next_place))
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: they end after %llu, but "
                   "%llu were done; give the same IDs to resume it, or --fresh to discard it",
                   m->state_path, (unsigned long long)next_place,
                   (unsigned long long)m->before->tally.high);
}

void resume_ids_free(struct resume_ids *m)
{
    for (size_t i = m->next_early; i < m->n_early; i++)
        lead_free(m->early[i]);
    free(m->early);
    *m = (struct resume_ids){0};
}
