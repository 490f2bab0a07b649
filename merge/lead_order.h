/* The leads of all shards that have rows, in the order of the list of IDs (with --order any, in each shard's order as far as
 * possible). The order is the same each time that it is opened. */
#ifndef LEADPIPE_LEAD_ORDER_H
#define LEADPIPE_LEAD_ORDER_H

#include "merge/shard_heap.h"
#include "merge/shard_rows.h"
#include "merge/shard_set.h"

struct lead_order {
    const struct shard_set *set;
    struct shard_rows *rows; /* of each shard */
    struct shard_heap heap;
    bool columns_only; /* skips leads without columns, but not all of them */
    bool has_lead;     /* there is a current lead: that of the first shard in the heap */
};

/* `columns_only`: leads without columns may be skipped. Errors as from shard_rows_open(). Call lead_order_close() even
 * after a failure. */
enum rc lead_order_open(struct lead_order *o, const struct shard_set *set, bool columns_only,
                        struct err *e);
void lead_order_close(struct lead_order *o); /* may be all zero */

/* Moves to the next lead, which is then the current one of o->rows[*shard]; its `place` is never lower than that of an
 * earlier lead. RC_END, and errors as from shard_rows_next(). */
enum rc lead_order_next(struct lead_order *o, size_t *shard, struct err *e);

#endif
