/* Checkpoints: every so often all sinks come to the same lead, what they have is made durable, and
 * then the state says so; in that order. Private to core/run.
 *
 * The order's thread begins one: it notes what is done and puts a barrier (NULL) into every sink's
 * queue. Each sink's thread makes its mark there and goes on. When all have, the checkpoint's own
 * thread waits for the disk and commits. One at a time. */
#ifndef LEADPIPE_CHECKPOINT_H
#define LEADPIPE_CHECKPOINT_H

#include "core/run/run_internal.h"

#ifndef CHECKPOINT_LEADS /* tests/faults/ has a program with very many checkpoints */
#define CHECKPOINT_LEADS 10000
#endif
/* docs/reliability.md names both; what is not yet durable at a kill is fetched twice. */
#define CHECKPOINT_MS 2000
#define CHECKPOINT_LOOK_MS 500 /* so often it is seen to when no lead comes */

enum rc checkpoint_new(struct checkpoint **out, struct run *r);
void checkpoint_free(struct checkpoint *c); /* `c` may be NULL */

/* The order's thread. Begins one where it is time and none is under way. */
void checkpoint_consider(struct checkpoint *c);
/* The order's thread, or the main one where that was never started: no more leads come. `last_one`:
 * one more, that covers all of them. */
void checkpoint_end(struct checkpoint *c, bool last_one);

/* A sink's thread, at the barrier. */
void checkpoint_mark(struct checkpoint *c, struct outlet *o);

/* A sink failed: what the disk says of it from now on cannot be trusted, so there is no further
 * checkpoint, and none under way is committed. Any thread. `c` may be NULL. */
void checkpoint_break_off(struct checkpoint *c);

/* Its own thread's main. */
void *checkpoint_main(void *checkpoint);

#endif
