#include "core/run/run_status.h"

#include "core/run/run_record.h"

#define RECORD_MEMORY_MAX ((size_t)256 << 20)

enum rc run_status_read(struct run_status *out, const char *path, struct err *e)
{
    *out = (struct run_status){.n_sinks = 0};
    enum rc rc = state_status_read(&out->state, path, e);
    if (rc != RC_OK)
        return rc;
    arena_init(&out->memory, RECORD_MEMORY_MAX);
    if (out->state.run.record.ptr)
        rc = run_record_show(path, out->state.run.record, &out->memory, out->sinks, &out->n_sinks,
                             &out->result, e);
    if (rc != RC_OK)
        run_status_free(out);
    out->result.published = out->state.phase == STATE_FINISHED && !out->result.withheld;
    out->result.in_part = out->state.phase == STATE_PUBLISHING && !out->result.withheld;
    out->result.sinks = out->sinks;
    return rc;
}

void run_status_free(struct run_status *status)
{
    state_status_free(&status->state);
    arena_free(&status->memory);
}
