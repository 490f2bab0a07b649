/* Makes an event loop of libuv, so that too few descriptors are an error and not the end of the process. */
#ifndef LEADPIPE_EVENT_LOOP_H
#define LEADPIPE_EVENT_LOOP_H

#include <uv.h>

#include "core/base/err.h"

/* As uv_loop_init(). Close it with uv_loop_close(). RC_IO, with nothing to close. Any thread. */
enum rc event_loop_init(uv_loop_t *loop, struct err *e);

/* The same, with a handle through which other threads wake it (uv_async_send()). On RC_OK close the handle first. */
enum rc event_loop_init_with_wake(uv_loop_t *loop, uv_async_t *wake, uv_async_cb on_wake,
                                  struct err *e);

/* The error of a handle that libuv could not add to a loop: `failed` is what it returned, not 0. RC_IO. */
enum rc event_loop_error(int failed, struct err *e);

#endif
