#include "sinks/sql/record.h"

enum rc sql_record_take(const struct sink_cfg *cfg, struct arena *memory, struct str *out,
                        struct err *e)
{
    struct str record;
    if (!cfg->queue)
        return RC_OK;
    enum rc rc = cfg->host.record(cfg->host.ctx, &record, e);
    if (rc != RC_OK)
        return rc;
    const char *copy = arena_strdup(memory, record);
    *out = (struct str){copy, record.len};
    return copy ? RC_OK : err_nomem(e);
}
