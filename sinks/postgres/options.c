#include "sinks/postgres/options.h"

#define AT(type, member) OPTION_AT(struct pg_opts, type, member)

const struct option_spec pg_opt_specs[] = {
    {.name = "schema",
     AT(TEXT, schema),
     .default_note = "the first schema of the search path that is there",
     .help = "the schema of the tables, made if it is not there"},
    {.name = "prefix", AT(TEXT, prefix), .help = "what the names of all tables begin with"},
    {.name = "mode",
     AT(CHOICE, mode),
     .choices = "upsert|append|replace",
     .default_text = "upsert",
     .help = "upsert: leads that are in the tables are replaced where they differ; append: every "
             "run adds its rows, and _run_id is part of the key; replace: afterwards the tables "
             "hold the leads of this run only"},
    {.name = "deletes",
     AT(CHOICE, deletes),
     .choices = "ignore|mark|delete",
     .default_text = "ignore",
     .help =
         "leads that the tables hold and the provider does not have any more (404, 410): ignore: "
         "they stay; mark: _deleted_at is set in the table of the leads; delete: all their rows "
         "are deleted. See --max-gone"},
    {.name = "types",
     AT(CHOICE, types),
     .choices = "typed|text",
     .default_text = "typed",
     .help = "text: every column is text, and there is no _misfits"},
    {.name = "commit-rows",
     AT(NUMBER, commit_rows),
     .min = 1,
     .max = 1000000000,
     .default_text = "100000",
     .flags = OPTION_MAY_CHANGE,
     .help = "rows that are loaded in one transaction, at most"},
    {.name = NULL},
};
