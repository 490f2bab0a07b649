#include "cmd/shard_auto.h"

#include <stdlib.h>

#include "core/base/units.h"

/* How a scheduler numbers the tasks of one job. */
struct scheduler {
    const char *name;
    const char *index, *count; /* variables */
    const char *first;         /* the variable of the lowest index; NULL: it is 0 */
    const char *last, *step;   /* optional variables, checked if they are set; NULL: none */
    const char *hint;          /* where `count` comes from, if it is missing */
};

static const struct scheduler schedulers[] = {
    {
        .name = "Kubernetes",
        .index = "JOB_COMPLETION_INDEX",
        .count = "JOB_COMPLETIONS",
        .hint = "set it in the pod template to the job's completions",
    },
    {
        .name = "Slurm",
        .index = "SLURM_ARRAY_TASK_ID",
        .count = "SLURM_ARRAY_TASK_COUNT",
        .first = "SLURM_ARRAY_TASK_MIN",
        .last = "SLURM_ARRAY_TASK_MAX",
        .step = "SLURM_ARRAY_TASK_STEP",
        .hint = "it is that of a job array (sbatch --array)",
    },
    {
        .name = "AWS Batch",
        .index = "AWS_BATCH_JOB_ARRAY_INDEX",
        .count = "AWS_BATCH_JOB_ARRAY_SIZE",
        .hint = "it is that of an array job",
    },
};

#define N_SCHEDULERS (sizeof schedulers / sizeof *schedulers)

static enum rc read_number(const char *variable, const char *hint, uint64_t *out, struct err *e)
{
    const char *text = getenv(variable);
    if (!text || !*text)
        return err_set(e, RC_USAGE, "%s is not set: %s", variable, hint);
    size_t n = 0;
    for (*out = 0; text[n] >= '0' && text[n] <= '9' && n < 10; n++)
        *out = *out * 10 + (uint64_t)(text[n] - '0');
    if (n == 0 || text[n])
        return err_set(e, RC_USAGE, "%s is \"%s\", which is not a number", variable, text);
    return RC_OK;
}

static bool is_there(const char *variable)
{
    const char *text = variable ? getenv(variable) : NULL;
    return text && *text;
}

/* If the indexes had gaps, no run would do the leads of some shards. */
static enum rc check_gaps(const struct scheduler *s, uint64_t first, uint64_t count, struct err *e)
{
    uint64_t step = 1;
    uint64_t last = first + count - 1;
    enum rc rc = is_there(s->step) ? read_number(s->step, s->hint, &step, e) : RC_OK;
    if (rc == RC_OK && is_there(s->last))
        rc = read_number(s->last, s->hint, &last, e);
    if (rc != RC_OK)
        return rc;
    if (step != 1)
        return err_set(e, RC_USAGE,
                       "%s is %llu: the tasks of the array must be numbered in steps of 1", s->step,
                       (unsigned long long)step);
    if (last - first + 1 != count)
        return err_set(
            e, RC_USAGE,
            "%s is %llu, but the tasks are numbered from %llu to %llu: the array must have no "
            "gaps; or give --shard I/N",
            s->count, (unsigned long long)count, (unsigned long long)first,
            (unsigned long long)last);
    return RC_OK;
}

static enum rc read_shard(const struct scheduler *s, struct shard *out, struct err *e)
{
    uint64_t index = 0;
    uint64_t count = 0;
    uint64_t first = 0;
    enum rc rc = read_number(s->index, s->hint, &index, e);
    if (rc == RC_OK)
        rc = read_number(s->count, s->hint, &count, e);
    if (rc == RC_OK && s->first)
        rc = read_number(s->first, s->hint, &first, e);
    if (rc != RC_OK)
        return rc;
    if (count == 0 || count > SHARDS_MAX)
        return err_set(e, RC_USAGE, "%s is %llu: it must be from 1 to %d", s->count,
                       (unsigned long long)count, SHARDS_MAX);
    rc = check_gaps(s, first, count, e);
    if (rc != RC_OK)
        return rc;
    if (index < first || index - first >= count)
        return err_set(e, RC_USAGE, "%s is %llu: it must be from %llu to %llu (%s is %llu)",
                       s->index, (unsigned long long)index, (unsigned long long)first,
                       (unsigned long long)(first + count - 1), s->count,
                       (unsigned long long)count);
    *out = (struct shard){(uint32_t)(index - first), (uint32_t)count};
    return RC_OK;
}

enum rc shard_auto(struct shard *out, struct err *e)
{
    const struct scheduler *found = NULL;
    for (size_t i = 0; i < N_SCHEDULERS; i++) {
        if (!is_there(schedulers[i].index))
            continue;
        if (found)
            return err_set(e, RC_USAGE, "both %s (%s) and %s (%s) are set; give --shard I/N",
                           found->index, found->name, schedulers[i].index, schedulers[i].name);
        found = &schedulers[i];
    }
    if (!found)
        return err_set(
            e, RC_USAGE,
            "none of JOB_COMPLETION_INDEX (Kubernetes), SLURM_ARRAY_TASK_ID and "
            "AWS_BATCH_JOB_ARRAY_INDEX is set: this is not a task of an indexed job; give "
            "--shard I/N");
    return read_shard(found, out, e);
}
