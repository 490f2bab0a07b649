/* The options of sinks that load into databases, and what they mean. */
#ifndef LEADPIPE_SINKS_SQL_LOAD_OPTIONS_H
#define LEADPIPE_SINKS_SQL_LOAD_OPTIONS_H

#include "core/base/err.h"
#include "core/base/option.h"

/* What the tables hold after a run. */
enum sql_mode {
    SQL_MODE_UPSERT,  /* its leads as they are now, and all others as they were */
    SQL_MODE_APPEND,  /* the rows of every run */
    SQL_MODE_REPLACE, /* its leads only */
};

/* What becomes of leads in the tables that the provider no longer has. */
enum sql_deletes { SQL_DELETES_IGNORE, SQL_DELETES_MARK, SQL_DELETES_DELETE };

/* Two rows of a sink's table of options; `at_...` are OPTION_AT(struct, CHOICE, member). */
#define SQL_OPTION_MODE(at_mode)                                                                   \
    {                                                                                              \
        .name = "mode", at_mode, .choices = "upsert|append|replace", .default_text = "upsert",     \
        .help = "upsert: leads that are in the tables are replaced where they differ; append: "    \
                "every run adds its rows, and _run_id is part of the key; replace: afterwards "    \
                "the tables hold the leads of this run only"                                       \
    }
#define SQL_OPTION_DELETES(at_deletes)                                                             \
    {                                                                                              \
        .name = "deletes", at_deletes, .choices = "ignore|mark|delete", .default_text = "ignore",  \
        .help = "leads in the tables that the provider no longer has (404, 410): ignore: they "    \
                "stay; mark: _deleted_at is set in the table of the leads; delete: all their "     \
                "rows are deleted; both need mode=upsert. See --max-gone"                          \
    }

/* RC_USAGE: they do not go together. `spec` is for the message. */
enum rc sql_load_options_check(enum sql_mode mode, enum sql_deletes deletes, const char *spec,
                               struct err *e);

#endif
