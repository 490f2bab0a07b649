/* An HTTP/1.1 server that answers each lead after a fixed delay, to thousands of connections.
 *
 *   delay_server --bodies DIR [--delay-ms MS] [--admit N] [--retry-after S]
 *
 * It stands for a provider that is far away or slow: what is measured against it is how well many
 * waiting requests are carried. With --admit, more than N requests in progress are answered 429 at
 * once. It listens on a free port of 127.0.0.1, says so in one line of JSON, and ends on SIGTERM
 * with another that counts what it saw. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "delay_answers.h"
#include "delay_timers.h"

enum { HEAD_BYTES_MAX = 4096, EVENTS = 256, BACKLOG = 4096 };

struct conn {
    struct timer timer; /* first: a timer is its connection */
    struct conn *prev, *next;
    int fd;
    bool busy;    /* a request is in progress and counts against --admit */
    bool writing; /* asked to be notified when it can be written to */
    const struct answer *answer;
    size_t sent, in_len;
    char in[HEAD_BYTES_MAX];
};

struct server {
    int64_t delay_us;
    unsigned admit; /* 0: no limit */
    struct answers answers;
    struct timers timers;
    struct conn *conns;
    int epoll, listener, timer, signals;
    int64_t armed_us; /* what the timer is set to; 0: nothing */
    unsigned in_progress;
    struct {
        unsigned long long connections, answered, refused;
        unsigned max_in_progress;
    } seen;
};

static int fail(const char *what)
{
    fprintf(stderr, "delay_server: %s: %s\n", what, strerror(errno));
    return -1;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int watch(struct server *s, int op, int fd, uint32_t events, void *what)
{
    struct epoll_event e = {.events = events, .data.ptr = what};
    return epoll_ctl(s->epoll, op, fd, &e);
}

/* ---- connections --------------------------------------------------------------------------- */

static void end_request(struct server *s, struct conn *c)
{
    timers_remove(&s->timers, &c->timer);
    if (c->busy)
        s->in_progress--;
    c->busy = false;
    c->answer = NULL;
    c->sent = 0;
}

static void drop(struct server *s, struct conn *c)
{
    end_request(s, c);
    close(c->fd);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    free(c);
}

static int take_in(struct server *s, int fd)
{
    int on = 1;
    struct conn *c = calloc(1, sizeof *c);
    if (!c || watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, c) != 0) {
        free(c);
        close(fd);
        return fail("connection");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fd = fd;
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    s->seen.connections++;
    return 0;
}

static int accept_all(struct server *s)
{
    for (;;) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return errno == EAGAIN || errno == ECONNABORTED ? 0 : fail("accept");
        if (take_in(s, fd) != 0)
            return -1;
    }
}

/* ---- answers ------------------------------------------------------------------------------- */

/* False: the connection is gone. */
static bool send_answer(struct server *s, struct conn *c)
{
    while (c->sent < c->answer->len) {
        ssize_t n = send(c->fd, c->answer->data + c->sent, c->answer->len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN &&
            (c->writing || watch(s, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLOUT, c) == 0)) {
            c->writing = true;
            return true;
        }
        if (n < 0) {
            drop(s, c);
            return false;
        }
        c->sent += (size_t)n;
    }
    if (c->writing && watch(s, EPOLL_CTL_MOD, c->fd, EPOLLIN, c) != 0) {
        drop(s, c);
        return false;
    }
    c->writing = false;
    if (c->busy)
        s->seen.answered++;
    end_request(s, c);
    return true;
}

/* The path of a GET, or 0. */
static size_t request_path(const char *head, size_t len, const char **path)
{
    if (len < 6 || memcmp(head, "GET /", 5) != 0)
        return 0;
    *path = head + 4;
    const char *end = memchr(*path, ' ', len - 4);
    return end ? (size_t)(end - *path) : 0;
}

/* False: the connection is gone. */
static bool begin_request(struct server *s, struct conn *c, const char *path, size_t len)
{
    int64_t extra_ms = 0;
    c->answer = answers_find(&s->answers, path, len, &extra_ms);
    if (s->admit && s->in_progress >= s->admit) {
        s->seen.refused++;
        c->answer = &s->answers.busy;
        return send_answer(s, c);
    }
    c->busy = true;
    if (++s->in_progress > s->seen.max_in_progress)
        s->seen.max_in_progress = s->in_progress;
    int64_t delay_us = s->delay_us + extra_ms * 1000;
    if (delay_us == 0)
        return send_answer(s, c);
    c->timer.due_us = now_us() + delay_us;
    if (timers_add(&s->timers, &c->timer) == 0)
        return true;
    drop(s, c);
    return false;
}

/* Begins the request that is complete in the buffer, if any. False: the connection is gone. */
static bool take_request(struct server *s, struct conn *c)
{
    const char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4), *path;
    if (!end && c->in_len < sizeof c->in)
        return true;
    size_t path_len = end ? request_path(c->in, (size_t)(end - c->in), &path) : 0;
    if (path_len == 0) {
        drop(s, c);
        return false;
    }
    size_t head_len = (size_t)(end - c->in) + 4;
    if (!begin_request(s, c, path, path_len))
        return false;
    c->in_len -= head_len;
    memmove(c->in, c->in + head_len, c->in_len);
    return true;
}

