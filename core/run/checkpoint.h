/* Checkpoints. From time to time all sinks make a mark at the same lead; what the marks cover is made
 * durable; and then the state records it. Private to core/run.
 *
 *   IDLE     no checkpoint is under way
 *   BARRIER  one has begun: what is done is noted, and each sink makes its mark when it comes to the
 *            barrier in its queue
 *   SYNCING  all sinks have made their marks; the checkpoint's own thread waits for the disk and commits
 *   BROKEN   there are no further checkpoints: a sink or the disk failed, and later results of either
 *            cannot be trusted (fdatasync() may succeed although pages were lost)
 *
 * One at a time. Knows neither the run nor its sinks: what it needs of them is in its configuration. */
#ifndef LEADPIPE_CHECKPOINT_H
#define LEADPIPE_CHECKPOINT_H

#include "core/base/buf.h"
#include "core/flatten/schema.h"
#include "core/run/control.h"
#include "core/run/progress.h"
#include "core/state/state.h"

#ifndef CHECKPOINT_LEADS /* tests/faults/ has a program with very many checkpoints */
#define CHECKPOINT_LEADS 10000
#endif
/* A checkpoint is due after so many leads or so long; docs/reliability.md names both. What is not yet durable at
 * a kill is fetched twice. */
#define CHECKPOINT_MS 2000
#define CHECKPOINT_CHECK_MS 500 /* how often checkpoint_consider() is called when no lead comes */

struct checkpoint_cfg {
    struct control *control;
    size_t n_sinks, n_tables;
    /* Belong to the sequencer's thread; read only in functions that it calls. */
    const struct progress *progress;
    const struct schema *schema;
    void *ctx;
    /* On the sequencer's thread, when a checkpoint begins: sets sums->active_ms, and appends to `totals` what stages
     * need when the run is resumed. Cannot fail: errors stick in `totals`. */
    void (*note)(void *ctx, struct state_progress *sums, struct buf *totals);
    /* The sequencer's thread: is there something to be committed although no lead was done? NULL: never. */
    bool (*has_more)(void *ctx);
    /* The sequencer's thread: is what is done awaited, so that a checkpoint is due at once? NULL: never. */
    bool (*is_awaited)(void *ctx);
    /* Puts a barrier into every sink's queue. */
    void (*barrier)(void *ctx);
    /* On the checkpoint's own thread: waits until what the marks cover is on disk. */
    enum rc (*sync)(void *ctx, struct err *e);
    /* Likewise: makes the checkpoint valid. Records it in the state, if there is one, in one transaction, and tells the
     * source what a sink has committed with it. */
    enum rc (*commit)(void *ctx, const struct state_checkpoint *c, struct err *e);
};

struct checkpoint;

/* Columns and leads that exist now count as saved: the first checkpoint contains only later ones. RC_NOMEM. */
enum rc checkpoint_new(struct checkpoint **out, const struct checkpoint_cfg *cfg);
void checkpoint_free(struct checkpoint *c); /* `c` may be NULL */

/* Starts its own thread. RC_NOMEM: none could be started. */
enum rc checkpoint_start(struct checkpoint *c);
void checkpoint_join(struct checkpoint *c);

/* The sequencer's thread. Begins a checkpoint if one is due and none is under way. */
void checkpoint_consider(struct checkpoint *c);
/* The sequencer's thread, or the main one if that was never started: no more leads come. `last_one`: makes one
 * more checkpoint, which covers all leads. */
void checkpoint_end(struct checkpoint *c, bool last_one);

/* A sink's thread, at the barrier: hands over its mark (copied). Absent (STR_NONE): it could not make one. */
void checkpoint_mark(struct checkpoint *c, size_t sink, struct str mark);

/* A sink failed: no further checkpoint begins, and one that is under way is not committed. Any thread. `c` may be
 * NULL. */
void checkpoint_break_off(struct checkpoint *c);

#endif
