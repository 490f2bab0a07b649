#include "sinks/postgres/options.h"

#define AT(type, member) OPTION_AT(struct pg_opts, type, member)

const struct option_spec pg_opt_specs[] = {
    {.name = "schema",
     AT(TEXT, schema),
     .default_note = "the first existing schema of the search path",
     .help = "the schema of the tables, created if it does not exist"},
    {.name = "prefix", AT(TEXT, prefix), .help = "a prefix for the names of all tables"},
    SQL_OPTION_MODE(AT(CHOICE, mode)),
    SQL_OPTION_DELETES(AT(CHOICE, deletes)),
    TYPED_OPTION_TYPES(AT(CHOICE, types)),
    {.name = "commit-rows",
     AT(NUMBER, commit_rows),
     .min = 1,
     .max = 1000000000,
     .default_text = "100000",
     .flags = OPTION_MAY_CHANGE,
     .help = "maximum rows to load in one transaction"},
    {.name = NULL},
};
