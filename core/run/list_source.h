/* The IDs of a run that exports all leads of a provider, as a source: first what an earlier part of the run has listed,
 * then what the lister finds, which is put into the state before it is handed on; and at last leads that an earlier run
 * had listed, so that it is known what has become of those that are not listed any more. Private to core/run; the
 * intake's thread, but for opening and the end. */
#ifndef LEADPIPE_LIST_SOURCE_H
#define LEADPIPE_LIST_SOURCE_H

#include "core/source/list_queue.h"
#include "core/state/state.h"

struct list_source;

/* Owns the queue from now on, also where it fails. RC_NOMEM. */
enum rc list_source_new(struct list_source **out, struct list_queue *queue, size_t n_params,
                        struct err *e);
/* Its close() frees it, after the lister's thread has ended. */
struct id_source *list_source(struct list_source *s);

/* Before the first lead: the list is in this state, which outlives the source. */
void list_source_use(struct list_source *s, struct state *state);

/* At the run's end, how many leads were asked for once more. */
uint64_t list_source_once_more(const struct list_source *s);
/* Likewise: those of them that failed are to be asked for by the next run, too; where a list did not end, so that they
 * may be on it, all that are not missing. `n_unique`: leads of the whole run. As the state's functions. */
enum rc list_source_keep(struct list_source *s, uint64_t n_unique, struct err *e);

#endif
