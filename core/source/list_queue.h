/* A list of leads as a source of IDs: the lister's thread puts leads in, page by page, and the intake takes them
 * out. Whoever asks for pages keeps it short (list_queue_ahead()): so it is bounded by that and one page. */
#ifndef LEADPIPE_LIST_QUEUE_H
#define LEADPIPE_LIST_QUEUE_H

#include "core/source.h"

struct list_queue;

/* RC_NOMEM. */
enum rc list_queue_new(struct list_queue **out, size_t n_params, const struct source_wait *wait,
                       struct err *e);

/* The intake's end of it. Its close() frees the queue, after the lister's thread has ended. */
struct id_source *list_queue_source(struct list_queue *q);

/* ---- the lister's thread ---- */

/* One lead, copied; `params` as in struct id_item. RC_NOMEM. */
enum rc list_queue_put(struct list_queue *q, struct str id, const struct str *params,
                       struct err *e);
/* A page is complete: its leads may be taken. */
void list_queue_flush(struct list_queue *q);
/* No more come. RC_END; else what next() returns, with the text of `e` (NULL: none). The first one counts. */
void list_queue_end(struct list_queue *q, enum rc rc, const struct err *e);
/* Leads that wait. Any thread. */
size_t list_queue_ahead(struct list_queue *q);

#endif
