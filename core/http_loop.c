/* libuv on one side, curl_multi_socket_action() on the other.
 *
 * libcurl takes a connection's socket off its watch list whenever no transfer uses it. Taking each
 * on and off the kernel's list would be two system calls for every request, so a watcher lives as
 * long as its socket: libcurl opens and closes those of its connections through us. While nobody
 * uses the connection its watcher is left as it is, and stopped only when something happens there
 * (most often the server closes it), which libcurl finds out itself before the next use. Sockets
 * that libcurl opens for other purposes (its resolver) are watched as it says. */
#include "http_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MIN 16

struct watch {
    uv_poll_t poll;
    struct http_engine *h;
    int fd;
    int events;     /* that are watched for now, of enum uv_poll_event */
    bool wanted;    /* libcurl wants to hear of them */
    bool connected; /* opened through us: stays until it is closed through us */
    bool proven;    /* something came: libcurl will not forget to close it through us */
    ino_t inode;    /* of such a socket */
};

/* ---- ends ----------------------------------------------------------------------------------- */

static void free_when_closed(struct http_engine *h)
{
    if (--h->handles == 0 && h->freed)
        free(h);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    struct http_engine *h = w->h;
    free(w);
    free_when_closed(h);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free_when_closed(handle->data);
}

/* ---- sockets -------------------------------------------------------------------------------- */

static struct watch *find_watch(const struct http_engine *h, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < h->n_watches ? h->watches[fd] : NULL;
}

static bool make_place(struct http_engine *h, curl_socket_t fd)
{
    if ((size_t)fd < h->n_watches)
        return true;
    size_t n = (size_t)fd + 64;
    struct watch **watches = realloc(h->watches, n * sizeof(struct watch *));
    if (!watches)
        return false;
    for (size_t i = h->n_watches; i < n; i++)
        watches[i] = NULL;
    h->watches = watches;
    h->n_watches = n;
    return true;
}

static void drop_watch(struct watch *w)
{
    w->h->watches[w->fd] = NULL;
    uv_close((uv_handle_t *)&w->poll, on_watch_closed); /* stops it before the socket is closed */
}

