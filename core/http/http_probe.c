#include "core/http/http_probe.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/url.h"
#include "core/http/http_failure.h"
#include "core/http/http_private.h"
#include "core/http/proxy.h"
#include "core/http/retry_after.h"

#define DAY_MS INT64_C(86400000)
#define EXPIRES_SOON_DAYS 14
#define FIELD_BYTES_MAX ((size_t)16 << 10)
#define ORIGIN_BYTES_MAX ((size_t)2048)

struct probe {
    struct http_probe *out;
    const struct http_probe_cfg *cfg;
    CURL *easy;
    struct curl_slist *fields;
    char why[CURL_ERROR_SIZE];
};

/* ---- the request ---------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct probe *p = ctx;
    size_t len = size * n, room = p->cfg->max_body - p->out->body.len;
    p->out->is_too_large = len > room;
    buf_add(&p->out->body, data, len < room ? len : room);
    return buf_rc(&p->out->body) == RC_OK && !p->out->is_too_large ? len : 0;
}

static size_t on_field(char *data, size_t size, size_t n, void *ctx)
{
    static const char name[] = "date:";
    struct probe *p = ctx;
    size_t len = size * n;
    if (len > sizeof name && strncasecmp(data, name, sizeof name - 1) == 0) {
        struct str value = {data + sizeof name - 1, len - (sizeof name - 1)};
        while (value.len && strchr(" \t\r\n", value.ptr[value.len - 1]))
            value.len--;
        while (value.len && strchr(" \t", value.ptr[0]))
            value.ptr++, value.len--;
        p->out->has_date = http_date_parse(value, &p->out->date_ms);
        p->out->received_ms = clock_wall_ms(p->cfg->clock);
    }
    return len;
}

static CURLcode set_fields(struct probe *p)
{
    struct buf field;
    const struct http_header *h = p->cfg->header;
    if (!h)
        return CURLE_OK;
    buf_init(&field, FIELD_BYTES_MAX);
    buf_addf(&field, "%s: %s", h->name, h->value);
    p->fields = buf_rc(&field) == RC_OK ? curl_slist_append(NULL, buf_cstr(&field)) : NULL;
    buf_wipe(&field);
    return p->fields ? curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->fields)
                     : CURLE_OUT_OF_MEMORY;
}

static CURLcode set_connection(struct probe *p)
{
    CURL *c = p->easy;
    const struct http_probe_cfg *cfg = p->cfg;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : http_give_up_names(c);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)cfg->timeout_ms);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)cfg->connect_timeout_ms);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (cfg->cacert)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CAINFO, cfg->cacert);
    if (cfg->proxy)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXY, cfg->proxy);
    /* A libcurl without HTTP/2, or whose TLS shows no certificates, refuses these: it does without. */
    (void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
                           (long)(cfg->version == HTTP_VERSION_1_1_ONLY ? CURL_HTTP_VERSION_1_1
                                                                        : CURL_HTTP_VERSION_2TLS));
    (void)curl_easy_setopt(c, CURLOPT_CERTINFO, 1L);
    return rc;
}

static CURLcode set_request(struct probe *p)
{
    CURL *c = p->easy;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, p->cfg->url);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->why);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    if (p->cfg->user_agent)
        rc = rc ? rc : curl_easy_setopt(c, CURLOPT_USERAGENT, p->cfg->user_agent);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, p->cfg->only_connects ? 1L : 0L);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEDATA, p);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_field);
    rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HEADERDATA, p);
    return rc ? rc : set_fields(p);
}

/* ---- what became of it ---------------------------------------------------------------------- */

static bool is_https(const struct probe *p)
{
    return strncasecmp(p->cfg->url, "https:", 6) == 0;
}

static int64_t time_us(CURL *c, CURLINFO what)
{
    curl_off_t us = 0;
    return curl_easy_getinfo(c, what, &us) == CURLE_OK ? (int64_t)us : 0;
}

