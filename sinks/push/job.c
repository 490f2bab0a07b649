#include "sinks/push/job.h"

#include <stdlib.h>

void job_free(struct job *j)
{
    if (!j)
        return;
    buf_free(&j->body);
    buf_free(&j->url);
    arena_free(&j->memory);
    free(j);
}

static size_t count_field_headers(const struct destination *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_headers; i++)
        n += d->headers[i].value.has_field || d->headers[i].value.has_taken;
    return n;
}

static enum rc fill(struct job *j, const struct destination *d, struct str body)
{
    enum rc rc = items_take(&j->memory, body, d->max_items, &j->items, &j->n);
    if (rc != RC_OK)
        return rc;
    j->verdicts = arena_array(&j->memory, j->n, sizeof *j->verdicts);
    j->attempts = arena_zalloc(&j->memory, j->n * sizeof *j->attempts);
    /* Halves leave one more each time, single ones as many as there are. */
    j->ranges = arena_array(&j->memory, j->n + 64, sizeof *j->ranges);
    j->headers = arena_array(&j->memory, count_field_headers(d) + 1, sizeof *j->headers);
    if (!j->verdicts || !j->attempts || !j->ranges || !j->headers)
        return RC_NOMEM;
    for (size_t i = 0; i < j->n; i++)
        j->verdicts[i] = (struct verdict){.kind = VERDICT_PENDING};
    job_push(j, 0, j->n);
    return RC_OK;
}

enum rc job_new(struct job **out, const struct destination *d, struct str body, struct err *e)
{
    struct job *j = calloc(1, sizeof *j);
    if (!j)
        return err_nomem(e);
    arena_init(&j->memory, SIZE_MAX);
    buf_init(&j->body, DESTINATION_BODY_MAX);
    buf_init(&j->url, JOB_URL_MAX);
    enum rc rc = fill(j, d, body);
    if (rc == RC_OK) {
        *out = j;
        return RC_OK;
    }
    job_free(j);
    return rc == RC_NOMEM ? err_nomem(e) : err_set(e, RC_INTERNAL, "the batch is damaged");
}

void job_push(struct job *j, size_t from, size_t to)
{
    if (from < to)
        j->ranges[j->n_ranges++] = (struct range){from, to};
}
