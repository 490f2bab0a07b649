#include "core/run/resume_ids.h"

#include <stdlib.h>

#include "core/base/grow.h"
#include "core/run/progress.h"

static enum rc add_deferred(struct resume_ids *m, struct lead *lead)
{
    struct lead **deferred =
        list_grow(m->deferred, m->n_deferred, &m->cap_deferred, sizeof(struct lead *));
    if (!deferred)
        return RC_NOMEM;
    m->deferred = deferred;
    m->deferred[m->n_deferred++] = lead;
    return RC_OK;
}

enum rc resume_ids_take(struct resume_ids *m, struct lead *lead, bool *skip, bool *waits,
                        struct err *e)
{
    const struct state_checkpoint *before = m->before;
    *skip = *waits = false;
    if (!before || lead->seq >= before->progress.high)
        return RC_OK;
    *skip = m->next_gap == before->n_gaps || before->gaps[m->next_gap] != lead->seq;
    m->next_gap += !*skip;
    *waits = !*skip;
    if (*skip)
        progress_add_key(&m->seen, lead_number(lead), lead->key);
    else if (add_deferred(m, lead) != RC_OK) {
        *waits = false;
        return err_nomem(e);
    }
    bool is_last = lead->seq + 1 == before->progress.high;
    bool same = m->seen.key_a == before->progress.key_a && m->seen.key_b == before->progress.key_b;
    if (!is_last || same)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: the first %llu, or their "
                   "order, differ; give the same IDs to resume it, or --fresh to discard it",
                   m->state_path, (unsigned long long)before->progress.high);
}

bool resume_ids_are_verified(const struct resume_ids *m, uint64_t next_seq)
{
    return !m->before || next_seq >= m->before->progress.high;
}

struct lead *resume_ids_next_deferred(struct resume_ids *m)
{
    return m->next_deferred < m->n_deferred ? m->deferred[m->next_deferred++] : NULL;
}

enum rc resume_ids_end(const struct resume_ids *m, uint64_t next_seq, struct err *e)
{
    if (resume_ids_are_verified(m, next_seq))
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "the IDs are not those of the unfinished run in %s: they end after %llu, but "
                   "%llu were done; give the same IDs to resume it, or --fresh to discard it",
                   m->state_path, (unsigned long long)next_seq,
                   (unsigned long long)m->before->progress.high);
}

void resume_ids_free(struct resume_ids *m)
{
    for (size_t i = m->next_deferred; i < m->n_deferred; i++)
        lead_free(m->deferred[i]);
    free(m->deferred);
    *m = (struct resume_ids){0};
}
