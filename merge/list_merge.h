/* The lists of failed or of missing leads of all shards as one, in the order of the list of IDs. */
#ifndef LEADPIPE_LIST_MERGE_H
#define LEADPIPE_LIST_MERGE_H

#include "core/file/outfile.h"
#include "merge/shard_set.h"

enum list_kind { LIST_OF_FAILED, LIST_OF_MISSING };

/* Writes to `to` what one run would have listed. 24 bytes of memory for each lead in them. RC_USAGE: a shard has such
 * leads and no list; RC_SYNTAX: a file is not what its manifest says; RC_IO, RC_NOMEM. */
enum rc list_merge(const struct shard_set *set, enum list_kind kind, struct outfile *to,
                   struct err *e);

/* The place that a line of a shard's list names, and the line without it: "...,"number":12}\n". False: it names none.
 * *out points into `line`, and lacks the "}\n" at its end. */
bool list_line_take(struct str line, struct str *out, uint64_t *number);

#endif
