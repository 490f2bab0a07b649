/* Checkpoints: every so often all sinks come to the same lead, what they have is made durable, and
 * then the state says so; in that order. Private to core/run.
 *
 *   IDLE     none is under way
 *   BARRIER  begun: what is done is noted, and every sink will come to a barrier in its queue, where it
 *            makes its mark and continues
 *   SYNCING  all have; the checkpoint's own thread waits for the disk and commits
 *   BROKEN   there is no further one: a sink or the disk failed, and what it says from then on cannot
 *            be trusted (a later fdatasync() may say that all is well although pages were lost)
 *
 * One at a time. It knows neither the run nor its sinks: what it needs of them is in its
 * configuration. */
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
/* docs/reliability.md names both; what is not yet durable at a kill is fetched twice. */
#define CHECKPOINT_MS 2000
#define CHECKPOINT_CHECK_MS 500 /* how often it is considered when no lead comes */

struct checkpoint_cfg {
    struct control *control;
    size_t n_sinks, n_tables;
    /* Of the sequencer's thread, read by what is called there. */
    const struct progress *progress;
    const struct schema *schema;
    void *ctx;
    /* The sequencer's thread, when one begins: sets sums->active_ms, and appends to `totals` what stages
     * want back when the run is resumed. Must not fail: errors stick in `totals`. */
    void (*note)(void *ctx, struct state_progress *sums, struct buf *totals);
    /* Puts a barrier into every sink's queue. */
    void (*barrier)(void *ctx);
    /* The checkpoint's own thread: what the marks cover is on disk. */
    enum rc (*sync)(void *ctx, struct err *e);
    enum rc (*commit)(void *ctx, const struct state_checkpoint *c, struct err *e);
};

struct checkpoint;

/* Columns and leads that are there now count as saved: the first checkpoint holds what comes after.
 * RC_NOMEM. */
enum rc checkpoint_new(struct checkpoint **out, const struct checkpoint_cfg *cfg);
void checkpoint_free(struct checkpoint *c); /* `c` may be NULL */

/* Its own thread. RC_NOMEM: none could be started. */
enum rc checkpoint_start(struct checkpoint *c);
void checkpoint_join(struct checkpoint *c);

/* The sequencer's thread. Begins one where it is time and none is under way. */
void checkpoint_consider(struct checkpoint *c);
/* The sequencer's thread, or the main one where that was never started: no more leads come. `last_one`:
 * one more, that covers all of them. */
void checkpoint_end(struct checkpoint *c, bool last_one);

/* A sink's thread, at the barrier: its mark; absent (STR_NONE): it could not make one. */
void checkpoint_mark(struct checkpoint *c, size_t sink, struct str mark);

/* A sink failed: there is no further checkpoint, and none under way is committed. Any thread. `c` may be
 * NULL. */
void checkpoint_break_off(struct checkpoint *c);

#endif
