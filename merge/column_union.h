/* The undocumented columns of all shards combined, in the order and with the names that one run would have given them. */
#ifndef LEADPIPE_COLUMN_UNION_H
#define LEADPIPE_COLUMN_UNION_H

#include "merge/lead_order.h"
#include "sinks/merge.h"

struct shard_columns { /* of one table in one shard; owns what struct merge_columns points to */
    uint32_t *index, *position;
    struct str *names; /* each malloc'd */
    size_t n, cap, names_cap;
};

struct table_firsts { /* for each column of a table in the schema: where it appears first */
    struct merge_first *items;
    size_t n, cap;
};

struct column_union {
    const struct shard_set *set;
    size_t n_tables;
    struct schema *schema;
    struct shard_columns *shards;  /* [shard * n_tables + table] */
    struct merge_columns *columns; /* likewise */
    struct table_firsts *tables;
    const struct merge_first **first; /* tables[i].items */
};

/* Reads the companions of all shards. `set` must outlive `u`. RC_USAGE: one run would have had more columns than
 * --max-columns allows; RC_SYNTAX: a file is not the one that its manifest describes; RC_IO, RC_NOMEM. Call
 * column_union_free() even after a failure. */
enum rc column_union_make(struct column_union *u, const struct shard_set *set, struct err *e);
void column_union_free(struct column_union *u);

#endif
