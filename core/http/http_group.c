/* Which connections a request may use.
 *
 * Requests are handed to libcurl in groups of connections, a multi handle each, such that whatever
 * libcurl believes about a server, an answer cannot reach another request than its own. (Before
 * 8.5.0 it took a whole host for multiplexed once one connection to it was, and put a second request
 * on an HTTP/1.1 connection that was in use: curl/curl#4885.)
 *
 * - A group whose version is not known holds one request. The status line of its answer decides.
 * - An HTTP/2 group has one connection in its life. A second one is refused where libcurl would open
 *   it (http_group_may_connect()), which also shows that the first is full, closing or gone: then the
 *   request goes to another group.
 * - An HTTP/1.1 group has many connections, offers nothing else, and shares none of them. From the
 *   first answer over HTTP/1.x on it is the only group for new requests, for good.
 *
 * While nobody knows whether the server speaks HTTP/2, requests wait for the first answer, so that
 * an HTTP/2 server sees one connection; but not for long, as that request may be a slow one. */
#include "core/http/http_private.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECTIONS_MIN 16
#define STREAMS_MAX 100 /* of an HTTP/2 connection: libcurl's own limit */
#define STAGGER_US INT64_C(1000000)
/* What nothing was heard from for so long may have been dropped by a firewall on the way. */
#define IDLE_MAX_US INT64_C(30000000)

/* ---- opening and closing -------------------------------------------------------------------- */

static CURLMcode set_multi_options(struct conn_group *g)
{
    struct http_engine *h = g->h;
    unsigned most = h->limiter.max > CONNECTIONS_MIN ? h->limiter.max : CONNECTIONS_MIN;
    CURLMcode rc = http_loop_watch_group(g);
    rc = rc ? rc : curl_multi_setopt(g->multi, CURLMOPT_MAXCONNECTS, (long)most);
    return rc ? rc
              : curl_multi_setopt(g->multi, CURLMOPT_PIPELINING,
                                  g->kind == GROUP_HTTP1 ? CURLPIPE_NOTHING : CURLPIPE_MULTIPLEX);
}

static struct conn_group *open_group(struct http_engine *h, enum group_kind kind)
{
    struct conn_group *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->h = h;
    g->kind = kind;
    g->most = STREAMS_MAX;
    g->opened_us = g->heard_us = h->now_us;
    g->multi = curl_multi_init();
    if (!g->multi || set_multi_options(g) != CURLM_OK || !http_loop_open_group(g)) {
        if (g->multi)
            (void)curl_multi_cleanup(g->multi); /* only fails for a wrong handle */
        free(g);
        return NULL;
    }
    g->next = h->groups;
    h->groups = g;
    return g;
}

/* No new request; closed with its connections when the last one has ended. */
void http_group_close(struct conn_group *g)
{
    g->closing = true;
    if (g->h->http1 == g)
        g->h->http1 = NULL;
}

void http_groups_close(struct http_engine *h)
{
    for (struct conn_group *g = h->groups; g; g = g->next)
        http_group_close(g);
}

static bool has_room(const struct http_engine *h, const struct conn_group *g)
{
    if (g->kind != GROUP_HTTP2 || g->closing || g->in_flight >= g->most)
        return false;
    return g->in_flight || h->now_us - g->heard_us < IDLE_MAX_US;
}

void http_groups_sweep(struct http_engine *h)
{
    struct conn_group **link = &h->groups;
    while (*link) {
        struct conn_group *g = *link;
        bool is_spent = g->in_flight == 0 && (g->closing || g->kind == GROUP_UNKNOWN ||
                                              (g->kind == GROUP_HTTP2 && !has_room(h, g)));
        if (is_spent) {
            *link = g->next;
            http_group_close(g);
            http_loop_close_group(g);
        } else {
            link = &g->next;
        }
    }
}

/* ---- which version -------------------------------------------------------------------------- */

/* From now on, for good. */
static void speak_http1(struct http_engine *h)
{
    h->is_http1 = true;
    for (struct conn_group *g = h->groups; g; g = g->next) {
        if (g->kind != GROUP_HTTP1)
            http_group_close(g);
    }
}

bool http_group_saw_version(struct conn_group *g, char version)
{
    struct http_engine *h = g->h;
    bool is_http1 = version == '1' || version == '0';
    if (is_http1 && !h->is_http1)
        speak_http1(h);
    if (is_http1)
        return g->kind != GROUP_HTTP2; /* of a shared connection: whose answer is it? */
    if (g->kind == GROUP_UNKNOWN)
        g->kind = GROUP_HTTP2;
    return true;
}

bool http_group_may_connect(const struct conn_group *g)
{
    return g->kind != GROUP_HTTP2;
}

bool http_group_may_resend(const struct conn_group *g)
{
    return g->kind == GROUP_UNKNOWN;
}

/* ---- choosing ------------------------------------------------------------------------------- */

static struct conn_group *find_room(const struct http_engine *h)
{
    struct conn_group *found = NULL;
    for (struct conn_group *g = h->groups; g; g = g->next) {
        if (has_room(h, g))
            found = g; /* the oldest, so that the others become idle */
    }
    return found;
}

int64_t http_group_due_us(const struct http_engine *h)
{
    int64_t due_us = INT64_MIN;
    if (h->is_http1 || origin_is_down(&h->origin) || find_room(h))
        return INT64_MIN;
    for (const struct conn_group *g = h->groups; g; g = g->next) {
        bool is_deciding = g->kind == GROUP_UNKNOWN && !g->closing && g->in_flight;
        if (is_deciding && g->opened_us + STAGGER_US > due_us)
            due_us = g->opened_us + STAGGER_US;
    }
    return due_us;
}

static struct conn_group *http1_group(struct http_engine *h)
{
    if (!h->http1)
        h->http1 = open_group(h, GROUP_HTTP1);
    return h->http1;
}

struct conn_group *http_group_choose(struct http_engine *h, const struct http_request *r)
{
    if (strncasecmp(r->url, "https:", 6) != 0 || h->cfg.version == HTTP_VERSION_1_1_ONLY)
        h->is_http1 = true;
    if (h->is_http1)
        return http1_group(h);
    struct conn_group *g = r->tries.alone || origin_is_down(&h->origin) ? NULL : find_room(h);
    if (g)
        return g;
    g = open_group(h, GROUP_UNKNOWN);
    if (g)
        g->closing = r->tries.alone; /* to all others */
    return g;
}

/* ---- what its transfers report -------------------------------------------------------------- */

void http_group_is_full(struct conn_group *g)
{
    if (g->in_flight == 0)
        http_group_close(g);
    else
        g->most = g->in_flight;
}

bool http_group_is_open(const struct transfer *t)
{
    char byte;
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(t->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return false;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || (n < 0 && errno == EAGAIN); /* the same as EWOULDBLOCK, in Linux */
}

bool http_group_is_silent(const struct conn_group *g)
{
    int64_t silent_us = g->h->now_us - g->heard_us;
    return g->kind == GROUP_HTTP2 && silent_us >= g->h->cfg.retry.timeout_ms * 1000 / 2;
}