static void read_times(struct probe *p)
{
    struct http_probe *out = p->out;
    int64_t name = time_us(p->easy, CURLINFO_NAMELOOKUP_TIME_T);
    int64_t connect = time_us(p->easy, CURLINFO_CONNECT_TIME_T);
    int64_t tls = time_us(p->easy, CURLINFO_APPCONNECT_TIME_T);
    out->name_us = name;
    out->connect_us = connect > name ? connect - name : 0;
    out->tls_us = is_https(p) && tls > connect ? tls - connect : 0;
    out->total_us = time_us(p->easy, CURLINFO_TOTAL_TIME_T);
}

/* The server's own certificate is the first of the chain. */
static void read_certificate(struct probe *p)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(p->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
        chain->num_of_certs < 1)
        return;
    for (const struct curl_slist *line = chain->certinfo[0]; line; line = line->next) {
        if (strncasecmp(line->data, label, sizeof label - 1) != 0)
            continue;
        time_t seconds = curl_getdate(line->data + sizeof label - 1, NULL);
        p->out->has_expiry = seconds != -1;
        p->out->expires_ms = (int64_t)seconds * 1000;
    }
}

static enum http_probe_stage stage_of(const struct probe *p, CURLcode result)
{
    bool has_tls = p->out->tls_us > 0 || !is_https(p);
    if (p->out->is_too_large)
        return PROBE_ANSWERED;
    switch (result) {
    case CURLE_OK:
        return PROBE_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return PROBE_UNRESOLVED;
    case CURLE_OPERATION_TIMEDOUT:
        if (p->out->name_us == 0)
            return PROBE_UNRESOLVED; /* the time ran out there */
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ISSUER_ERROR:
        return PROBE_NO_TLS; /* the time of the connection is not known then */
    default:
        break;
    }
    if (p->out->connect_us == 0)
        return PROBE_UNCONNECTED;
    return has_tls ? PROBE_CONNECTED : PROBE_NO_TLS;
}

static void read_error(struct probe *p, CURLcode result)
{
    struct http_failure failure;
    long connect_status = 0, verify_result = 0;
    (void)curl_easy_getinfo(p->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status); /* 0: none */
    (void)curl_easy_getinfo(p->easy, CURLINFO_SSL_VERIFYRESULT, &verify_result);
    const struct http_failure_facts facts = {
        .result = result,
        .why = p->why,
        .status = p->out->status,
        .connect_status = connect_status,
        .verify_result = verify_result,
        .was_sent = p->out->stage >= PROBE_CONNECTED,
        .has_begun = p->out->body.len > 0,
        .is_https = is_https(p),
    };
    http_failure_read(&facts, &failure);
    (void)snprintf(p->out->error, sizeof p->out->error, "%s", failure.text);
}