static void on_readable(struct server *s, struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* also who sends more while an answer is due than the buffer holds */
        drop(s, c);
        return;
    }
    c->in_len += (size_t)n;
    if (!c->answer)
        take_request(s, c);
}

static void on_conn(struct server *s, struct conn *c, uint32_t events)
{
    if (events & EPOLLOUT) {
        if (!send_answer(s, c))
            return;
        if (!c->answer && !take_request(s, c))
            return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(s, c);
}

static void answer_due(struct server *s)
{
    int64_t now = now_us();
    struct timer *t;
    while ((t = timers_first(&s->timers)) && t->due_us <= now) {
        struct conn *c = (struct conn *)(void *)t;
        timers_remove(&s->timers, t);
        if (send_answer(s, c) && !c->answer)
            take_request(s, c);
    }
}

/* ---- the loop ------------------------------------------------------------------------------ */

static int arm_timer(struct server *s)
{
    const struct timer *t = timers_first(&s->timers);
    int64_t due_us = t ? t->due_us : 0;
    if (due_us == s->armed_us)
        return 0;
    struct itimerspec when = {
        .it_value = {.tv_sec = due_us / 1000000, .tv_nsec = due_us % 1000000 * 1000}};
    s->armed_us = due_us;
    return timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0 ? 0 : fail("timer");
}

/* 1: asked to end. */
static int dispatch(struct server *s, const struct epoll_event *e)
{
    if (e->data.ptr == &s->signals)
        return 1;
    if (e->data.ptr == &s->listener)
        return accept_all(s);
    if (e->data.ptr == &s->timer)
        s->armed_us = -1; /* answer_due() comes after every round; it must be set anew */
    else
        on_conn(s, e->data.ptr, e->events);
    return 0;
}

static int serve(struct server *s)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(s->epoll, events, EVENTS, -1);
        if (n < 0 && errno != EINTR)
            return fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            int rc = dispatch(s, &events[i]);
            if (rc != 0)
                return rc < 0 ? -1 : 0;
        }
        answer_due(s);
        if (arm_timer(s) != 0)
            return -1;
    }
}

/* ---- beginning and end --------------------------------------------------------------------- */

static int listen_somewhere(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&a, len) != 0 ||
        listen(s->listener, BACKLOG) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&a, &len) != 0)
        return fail("listen");
    printf("{\"port\": %u}\n", (unsigned)ntohs(a.sin_port));
    return fflush(stdout) == 0 ? 0 : fail("standard output");
}

static int open_all(struct server *s)
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (sigprocmask(SIG_BLOCK, &ending, NULL) != 0)
        return fail("signals");
    s->signals = signalfd(-1, &ending, SFD_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->signals < 0 || s->timer < 0 || s->epoll < 0)
        return fail("descriptors");
    if (listen_somewhere(s) != 0)
        return -1;
    if (watch(s, EPOLL_CTL_ADD, s->signals, EPOLLIN, &s->signals) != 0 ||
        watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, &s->listener) != 0 ||
        watch(s, EPOLL_CTL_ADD, s->timer, EPOLLIN | EPOLLET, &s->timer) != 0)
        return fail("epoll");
    return 0;
}

static void close_all(struct server *s)
{
    while (s->conns)
        drop(s, s->conns);
    timers_free(&s->timers);
    answers_free(&s->answers);
}

static int parse(struct server *s, const char **bodies, int *retry_after_s, int argc, char *argv[])
{
    static const struct option options[] = {{"bodies", required_argument, NULL, 'b'},
                                            {"delay-ms", required_argument, NULL, 'd'},
                                            {"admit", required_argument, NULL, 'a'},
                                            {"retry-after", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o == 'b')
            *bodies = optarg;
        else if (o == 'd')
            s->delay_us = (int64_t)strtoul(optarg, NULL, 10) * 1000;
        else if (o == 'a')
            s->admit = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'r')
            *retry_after_s = (int)strtoul(optarg, NULL, 10);
        else
            return -1;
    }
    return *bodies && optind == argc ? 0 : -1;
}

int main(int argc, char *argv[])
{
    struct server s = {.armed_us = 0};
    const char *bodies = NULL;
    int retry_after_s = -1;
    if (parse(&s, &bodies, &retry_after_s, argc, argv) != 0) {
        fputs("usage: delay_server --bodies DIR [--delay-ms MS] [--admit N] [--retry-after S]\n",
              stderr);
        return 2;
    }
    int status = 1;
    if (answers_load(&s.answers, bodies, retry_after_s) == 0 && open_all(&s) == 0 && serve(&s) == 0)
        status = 0;
    printf("{\"connections\": %llu, \"answered\": %llu, \"refused\": %llu, "
           "\"max_in_progress\": %u}\n",
           s.seen.connections, s.seen.answered, s.seen.refused, s.seen.max_in_progress);
    close_all(&s);
    return status;
}
