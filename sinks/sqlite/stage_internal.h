/* What the files of stage.h share. Private to stage.c and stage_rows.c. */
#ifndef LEADPIPE_SINKS_SQLITE_STAGE_INTERNAL_H
#define LEADPIPE_SINKS_SQLITE_STAGE_INTERNAL_H

#include "sinks/sqlite/stage.h"

static inline const struct sql_relation *sqlite_stage_relation(const struct sqlite_stage *s,
                                                               size_t table)
{
    return &s->place->relations.items[table];
}

/* What column `i` of the staged table takes, where the profile gives it `type`. */
enum rc sqlite_stage_set_fit(struct sqlite_staged *t, size_t i, const struct sqlite_fit *fit,
                             enum column_type type, struct err *e);

#endif
