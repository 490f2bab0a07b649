/* The time that a run may still take once it was asked to stop, as a descriptor that others can poll
 * beside what they wait for: whoever waits for a reader gives up when it is over. */
#ifndef LEADPIPE_STOP_TIMER_H
#define LEADPIPE_STOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"

struct stop_timer {
    int fd; /* becomes readable once the time is over, and stays so; nobody reads it */
};

/* RC_IO. */
enum rc stop_timer_open(struct stop_timer *t, struct err *e);
void stop_timer_close(struct stop_timer *t); /* nothing where `fd` is -1 */

/* The time begins; a second start begins it anew. Any thread, signal handlers included. */
void stop_timer_start(const struct stop_timer *t, int64_t ms);

/* `t` may be NULL: it is never over. Any thread. */
bool stop_timer_is_over(const struct stop_timer *t);
bool stop_timer_has_begun(const struct stop_timer *t);
/* Of a time that has begun: 0 when it is over. */
int64_t stop_timer_left_ms(const struct stop_timer *t);

/* Waits until `fd` can be written, or for `ms` (-1: for ever). False: the time is over, or was already.
 * `fd` may be -1: then it only waits. `t` may be NULL. */
bool stop_timer_wait_writable(const struct stop_timer *t, int fd, int ms);

#endif
