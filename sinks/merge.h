/* For `leadpipe merge`: how a sink combines the files that it has written for each shard.
 *
 * A sink that can do so has a struct sink_merge_ops. The caller opens the sink as for a run, and then hands it all leads
 * in the order of the list, with begin() and put() below instead of the sink's own put(). The rows of a lead are the next
 * ones in its shard's files. After that, prepare(), commit(), abort(), result() and close() of the sink are called as in
 * a run, so a merged file appears, and is described, like any other. */
#ifndef LEADPIPE_SINKS_MERGE_H
#define LEADPIPE_SINKS_MERGE_H

#include "core/flatten/schema.h"
#include "core/sink.h"
#include "sinks/shard_file.h"

#define MERGE_NO_COLUMN UINT32_MAX

/* The undocumented columns of a table in one shard. */
struct merge_columns {
    const uint32_t *index;    /* [shard's column]: its index in the merged schema */
    const uint32_t *position; /* [column of the merged schema]: the shard's, or MERGE_NO_COLUMN */
    const struct str *names;  /* [shard's column]: its name in the shard */
    uint32_t n;
    bool is_same;     /* they are the first `n` columns of the merged schema */
    bool is_in_order; /* they are in the order of the merged schema, with the same names */
};

/* Where a column appears first. */
struct merge_first {
    uint64_t at;  /* of which lead: the lowest that is not before it, of struct merge_lead */
    uint32_t row; /* of its rows in the table */
};

struct sink_merge {
    size_t n_shards;
    size_t n_tables;                        /* of the profile */
    size_t n_files;                         /* of this sink in each shard */
    struct shard_file **files;              /* [shard * n_files + i] */
    const struct merge_columns *columns;    /* [shard * n_tables + table] */
    const struct schema *schema;            /* the merged one */
    const struct merge_first *const *first; /* [table][column of the schema] */
};

struct merge_lead {
    size_t shard;
    uint64_t
        at; /* its place in the list, from 0; of several that are out of order, the highest one */
    const uint32_t *rows; /* [table]: how many; NULL: the outputs contain only payloads */
};

struct sink_merge_ops {
    /* The caller keeps `in` until the sink is closed. RC_NOMEM, RC_IO; RC_SYNTAX as in put(). */
    enum rc (*begin)(struct sink *s, const struct sink_merge *in, struct err *e);
    /* RC_SYNTAX: a file of the shard is damaged (shard_file_damaged()); RC_IO, RC_NOMEM. */
    enum rc (*put)(struct sink *s, const struct merge_lead *lead, struct err *e);
    /* All leads were put; NULL: then shard_file_end() finds out what is left of the files. RC_SYNTAX: a file of a shard
     * has more rows than its leads have. */
    enum rc (*end)(struct sink *s, struct err *e);
};

#endif
