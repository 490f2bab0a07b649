/* The leads that have rows, of all shards, in the order of the list of IDs (with --order any: in that of each shard, as
 * far as possible). The same each time that it is opened. */
#ifndef LEADPIPE_LEAD_ORDER_H
#define LEADPIPE_LEAD_ORDER_H

#include "merge/shard_heap.h"
#include "merge/shard_rows.h"
#include "merge/shard_set.h"

struct lead_order {
    const struct shard_set *set;
    struct shard_rows *rows; /* of each shard */
    struct shard_heap heap;
    bool columns_only; /* leads that have columns, and some others */
    bool has_lead;     /* at hand: of the first shard in the heap */
};

/* `columns_only`: of leads without columns some may be left out. Errors as shard_rows_open()'s. lead_order_close() is
 * due after a failure, too. */
enum rc lead_order_open(struct lead_order *o, const struct shard_set *set, bool columns_only,
                        struct err *e);
void lead_order_close(struct lead_order *o); /* a zeroed one, too */

/* The next lead: o->rows[*shard] has it at hand, and its `place` says where: never before an earlier one. RC_END, as
 * shard_rows_next(). */
enum rc lead_order_next(struct lead_order *o, size_t *shard, struct err *e);

#endif
