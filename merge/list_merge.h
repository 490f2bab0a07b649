/* Combines the shards' lists of failed or of missing leads into one, in the order of the list of IDs. */
#ifndef LEADPIPE_LIST_MERGE_H
#define LEADPIPE_LIST_MERGE_H

#include "core/file/outfile.h"
#include "merge/shard_set.h"

enum list_kind { LIST_OF_FAILED, LIST_OF_MISSING };

/* Writes the combined list to `to`. Takes 24 bytes of memory for each lead in the lists. RC_USAGE: a shard has such leads,
 * but no list of them; RC_SYNTAX: a file is not the one that its manifest describes; RC_IO, RC_NOMEM. */
enum rc list_merge(const struct shard_set *set, enum list_kind kind, struct outfile *to,
                   struct err *e);

/* Takes the lead's number off a line of a shard's list, which ends in `,"number":12}\n`. False: it has none. *out points
 * into `line`: the text before the comma, so without the "}\n". */
bool list_line_take(struct str line, struct str *out, uint64_t *number);

#endif
