/* The source of IDs for --all. It gives, in this order: the leads that an earlier part of the run has listed; those that
 * the lister finds, each stored in the state before it is handed on; and leads that an earlier run had listed, to find
 * out what has become of those that are no longer listed. Private to core/run. The intake's thread, except for opening
 * and what is called at the run's end. */
#ifndef LEADPIPE_LIST_SOURCE_H
#define LEADPIPE_LIST_SOURCE_H

#include "core/source/list_queue.h"
#include "core/state/state.h"

struct list_source;

/* Takes ownership of the queue, even if it fails. RC_NOMEM. */
enum rc list_source_new(struct list_source **out, struct list_queue *queue, size_t n_params,
                        struct err *e);
/* As an interface. Its close() frees the list source; call it after the lister's thread has ended. */
struct id_source *list_source(struct list_source *s);

/* Before the first lead: sets the state that has the list. It must outlive the source. */
void list_source_use(struct list_source *s, struct state *state);

/* At the run's end: how many leads were requested once more although they are no longer listed. */
uint64_t list_source_once_more(const struct list_source *s);
/* At the run's end: stores which of these leads the next run must request again. Those are the ones that failed; or, if a
 * list was not read to its end and so may contain them, all that are not missing. `n_unique`: the number of leads of the
 * whole run. Errors as from the state's functions. */
enum rc list_source_keep(struct list_source *s, uint64_t n_unique, struct err *e);

#endif
