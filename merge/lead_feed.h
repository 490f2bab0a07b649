/* The leads of struct lead_order, read ahead by a thread of its own while the caller copies their rows. */
#ifndef LEADPIPE_LEAD_FEED_H
#define LEADPIPE_LEAD_FEED_H

#include "merge/shard_set.h"
#include "sinks/merge.h"

struct lead_feed;

/* `set` must live as long. RC_NOMEM, also where no thread can be started. */
enum rc lead_feed_open(struct lead_feed **out, const struct shard_set *set, struct err *e);
void lead_feed_close(struct lead_feed *f); /* at any time; may be NULL */

/* The next lead; its `rows` are valid until the next call. RC_END, and errors as lead_order_open() and lead_order_next():
 * after all leads before. One thread at a time. */
enum rc lead_feed_next(struct lead_feed *f, struct merge_lead *out, struct err *e);

#endif
