#include "core/base/stop_timer.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum rc stop_timer_open(struct stop_timer *t, struct err *e)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return err_sys(e, RC_IO, errno, "timer");
    t->fd = fd;
    return RC_OK;
}

void stop_timer_close(struct stop_timer *t)
{
    if (t->fd >= 0)
        (void)close(t->fd);
    t->fd = -1;
}

void stop_timer_start(const struct stop_timer *t, int64_t ms)
{
    struct itimerspec when = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};
    if (ms <= 0)
        when.it_value.tv_nsec = 1;                /* 0 would disarm it */
    (void)timerfd_settime(t->fd, 0, &when, NULL); /* fails only for values that are not allowed */
}

bool stop_timer_is_over(const struct stop_timer *t)
{
    if (!t)
        return false;
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

bool stop_timer_has_begun(const struct stop_timer *t)
{
    return t && (stop_timer_left_ms(t) > 0 || stop_timer_is_over(t));
}

int64_t stop_timer_left_ms(const struct stop_timer *t)
{
    struct itimerspec left;
    if (timerfd_gettime(t->fd, &left) != 0)
        return 0;
    return (int64_t)left.it_value.tv_sec * 1000 + (left.it_value.tv_nsec + 999999) / 1000000;
}

bool stop_timer_wait_writable(const struct stop_timer *t, int fd, int ms)
{
    struct pollfd p[] = {{.fd = t ? t->fd : -1, .events = POLLIN}, {.fd = fd, .events = POLLOUT}};
    /* An error here shows at the next write(). */
    while (poll(p, 2, ms) < 0 && errno == EINTR) {}
    return !p[0].revents;
}
