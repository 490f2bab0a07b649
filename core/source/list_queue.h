/* Pages of a list on their way from the lister's thread to the intake's. Whoever asks for pages keeps it short
 * (list_queue_ahead()): so it is bounded by that and one page. */
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

/* Waits for the next part; its pack goes into `pack`, which is emptied before. RC_END, RC_STOPPED, or as
 * list_queue_end(); RC_NOMEM. */
enum rc list_queue_take(struct list_queue *q, struct list_part *out, struct buf *pack,
                        struct err *e);
/* A lead of it has been handed on. */
void list_queue_count(struct list_queue *q);

/* ---- the lister's thread ---- */

/* One lead of the page at hand, copied; `params` as in struct id_item. *is_full: list_queue_put() is due. RC_NOMEM,
 * RC_LIMIT. */
enum rc list_queue_add(struct list_queue *q, struct str id, const struct str *params, bool *is_full,
                       struct err *e);
/* Hands over what was added, as `part` says but for leads and pack; nothing where there is nothing to say. RC_NOMEM. */
enum rc list_queue_put(struct list_queue *q, const struct list_part *part, struct err *e);
/* No more come. RC_END; else what list_queue_take() returns, with the text of `e` (NULL: none). The first one
 * counts. */
void list_queue_end(struct list_queue *q, enum rc rc, const struct err *e);
/* Leads that wait, also of a part that has been taken. Any thread. */
size_t list_queue_ahead(struct list_queue *q);

#endif
