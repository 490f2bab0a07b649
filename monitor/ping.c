#include "monitor/ping.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "core/base/buf.h"

#define URL_BYTES_MAX ((size_t)8192)
#define RUN_ID_CHARS 32

/* Bytes of a body that healthchecks.io stores. */
#define BODY_BYTES_MAX ((size_t)100000)

/* Shorter parts of the URL would be found in unrelated texts. */
#define SECRET_SEGMENT_BYTES_MIN 16

/* Between tries, to give the server time to recover. */
static const int64_t pauses_ms[PING_TRIES_MAX - 1] = {500, 1500};

/* ---- the URL -------------------------------------------------------------------------------- */

static bool is_http(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0;
}

static bool is_visible_ascii(const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~')
            return false;
    }
    return true;
}

enum rc ping_check(const char *url, struct err *e)
{
    if (!is_http(url))
        return err_set(e, RC_SYNTAX, "URL must begin with https:// or http://");
    if (strlen(url) > URL_BYTES_MAX || !is_visible_ascii(url))
        return err_set(e, RC_SYNTAX, "URL must be visible ASCII of at most %zu bytes",
                       URL_BYTES_MAX);
    if (strchr(url, '#'))
        return err_set(e, RC_SYNTAX, "URL must have no fragment (#)");
    CURLU *u = curl_url();
    CURLUcode code = u ? curl_url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(u);
    if (code == CURLUE_OUT_OF_MEMORY)
        return err_nomem(e);
    return code ? err_set(e, RC_SYNTAX, "URL is not valid (%s)", curl_url_strerror(code)) : RC_OK;
}

enum rc ping_add_secrets(struct secrets *s, const char *url)
{
    enum rc rc = secrets_add(s, str_c(url));
    const char *at = strstr(url, "://");
    at = at ? at + 3 + strcspn(at + 3, "/?") : url;
    if (rc == RC_OK)
        rc = secrets_add_url(s, url);
    while (rc == RC_OK && *at) {
        size_t n = strcspn(at, "/?&=");
        if (n >= SECRET_SEGMENT_BYTES_MIN)
            rc = secrets_add(s, (struct str){at, n});
        at += n + (at[n] != '\0');
    }
    return rc;
}

static void put_uuid(struct buf *out, const char *run_id)
{
    for (size_t i = 0; i < RUN_ID_CHARS && run_id[i]; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            buf_addc(out, '-');
        buf_addc(out, run_id[i]);
    }
}

void ping_put_url(struct buf *out, const char *url, const struct ping *p)
{
    size_t path_end = strcspn(url, "?");
    const char *query = url + path_end;
    while (*p->suffix && path_end && url[path_end - 1] == '/')
        path_end--;
    buf_add(out, url, path_end);
    buf_adds(out, p->suffix);
    buf_adds(out, *query ? query : "?");
    if (query[0] && query[1] && query[strlen(query) - 1] != '&')
        buf_addc(out, '&');
    buf_adds(out, "rid=");
    put_uuid(out, p->run_id);
}

/* ---- one try -------------------------------------------------------------------------------- */

struct
try {
    char why[CURL_ERROR_SIZE + 64];
    bool again; /* the next try may end differently */
    bool given_up;
};

/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
static size_t drop(char *data, size_t size, size_t n, void *ctx)
{
    (void)data;
    (void)ctx;
    return size * n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct ping_cfg *cfg = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return cfg->given_up && cfg->given_up();
}

static CURLcode set_connection(CURL *c, const struct ping_cfg *cfg, int64_t timeout_ms)
{
    CURLcode rc = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >=                                                                         \
    0x075700 /* CURLOPT_QUICK_EXIT: cleanup does not wait for a name lookup */
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#endif
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_USERAGENT, cfg->user_agent);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_XFERINFODATA, (void *)(uintptr_t)cfg);
    if (cfg->cacert)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CAINFO, cfg->cacert);
    if (cfg->proxy)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXY, cfg->proxy);
    return rc;
}