static void read_answer(struct probe *p, CURLcode result)
{
    long status = 0;
    const char *type = NULL;
    read_times(p);
    read_certificate(p);
    (void)curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status); /* 0: there is none */
    p->out->status = (int)status;
    if (curl_easy_getinfo(p->easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
        charset_declared(type, p->out->charset);
    p->out->stage = stage_of(p, result);
    if (p->out->stage != PROBE_ANSWERED)
        read_error(p, result);
}

enum rc http_probe(struct http_probe *out, const struct http_probe_cfg *cfg, struct err *e)
{
    struct probe p = {.out = out, .cfg = cfg, .easy = curl_easy_init()};
    *out = (struct http_probe){.by_proxy = proxy_is_used(cfg->url, cfg->proxy)};
    buf_init(&out->body, cfg->max_body + 1);
    CURLcode rc = p.easy ? set_connection(&p) : CURLE_OUT_OF_MEMORY;
    rc = rc ? rc : set_request(&p);
    bool is_set = rc == CURLE_OK;
    rc = rc ? rc : curl_easy_perform(p.easy);
    if (is_set || rc != CURLE_OUT_OF_MEMORY)
        read_answer(&p, rc);
    curl_easy_cleanup(p.easy);
    for (struct curl_slist *field = p.fields; field; field = field->next)
        explicit_bzero(field->data, strlen(field->data));
    curl_slist_free_all(p.fields);
    /* libcurl 7 calls a field of the answer that is too long so, too. */
    bool has_no_memory = rc == CURLE_OUT_OF_MEMORY && !(is_set && out->stage >= PROBE_CONNECTED);
    return has_no_memory || buf_rc(&out->body) != RC_OK ? err_nomem(e) : RC_OK;
}

/* ---- what is said of it --------------------------------------------------------------------- */

void http_probe_put_origin(struct buf *out, const char *url)
{
    struct str origin = url_origin(str_c(url)), user = url_userinfo(url);
    if (!user.ptr || user.ptr < origin.ptr || user.ptr + user.len >= origin.ptr + origin.len) {
        buf_add_str(out, origin);
        return;
    }
    buf_add(out, origin.ptr, (size_t)(user.ptr - origin.ptr));
    buf_adds(out, user.ptr + user.len + 1);
}

static void put_ms(struct buf *out, const char *what, int64_t us)
{
    buf_addf(out, "%s %" PRId64 ".%" PRId64 " ms", what, us / 1000, us % 1000 / 100);
}

static void put_times(struct buf *out, const struct http_probe *p)
{
    put_ms(out, "DNS", p->name_us);
    put_ms(out, ", connect", p->connect_us);
    if (p->tls_us)
        put_ms(out, ", TLS", p->tls_us);
}

static const char *advice(const struct http_probe *p)
{
    switch (p->stage) {
    case PROBE_UNRESOLVED:
        return p->by_proxy ? "check the name of the proxy, and this machine's DNS"
                           : "check how the host is spelled, and this machine's DNS";
    case PROBE_UNCONNECTED:
        return p->by_proxy ? "is the proxy running, and is its address right?"
                           : "is the server running, is the port right, and does every firewall "
                             "on the way let this machine through?";
    case PROBE_NO_TLS:
        return "if its certificate is issued by your own authority, give that one's with --cacert";
    case PROBE_CONNECTED:
    case PROBE_ANSWERED:
        break;
    }
    return "try again later, and ask whoever runs the server if it stays so";
}

/* Nothing where it is good for long: the point of the connection says so. */
static void report_expiry(const struct http_probe *p, int64_t now_ms, const char *origin,
                          const char *subject, const struct findings *f)
{
    int64_t days = (p->expires_ms - now_ms) / DAY_MS;
    char at[25];
    clock_format(p->expires_ms, at);
    if (p->has_expiry && days < EXPIRES_SOON_DAYS)
        findings_add(f, FINDING_WARN, subject,
                     "%s: its certificate expires in %" PRId64 " day%s, on %.10s; whoever runs the "
                     "server has to renew it before that",
                     origin, days, days == 1 ? "" : "s", at);
}

bool http_probe_report(const struct http_probe *p, const struct http_probe_cfg *cfg,
                       const char *subject, const struct findings *f)
{
    struct buf origin, text;
    int64_t now_ms = clock_wall_ms(cfg->clock);
    bool is_reached = p->stage == PROBE_ANSWERED || (p->status && p->stage == PROBE_CONNECTED);
    buf_init(&origin, ORIGIN_BYTES_MAX);
    buf_init(&text, ORIGIN_BYTES_MAX);
    http_probe_put_origin(&origin, cfg->url);
    put_times(&text, p);
    if (!is_reached) {
        findings_add(f, FINDING_FAIL, subject, "%s%s: %s; %s", buf_cstr(&origin),
                     p->by_proxy ? " (by the proxy)" : "", p->error, advice(p));
    } else {
        if (p->has_expiry)
            buf_addf(&text, "; the certificate is good for %" PRId64 " days",
                     (p->expires_ms - now_ms) / DAY_MS);
        findings_add(f, FINDING_OK, subject, "%s: reached%s: %s", buf_cstr(&origin),
                     p->by_proxy ? " by the proxy" : "", buf_cstr(&text));
        report_expiry(p, now_ms, buf_cstr(&origin), subject, f);
    }
    buf_free(&origin);
    buf_free(&text);
    return is_reached;
}
