#include "cmd/shard_auto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/units.h"

/* How a scheduler numbers the tasks of one job. */
struct scheduler {
    const char *name;
    const char *index, *count; /* variables */
    const char *first;         /* the variable of the lowest index; NULL: it is 0 */
    const char *last, *step;   /* optional variables, checked if they are set; NULL: none */
    const char *run;           /* an optional variable that is the same in all tasks of the job */
    const char *hint;          /* where `count` comes from, if it is missing */
};

static const struct scheduler schedulers[] = {
    {
        .name = "Kubernetes",
        .index = "JOB_COMPLETION_INDEX",
        .count = "JOB_COMPLETIONS",
        .run = "LEADPIPE_SHARD_RUN", /* which the pod template sets */
        .hint = "set it in the pod template to the job's completions",
    },
    {
        .name = "Slurm",
        .index = "SLURM_ARRAY_TASK_ID",
        .count = "SLURM_ARRAY_TASK_COUNT",
        .first = "SLURM_ARRAY_TASK_MIN",
        .last = "SLURM_ARRAY_TASK_MAX",
        .step = "SLURM_ARRAY_TASK_STEP",
        .run = "SLURM_ARRAY_JOB_ID",
        .hint = "it is that of a job array (sbatch --array)",
    },
    {
        .name = "AWS Batch",
        .index = "AWS_BATCH_JOB_ARRAY_INDEX",
        .count = "AWS_BATCH_JOB_ARRAY_SIZE",
        .run = "AWS_BATCH_JOB_ID", /* ID:INDEX */
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

enum rc shard_run_check(const char *name, struct err *e)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@+=";
    size_t n = strlen(name);
    if (n > 0 && n <= SHARD_RUN_BYTES_MAX && strspn(name, allowed) == n)
        return RC_OK;
    return err_set(e, RC_USAGE, "the name of a run is 1 to %d letters, digits, and - _ . : / @ + =",
                   SHARD_RUN_BYTES_MAX);
}

static enum rc read_run(const struct scheduler *s, char run[SHARD_RUN_BYTES_MAX + 1], struct err *e)
{
    run[0] = '\0';
    const char *text = getenv(s->run);
    if (!text || !*text)
        return RC_OK;
    size_t n = strcmp(s->run, "AWS_BATCH_JOB_ID") == 0 ? strcspn(text, ":") : strlen(text);
    int length = n > SHARD_RUN_BYTES_MAX ? SHARD_RUN_BYTES_MAX + 1 : (int)n;
    (void)snprintf(run, SHARD_RUN_BYTES_MAX + 1, "%.*s", length, text);
    enum rc rc = length > SHARD_RUN_BYTES_MAX ? shard_run_check("", e) : shard_run_check(run, e);
    if (rc != RC_OK)
        err_prefix(e, "%s", s->run);
    return rc;
}

enum rc shard_auto(struct shard *out, char run[SHARD_RUN_BYTES_MAX + 1], struct err *e)
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
    enum rc rc = read_shard(found, out, e);
    return rc == RC_OK ? read_run(found, run, e) : rc;
}
