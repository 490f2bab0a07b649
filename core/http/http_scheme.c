/* Does the server speak the other one of http and https on this port? Asked once, on a thread of its
 * own, when nothing has been answered and tries ended as they do where the address begins with the
 * wrong scheme: https servers close the connection of whoever speaks plain HTTP, and some plain ones
 * wait for the end of a line that no TLS client sends. */
#include <stdlib.h>
#include <strings.h>

#include "core/http/http_private.h"
#include "core/http/proxy.h"

#define PROBE_MS 2000L

struct probe {
    uv_work_t work;
    struct http_engine *h;
    char *url; /* with the other scheme, and nothing behind the port: the path may be secret */
    bool is_https;
    bool speaks;
};

/* ---- on the pool's thread ------------------------------------------------------------------- */

/* A handshake is enough; whose certificate it is does not matter, for nothing is sent. */
static CURLcode shake_hands(CURL *c)
{
    CURLcode rc = curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    return rc ? rc : curl_easy_perform(c);
}

/* Any answer will do but 400, which is what https servers say to plain HTTP; the request has nothing of
 * the run's. */
static CURLcode ask_plainly(CURL *c)
{
    long status = 0;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (rc)
        return rc;
    (void)curl_easy_perform(c); /* what came of it is seen by the status */
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status); /* 0 where none came */
    return status && status != 400 ? CURLE_OK : CURLE_WEIRD_SERVER_REPLY;
}

static void on_work(uv_work_t *work)
{
    struct probe *p = work->data;
    CURL *c = curl_easy_init();
    if (!c)
        return;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, p->url);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : http_give_up_names(c);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, PROBE_MS);
    if (rc == CURLE_OK)
        rc = p->is_https ? shake_hands(c) : ask_plainly(c);
    p->speaks = rc == CURLE_OK;
    curl_easy_cleanup(c);
}

/* ---- on the loop's thread ------------------------------------------------------------------- */

static void free_probe(struct probe *p)
{
    curl_free(p->url);
    free(p);
}

static void on_probed(uv_work_t *work, int status)
{
    struct probe *p = work->data;
    struct http_engine *h = p->h;
    bool speaks = status == 0 && p->speaks && !h->freed && h->origin.good_us == INT64_MIN;
    if (speaks && p->is_https)
        http_fail(h, RC_NET, "%s: the server uses TLS on this port: use https://", h->cfg.subject);
    else if (speaks)
        http_fail(h, RC_NET, "%s: the server does not use TLS on this port: use http://",
                  h->cfg.subject);
    free_probe(p);
    if (!h->freed)
        http_step(h);
    http_loop_let_go(h);
}

/* "https://host:port/" for "http://host:port/path", and the other way round; NULL: out of memory. */
static char *other_url(const char *url, bool is_https)
{
    static const CURLUPart cut[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_PATH,
                                    CURLUPART_QUERY, CURLUPART_FRAGMENT};
    char *port = NULL, *out = NULL;
    CURLU *u = curl_url();
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    for (size_t i = 0; ok && i < sizeof cut / sizeof *cut; i++)
        ok = curl_url_set(u, cut[i], NULL, 0) == CURLUE_OK;
    ok = ok && curl_url_set(u, CURLUPART_PORT, port, 0) == CURLUE_OK &&
         curl_url_set(u, CURLUPART_SCHEME, is_https ? "https" : "http", 0) == CURLUE_OK;
    if (ok && curl_url_get(u, CURLUPART_URL, &out, 0) != CURLUE_OK)
        out = NULL;
    curl_free(port);
    curl_url_cleanup(u);
    return out;
}

/* Whether it could be asked does not matter: then the try is as any other that failed. */
void http_scheme_suspect(struct http_engine *h, const char *url, unsigned doubt)
{
    bool was_asked = h->scheme_doubt >= HTTP_SCHEME_DOUBT;
    h->scheme_doubt += was_asked ? 0 : doubt;
    if (was_asked || h->scheme_doubt < HTTP_SCHEME_DOUBT || h->origin.good_us != INT64_MIN ||
        http_is_over(h) || proxy_is_used(url, h->cfg.proxy))
        return;
    struct probe *p = calloc(1, sizeof *p);
    if (!p)
        return;
    p->h = h;
    p->is_https = strncasecmp(url, "https:", 6) != 0;
    p->url = other_url(url, p->is_https);
    p->work.data = p;
    if (!p->url || uv_queue_work(h->cfg.loop, &p->work, on_work, on_probed) != 0) {
        free_probe(p);
        return;
    }
    http_loop_hold(h);
}