static CURLcode set_request(CURL *c, const char *url, const struct ping *p,
                            struct curl_slist *headers)
{
    size_t n = p->body.len < BODY_BYTES_MAX ? p->body.len : BODY_BYTES_MAX;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, url);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    if (!p->body.ptr)
        return rc;
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)n);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->body.ptr);
    return rc;
}

static void read_status(CURL *c, struct try *t)
{
    long status = 0;
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status); /* 0: there is none */
    if (status / 100 == 2)
        return;
    t->again = status == 408 || status == 429 || status / 100 == 5;
    (void)snprintf(t->why, sizeof t->why, "HTTP %ld%s", status,
                   status / 100 == 3 ? ", which is a redirect; give the address it leads to" : "");
}

/* `t->why` is "" after a success. */
static enum rc try_once(const struct ping_cfg *cfg, const char *url, const struct ping *p,
                        int64_t timeout_ms, struct try *t)
{
    char detail[CURL_ERROR_SIZE] = "";
    *t = (struct try){.why = ""};
    CURL *c = curl_easy_init();
    struct curl_slist *headers =
        curl_slist_append(NULL, p->body.ptr ? "Content-Type: application/json" : "Accept: */*");
    CURLcode rc = c && headers ? set_connection(c, cfg, timeout_ms) : CURLE_OUT_OF_MEMORY;
    rc = rc ? rc : set_request(c, url, p, headers);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    rc = rc ? rc : curl_easy_perform(c);
    if (rc == CURLE_OK)
        read_status(c, t);
    else
        (void)snprintf(t->why, sizeof t->why, "%s", detail[0] ? detail : curl_easy_strerror(rc));
    t->given_up = rc == CURLE_ABORTED_BY_CALLBACK;
    t->again |= rc != CURLE_OK && rc != CURLE_PEER_FAILED_VERIFICATION && !t->given_up;
    curl_easy_cleanup(c);
    curl_slist_free_all(headers);
    return rc == CURLE_OUT_OF_MEMORY ? RC_NOMEM : RC_OK;
}

/* ---- all tries ------------------------------------------------------------------------------ */

static void pause_ms(int64_t ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL); /* a signal may end it early, which does no harm */
}

static enum rc try_all(const struct ping_cfg *cfg, const char *url, const struct ping *p,
                       struct try *t)
{
    int64_t end_us = clock_mono_us(cfg->clock) + PING_MS_MAX * INT64_C(1000);
    for (int tries = 0; tries < PING_TRIES_MAX; tries++) {
        if (tries)
            pause_ms(pauses_ms[tries - 1]);
        int64_t left_ms = (end_us - clock_mono_us(cfg->clock)) / 1000;
        for (int i = tries; i < PING_TRIES_MAX - 1; i++)
            left_ms -= pauses_ms[i];
        if (left_ms < 1)
            return RC_OK;
        enum rc rc = try_once(cfg, url, p, left_ms / (PING_TRIES_MAX - tries) + 1, t);
        if (rc != RC_OK || !t->again)
            return rc;
    }
    return RC_OK;
}

/* Only the host: the secret parts come after it. */
static void put_host(struct buf *out, const char *url)
{
    char *host = NULL;
    CURLU *u = curl_url();
    if (u && !curl_url_set(u, CURLUPART_URL, url, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0))
        buf_adds(out, host);
    curl_free(host);
    curl_url_cleanup(u);
}

enum rc ping_send(const struct ping_cfg *cfg, const struct ping *p, struct err *e)
{
    struct buf url, host;
    struct try t = {.why = ""};
    buf_init(&url, 2 * URL_BYTES_MAX);
    buf_init(&host, URL_BYTES_MAX);
    ping_put_url(&url, cfg->url, p);
    put_host(&host, cfg->url);
    enum rc rc = buf_rc(&url) == RC_OK ? try_all(cfg, buf_cstr(&url), p, &t) : RC_NOMEM;
    if (rc != RC_OK)
        rc = err_nomem(e);
    else if (t.given_up)
        rc = err_set(e, RC_STOPPED, "%s: given up", buf_cstr(&host));
    else if (t.why[0])
        rc = err_set(e, RC_NET, "%s: %s", buf_cstr(&host), t.why);
    buf_free(&url);
    buf_free(&host);
    return rc;
}
