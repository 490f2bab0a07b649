/* libuv on one side, curl_multi_socket_action() on the other.
 *
 * libcurl takes a connection's socket off its watch list whenever no transfer uses it. Taking each
 * on and off the kernel's list would be two system calls for every request, so a watcher lives as
 * long as its socket: libcurl opens and closes those of its connections through us. While nobody
 * uses the connection its watcher is left as it is, and stopped only when something happens there
 * (most often the server closes it), which libcurl finds out itself before the next use. Sockets
 * that libcurl opens for other purposes (its resolver) are watched as it says. */
#include "core/http/http_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct watch {
    uv_poll_t poll;
    struct http_engine *h;
    struct conn_group *group;
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

void http_loop_hold(struct http_engine *h)
{
    h->handles++;
}

void http_loop_let_go(struct http_engine *h)
{
    free_when_closed(h);
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

static struct watch *add_watch(struct conn_group *g, curl_socket_t fd)
{
    struct http_engine *h = g->h;
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
    w->group = g;
    w->fd = fd;
    h->handles++;
    h->watches[fd] = w;
    return w;
}

static int watch_for(struct watch *w, int events);

/* libuv stops a watcher that reports an error and calls it a bad descriptor. libcurl is notified that
 * it can read and write, and so finds out the reason; should it continue, the watcher does, too. */
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
    if (status < 0) {
        events = w->events;
        w->events = 0;
    } else if (events & UV_READABLE) {
        w->proven = true;
        w->group->heard_us = clock_mono_us(h->cfg.clock);
    }
    int ready = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;
    CURLMcode rc = curl_multi_socket_action(w->group->multi, fd, ready, &running);
    if (rc != CURLM_OK)
        http_fail(h, RC_INTERNAL, "libcurl: %s", curl_multi_strerror(rc));
    bool continues = status < 0 && find_watch(h, fd) == w && w->wanted && w->events == 0;
    if (continues && watch_for(w, events) != 0)
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
 * must go before the loop checks it: libuv aborts on what is closed. */
static bool is_open(const struct watch *w)
{
    struct stat st;
    if (w->proven)
        return true;
    return fstat(w->fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == w->inode;
}

/* libcurl wants to hear when the socket can be read or written. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *group, void *unused)
{
    (void)easy, (void)unused;
    struct conn_group *g = group;
    struct http_engine *h = g->h;
    struct watch *w = find_watch(h, fd);
    if (what == CURL_POLL_REMOVE) {
        if (w && w->connected && is_open(w))
            w->wanted = false;
        else if (w)
            drop_watch(w);
        return 0;
    }
    if (w && (w->group != g || (w->connected && !is_open(w)))) {
        drop_watch(w); /* of a socket that had this number and was closed behind our back */
        w = NULL;
    }
    if (!w)
        w = add_watch(g, fd);
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!w || watch_for(w, events) != 0)
        http_fail(h, RC_INTERNAL, "a socket cannot be watched");
    return 0;
}

curl_socket_t http_loop_open_socket(void *transfer, curlsocktype purpose, struct curl_sockaddr *a)
{
    (void)purpose;
    struct transfer *t = transfer;
    struct http_engine *h = t->h;
    if (!http_group_may_connect(t->group) || t->r->tries.kept) {
        t->is_refused = true;
        errno = EMFILE;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    struct watch *stale = find_watch(h, fd); /* closed behind our back */
    if (stale)
        drop_watch(stale);
    struct watch *w = add_watch(t->group, fd);
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
    struct conn_group *g = timer->data;
    struct http_engine *h = g->h;
    int running;
    CURLMcode rc = curl_multi_socket_action(g->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    if (rc != CURLM_OK)
        http_fail(h, RC_INTERNAL, "libcurl: %s", curl_multi_strerror(rc));
    http_step(h);
}

/* libcurl wants to be called after so many milliseconds; -1: not at all. */
static int on_timeout(CURLM *multi, long timeout_ms, void *group)
{
    (void)multi;
    struct conn_group *g = group;
    if (g->closed || g->h->freed)
        return 0;
    int failed = timeout_ms < 0 ? uv_timer_stop(&g->timer)
                                : uv_timer_start(&g->timer, on_curl_timer, (uint64_t)timeout_ms, 0);
    if (failed)
        http_fail(g->h, RC_INTERNAL, "timer: %s", uv_strerror(failed));
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

CURLMcode http_loop_watch_group(struct conn_group *g)
{
    CURLM *m = g->multi;
    CURLMcode rc = curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_SOCKETDATA, g);
    rc = rc ? rc : curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timeout);
    return rc ? rc : curl_multi_setopt(m, CURLMOPT_TIMERDATA, g);
}

bool http_loop_open_group(struct conn_group *g)
{
    if (uv_timer_init(g->h->cfg.loop, &g->timer) != 0)
        return false;
    g->timer.data = g;
    g->h->handles++;
    return true;
}

static void on_group_closed(uv_handle_t *handle)
{
    struct conn_group *g = handle->data;
    struct http_engine *h = g->h;
    free(g);
    free_when_closed(h);
}

void http_loop_close_group(struct conn_group *g)
{
    struct http_engine *h = g->h;
    g->closed = true;
    (void)curl_multi_cleanup(g->multi); /* closes the sockets; fails for a wrong handle only */
    g->multi = NULL;
    for (size_t i = 0; i < h->n_watches; i++) {
        if (h->watches[i] && h->watches[i]->group == g)
            drop_watch(h->watches[i]);
    }
    uv_close((uv_handle_t *)&g->timer, on_group_closed);
}

static enum rc open_share(struct http_engine *h, struct err *e)
{
    h->share = curl_share_init();
    if (!h->share)
        return err_nomem(e);
    CURLSHcode rc = curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    return rc == CURLSHE_OK ? RC_OK
                            : err_set(e, RC_INTERNAL, "libcurl: %s", curl_share_strerror(rc));
}

enum rc http_loop_open(struct http_engine *h, struct err *e)
{
    h->armed_us = INT64_MAX;
    CURLcode global = init_libcurl();
    if (global != CURLE_OK)
        return err_set(e, RC_INTERNAL, "libcurl: %s", curl_easy_strerror(global));
    enum rc rc = open_share(h, e);
    if (rc != RC_OK)
        return rc;
    int failed = uv_timer_init(h->cfg.loop, &h->timer);
    if (failed)
        return err_set(e, RC_INTERNAL, "timer: %s", uv_strerror(failed));
    h->timer.data = h;
    h->handles++;
    return RC_OK;
}

void http_loop_close(struct http_engine *h)
{
    h->freed = true;
    h->handles++; /* so that it stays until the end of this function */
    while (h->groups) {
        struct conn_group *g = h->groups;
        h->groups = g->next;
        http_loop_close_group(g);
    }
    h->http1 = NULL;
    if (h->share)
        (void)curl_share_cleanup(h->share); /* nobody uses it any more */
    free(h->watches);
    h->watches = NULL;
    h->n_watches = 0;
    if (h->timer.data)
        uv_close((uv_handle_t *)&h->timer, on_timer_closed);
    free_when_closed(h);
}