static struct watch *add_watch(struct http_engine *h, curl_socket_t fd)
{
    if (!make_place(h, fd))
        return NULL;
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    if (uv_poll_init_socket(h->cfg.loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->h = h;
    w->fd = fd;
    h->handles++;
    h->watches[fd] = w;
    return w;
}

static int watch_for(struct watch *w, int events);

/* libuv stops a watcher that reports an error and calls it a bad descriptor. libcurl is told that
 * it can read and write, and so finds out the reason; should it go on, the watcher does, too. */
static int take_error(struct watch *w)
{
    int events = w->events;
    w->events = 0;
    return events;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct http_engine *h = w->h;
    curl_socket_t fd = w->fd;
    if (!w->wanted) {
        w->events = 0;
        (void)uv_poll_stop(poll); /* cannot fail */
        return;
    }
    if (status < 0)
        events = take_error(w);
    else if (events & UV_READABLE)
        w->proven = true;
    int ready = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;
    CURLMcode rc = curl_multi_socket_action(h->multi, fd, ready, &running);
    if (rc != CURLM_OK)
        http_fail(h, RC_INTERNAL, "libcurl: %s", curl_multi_strerror(rc));
    bool goes_on = status < 0 && find_watch(h, fd) == w && w->wanted && w->events == 0;
    if (goes_on && watch_for(w, events) != 0)
        http_fail(h, RC_INTERNAL, "a socket cannot be watched");
    http_step(h);
}

static int watch_for(struct watch *w, int events)
{
    w->wanted = true;
    if (w->events == events)
        return 0;
    int failed = uv_poll_start(&w->poll, events, on_ready);
    w->events = failed ? 0 : events;
    return failed;
}

/* Some versions of libcurl close a connection that is not yet made without asking us. Its watcher
 * must go before the loop looks at it: libuv aborts on what is closed. */
static bool is_open(const struct watch *w)
{
    struct stat st;
    if (w->proven)
        return true;
    return fstat(w->fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == w->inode;
}

/* libcurl wants to hear when the socket can be read or written. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *engine, void *unused)
{
    (void)easy, (void)unused;
    struct http_engine *h = engine;
    struct watch *w = find_watch(h, fd);
    if (what == CURL_POLL_REMOVE) {
        if (w && w->connected && is_open(w))
            w->wanted = false;
        else if (w)
            drop_watch(w);
        return 0;
    }
    if (!w)
        w = add_watch(h, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!w || watch_for(w, events) != 0)
        http_fail(h, RC_INTERNAL, "a socket cannot be watched");
    return 0;
}

curl_socket_t http_loop_open_socket(void *engine, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)purpose;
    struct http_engine *h = engine;
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    struct watch *stale = find_watch(h, fd); /* closed behind our back */
    if (stale)
        drop_watch(stale);
    struct watch *w = add_watch(h, fd);
    if (!w) {
        (void)close(fd);
        errno = ENOMEM;
        return CURL_SOCKET_BAD;
    }
    struct stat st;
    w->connected = true;
    w->inode = fstat(fd, &st) == 0 ? st.st_ino : 0;
    return fd;
}

int http_loop_close_socket(void *engine, curl_socket_t fd)
{
    struct watch *w = find_watch(engine, fd);
    if (w)
        drop_watch(w);
    return close(fd);
}

/* ---- timers --------------------------------------------------------------------------------- */

static void on_curl_timer(uv_timer_t *timer)
{
    struct http_engine *h = timer->data;
    int running;
    CURLMcode rc = curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    if (rc != CURLM_OK)
        http_fail(h, RC_INTERNAL, "libcurl: %s", curl_multi_strerror(rc));
    http_step(h);
}

/* libcurl wants to be called after so many milliseconds; -1: not at all. */
static int on_timeout(CURLM *multi, long timeout_ms, void *engine)
{
    (void)multi;
    struct http_engine *h = engine;
    if (h->freed)
        return 0;
    int failed = timeout_ms < 0
                     ? uv_timer_stop(&h->curl_timer)
                     : uv_timer_start(&h->curl_timer, on_curl_timer, (uint64_t)timeout_ms, 0);
    if (failed)
        http_fail(h, RC_INTERNAL, "timer: %s", uv_strerror(failed));
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct http_engine *h = timer->data;
    h->armed_us = INT64_MAX;
    http_step(h);
}

void http_loop_arm(struct http_engine *h)
{
    int64_t due_us = http_engine_due_us(h);
    int64_t now_us = clock_mono_us(h->cfg.clock);
    if (due_us <= now_us)
        due_us = INT64_MIN;
    if (due_us == h->armed_us)
        return;
    h->armed_us = due_us;
    if (due_us == INT64_MAX) {
        (void)uv_timer_stop(&h->timer); /* cannot fail */
        return;
    }
    uint64_t wait_ms = due_us == INT64_MIN ? 0 : (uint64_t)(due_us - now_us + 999) / 1000;
    (void)uv_timer_start(&h->timer, on_timer, wait_ms, 0); /* only fails without a callback */
}

/* ---- opening and closing -------------------------------------------------------------------- */

static CURLcode global_result;

static void init_global(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Once a process; libcurl's own counting is not safe with threads in all of its versions. */
static CURLcode init_libcurl(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, init_global) != 0)
        return CURLE_FAILED_INIT;
    return global_result;
}

static CURLMcode set_multi_options(struct http_engine *h)
{
    unsigned most = h->limiter.max > CONNECTIONS_MIN ? h->limiter.max : CONNECTIONS_MIN;
    CURLM *m = h->multi;
    CURLMcode rc = curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_SOCKETDATA, h);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timeout);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_TIMERDATA, h);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)most);
    return rc;
}

static enum rc open_timer(struct http_engine *h, uv_timer_t *timer, struct err *e)
{
    int failed = uv_timer_init(h->cfg.loop, timer);
    if (failed)
        return err_set(e, RC_INTERNAL, "timer: %s", uv_strerror(failed));
    timer->data = h;
    h->handles++;
    return RC_OK;
}

enum rc http_loop_open(struct http_engine *h, struct err *e)
{
    h->armed_us = INT64_MAX;
    CURLcode global = init_libcurl();
    if (global != CURLE_OK)
        return err_set(e, RC_INTERNAL, "libcurl: %s", curl_easy_strerror(global));
    h->multi = curl_multi_init();
    if (!h->multi)
        return err_nomem(e);
    CURLMcode multi = set_multi_options(h);
    if (multi != CURLM_OK)
        return err_set(e, RC_INTERNAL, "libcurl: %s", curl_multi_strerror(multi));
    enum rc rc = open_timer(h, &h->curl_timer, e);
    return rc == RC_OK ? open_timer(h, &h->timer, e) : rc;
}

void http_loop_close(struct http_engine *h)
{
    h->freed = true;
    h->handles++; /* so that it stays until the end of this function */
    if (h->multi)
        (void)curl_multi_cleanup(h->multi); /* closes the sockets; fails for a NULL handle only */
    for (size_t i = 0; i < h->n_watches; i++) {
        if (h->watches[i])
            drop_watch(h->watches[i]);
    }
    free(h->watches);
    if (h->curl_timer.data)
        uv_close((uv_handle_t *)&h->curl_timer, on_timer_closed);
    if (h->timer.data)
        uv_close((uv_handle_t *)&h->timer, on_timer_closed);
    free_when_closed(h);
}
