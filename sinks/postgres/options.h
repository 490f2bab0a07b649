/* The options of the sink "postgres". */
#ifndef LEADPIPE_SINKS_POSTGRES_OPTIONS_H
#define LEADPIPE_SINKS_POSTGRES_OPTIONS_H

#include "sinks/sql/load_options.h"
#include "sinks/typed_rows.h"

struct pg_opts {
    const char *schema, *prefix;
    int mode, deletes; /* enum sql_mode, enum sql_deletes */
    int types;         /* enum typed_types */
    int64_t commit_rows;
};

extern const struct option_spec pg_opt_specs[];

#define PG_HELP                                                                                    \
    "tables of a PostgreSQL database; the target is a libpq connection string without a "          \
    "password: \"host=db dbname=dw user=etl\", service=NAME or postgresql://USER@HOST/DATABASE"

#endif
