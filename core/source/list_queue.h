/* A queue of leads from the lister's thread to the intake's. It is bounded because no page is requested while
 * list_queue_ahead() says that enough leads wait; so at most one page exceeds that. */
#ifndef LEADPIPE_LIST_QUEUE_H
#define LEADPIPE_LIST_QUEUE_H

#include "core/source.h"
#include "core/source/list_pack.h"

struct list_queue;

/* RC_NOMEM. */
enum rc list_queue_new(struct list_queue **out, size_t n_params, const struct source_wait *wait,
                       struct err *e);
void list_queue_free(struct list_queue *q); /* once the lister's thread has ended; may be NULL */

/* ---- the intake's thread ---- */

/* Waits for the next part. Its pack replaces the content of `pack`. RC_END, RC_STOPPED, or the rc of list_queue_end();
 * RC_NOMEM. */
enum rc list_queue_take(struct list_queue *q, struct list_part *out, struct buf *pack,
                        struct err *e);
/* One lead of the part has been handed on. */
void list_queue_count(struct list_queue *q);

/* ---- the lister's thread ---- */

/* Adds a copy of one lead of the current page; `params` as in struct id_item. *is_full: call list_queue_put() now.
 * RC_NOMEM, RC_LIMIT. */
enum rc list_queue_add(struct list_queue *q, struct str id, const struct str *params, bool *is_full,
                       struct err *e);
/* Hands over the leads that were added, as one part: `part` without `n` and `pack`. Does nothing if there are no leads and
 * the list does not end. RC_NOMEM. */
enum rc list_queue_put(struct list_queue *q, const struct list_part *part, struct err *e);
/* No more leads will come. RC_END, or the error for list_queue_take() to return, with the message of `e` (NULL: none).
 * Only the first call counts. */
void list_queue_end(struct list_queue *q, enum rc rc, const struct err *e);
/* Number of leads that wait, including those of a part that has been taken. Any thread. */
size_t list_queue_ahead(struct list_queue *q);

#endif
