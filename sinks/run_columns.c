#include "sinks/run_columns.h"

#include "core/provider/table_column.h"

void run_columns_init(struct run_columns *c, const struct sink_cfg *cfg, bool are_wanted)
{
    *c = (struct run_columns){.n = are_wanted ? RUN_COLUMNS_MAX : 0};
    clock_format(cfg->started_ms, c->started_at);
    c->names[0] = column_exported_at.name;
    c->values[0] = str_c(c->started_at);
    c->names[1] = column_run_id.name;
    c->values[1] = str_c(cfg->run_id);
}
