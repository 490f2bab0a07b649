#include "sinks/sql/load_options.h"

enum rc sql_load_options_check(enum sql_mode mode, enum sql_deletes deletes, const char *spec,
                               struct err *e)
{
    if (deletes == SQL_DELETES_IGNORE || mode == SQL_MODE_UPSERT)
        return RC_OK;
    return err_set(e, RC_USAGE, "%s: deletes=%s needs mode=upsert: mode=%s", spec,
                   deletes == SQL_DELETES_MARK ? "mark" : "delete",
                   mode == SQL_MODE_APPEND ? "append keeps the rows of every run"
                                           : "replace holds the leads of one run only");
}
