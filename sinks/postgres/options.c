#include "sinks/postgres/options.h"

#define AT(type, member) OPTION_AT(struct pg_opts, type, member)

const struct option_spec pg_opt_specs[] = {
    {.name = "schema",
     AT(TEXT, schema),
     .default_note = "the first schema of the search path that is there",
     .help = "the schema of the tables, made if it is not there"},
    {.name = "prefix", AT(TEXT, prefix), .help = "what the names of all tables begin with"},
    SQL_OPTION_MODE(AT(CHOICE, mode)),
    SQL_OPTION_DELETES(AT(CHOICE, deletes)),
    TYPED_OPTION_TYPES(AT(CHOICE, types)),
    {.name = "commit-rows",
     AT(NUMBER, commit_rows),
     .min = 1,
     .max = 1000000000,
     .default_text = "100000",
     .flags = OPTION_MAY_CHANGE,
     .help = "rows that are loaded in one transaction, at most"},
    {.name = NULL},
};
