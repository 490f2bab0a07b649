#include "core/base/event_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What a loop opens: an epoll instance, one or two rings (io_uring), an eventfd, and for the first loop of a process
 * two pipes for signals. */
#define DESCRIPTORS 8

enum rc event_loop_error(int failed, struct err *e)
{
    return err_set(e, RC_IO, "event loop: %s", uv_strerror(failed));
}

/* 0, or libuv's code for why they cannot be opened. */
static int try_descriptors(void)
{
    int pipes[DESCRIPTORS / 2][2];
    size_t n = 0;
    int failed = 0;
    while (n < DESCRIPTORS / 2 && !failed) {
        if (pipe2(pipes[n], O_CLOEXEC) != 0)
            failed = uv_translate_sys_error(errno);
        else
            n++;
    }
    while (n-- > 0) {
        (void)close(pipes[n][0]); /* nothing was written */
        (void)close(pipes[n][1]);
    }
    return failed;
}

enum rc event_loop_init(uv_loop_t *loop, struct err *e)
{
    /* libuv calls abort() where it cannot open the pipe for signals. */
    int failed = try_descriptors();
    if (!failed)
        failed = uv_loop_init(loop);
    return failed ? event_loop_error(failed, e) : RC_OK;
}

enum rc event_loop_init_with_wake(uv_loop_t *loop, uv_async_t *wake, uv_async_cb on_wake,
                                  struct err *e)
{
    enum rc rc = event_loop_init(loop, e);
    if (rc != RC_OK)
        return rc;
    int failed = uv_async_init(loop, wake, on_wake);
    if (!failed)
        return RC_OK;
    (void)uv_loop_close(loop); /* it has no handles */
    return event_loop_error(failed, e);
}
