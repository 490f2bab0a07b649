/* Which tables a sink writes to which files: each table to one of its own in a TARGET that ends in "/",
 * else one table, or all of them, to a single file. */
#ifndef LEADPIPE_TABLE_FILES_H
#define LEADPIPE_TABLE_FILES_H

#include "core/sink.h"

struct table_file {
    size_t table;     /* index in the profile */
    const char *name; /* of the table, the profile's; NULL: all tables */
    char *path;       /* owned */
};

/* Zero is empty. */
struct table_files {
    struct table_file *items;
    size_t n;
};

struct table_files_cfg {
    const struct sink_cfg *sink;
    const char *suffix; /* of files in a directory, behind the name of the table: ".csv.gz" */
    bool all_in_one;    /* a single file holds all tables; else one */
    const char *table;  /* which one: the option "table"; NULL: the first */
};

/* Does the target end in "/"? */
bool table_files_in_folder(const char *target);

/* RC_USAGE: there is no such table, or its name cannot be one of a file; RC_NOMEM. */
enum rc table_files_make(struct table_files *out, const struct table_files_cfg *cfg, struct err *e);
void table_files_free(struct table_files *t);

/* As struct sink_ops has them. Messages begin with the sink, or with the path. */
enum rc table_files_check(const struct table_files_cfg *cfg, struct err *e);
/* Says that a single file gets one table only: a warning where its name looks like that of a directory, as a slash was
 * probably forgotten. */
void table_files_probe(const struct table_files_cfg *cfg, const char *sink,
                       const struct findings *f);
enum rc table_files_paths(const struct table_files_cfg *cfg, struct buf *out, struct err *e);

#endif
