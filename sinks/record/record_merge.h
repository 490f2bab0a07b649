/* Records that shards have written, into one file: as they are, but for the members of undocumented columns where
 * the shard met these in another order, or has another name for one, than all shards together. */
#ifndef LEADPIPE_RECORD_MERGE_H
#define LEADPIPE_RECORD_MERGE_H

#include "sinks/merge.h"
#include "sinks/record/encoding.h"
#include "sinks/record/record.h"

struct record_merge;

struct record_merge_cfg {
    const struct profile *profile;
    const struct encoding *encoding;
    enum record_layout layout;
    size_t n_ending; /* members that every record ends with */
    const struct sink_merge *in;
};

/* RC_NOMEM. */
enum rc record_merge_new(struct record_merge **out, const struct record_merge_cfg *cfg,
                         struct err *e);
void record_merge_free(struct record_merge *m); /* may be NULL */

/* Takes the next record of a file of the shard, and appends it to `b`. `table`: of its row; of LAYOUT_LEAD and LAYOUT_RAW
 * 0. RC_SYNTAX: there is none; RC_IO, RC_NOMEM. */
enum rc record_merge_take(struct record_merge *m, struct buf *b, struct shard_file *from,
                          size_t shard, size_t table, struct err *e);

#endif
