#include "sinks/push/push_config.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "core/base/credential_file.h"
#include "core/base/credential_text.h"
#include "core/base/loopback.h"
#include "core/base/url.h"
#include "core/http/proxy.h"
#include "core/sink_http.h"

#define CONCURRENCY 4
#define URL_BYTES_MAX ((size_t)64 << 10)

static void wipe_free(char *text)
{
    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

/* ---- URLs ----------------------------------------------------------------------------------- */

enum rc push_url_check(const struct sink_cfg *cfg, const char *url, struct err *e)
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL;
    enum rc rc = RC_OK;
    if (!parsed)
        return err_nomem(e);
    if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        rc = err_set(e, RC_USAGE,
                     "%s: the URL is not valid (it must look like https://crm.example/v1/leads)",
                     cfg->spec);
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        rc = err_set(e, RC_USAGE, "%s: the URL must begin with https://", cfg->spec);
    else if (url_is_plain_http(url) && !url_is_loopback(url) && !cfg->http->allow_http)
        rc = err_set(
            e, RC_USAGE,
            "%s: plain http to another machine: the credential and the leads could be read on the "
            "way; use https://, or allow it with --allow-http",
            cfg->spec);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    if (rc != RC_OK || url_bypasses_proxy(url, cfg->http->allow_http))
        return rc;
    rc = proxy_check_for(url, cfg->http->proxy, e);
    if (rc == RC_USAGE && !cfg->http->proxy)
        err_prefix(e, "%s", cfg->spec);
    return rc;
}

/* Where the path begins: behind the host and port, if there are any. */
static size_t authority_end(struct str url)
{
    static const char mark[] = "://";
    if (url.len && url.ptr[0] == '/')
        return 0;
    const char *at = url.len ? memmem(url.ptr, url.len, mark, sizeof mark - 1) : NULL;
    size_t i = at ? (size_t)(at - url.ptr) + sizeof mark - 1 : 0;
    while (i < url.len && url.ptr[i] != '/' && url.ptr[i] != '?' && url.ptr[i] != '#')
        i++;
    return i;
}

void push_url_put(struct buf *out, const char *base, struct str url)
{
    size_t end = base ? authority_end(url) : 0;
    if (base)
        buf_adds(out, base);
    buf_add(out, url.ptr + end, url.len - end);
}

static enum rc take_base(struct push_config *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct push_opts *opts = cfg->opts;
    if (!opts->base_url)
        return RC_OK;
    struct str given = str_c(opts->base_url);
    struct err why;
    enum rc rc = url_check(given, &why);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK)
        return err_set(
            e, RC_USAGE,
            "%s: option base-url: %s (allowed: scheme, host, port and the beginning of a path, such "
            "as https://gateway.example/crm)",
            cfg->spec, why.msg);
    struct str trimmed = url_trim(given);
    c->base = strndup(trimmed.ptr, trimmed.len);
    if (!c->base)
        return err_nomem(e);
    rc = push_url_check(cfg, c->base, e);
    if (rc == RC_USAGE)
        err_prefix(e, "option base-url");
    return rc;
}

/* A URL of parameters alone. */
static enum rc fixed_url(const struct push_config *c, const struct text_template *t,
                         const struct sink_cfg *cfg, char **out, struct err *e)
{
    struct template_fault fault;
    const struct template_input in = {.profile = cfg->profile};
    struct buf url, based;
    buf_init(&url, URL_BYTES_MAX);
    buf_init(&based, URL_BYTES_MAX);
    enum rc rc = text_template_write(t, true, &in, NULL, &url, &fault);
    if (rc == RC_USAGE)
        (void)err_set(e, rc, "%s: %s", cfg->spec, fault.text);
    else if (rc != RC_OK)
        (void)err_nomem(e);
    push_url_put(&based, c->base, buf_str(&url));
    if (rc == RC_OK)
        rc = push_url_check(cfg, buf_cstr(&based), e);
    if (rc == RC_OK && !(*out = strdup(buf_cstr(&based))))
        rc = err_nomem(e);
    buf_free(&url);
    buf_free(&based);
    return rc;
}

/* ---- credentials ---------------------------------------------------------------------------- */

static enum rc file_fault(const struct sink_cfg *cfg, const char *path, const char *what,
                          struct err *e)
{
    if (!what)
        return err_sys(e, RC_USAGE, errno, "%s: the credential file %s", cfg->spec,
                       credential_file_shown(path));
    return err_set(e, RC_USAGE, "%s: the credential file %s %s", cfg->spec,
                   credential_file_shown(path), what);
}

/* *out is for credential_file_free(). */
static enum rc read_file(const char *path, const struct sink_cfg *cfg, char **out, struct err *e)
{
    const char *fault;
    size_t len;
    enum rc rc = credential_file_read(path, out, &len, &fault);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK)
        return file_fault(cfg, path, fault, e);
    if (!memchr(*out, '\0', len))
        return RC_OK;
    credential_file_free(*out);
    return file_fault(cfg, path, "contains a NUL byte", e);
}

static enum rc keep_credential(struct str text, const char *source, const struct sink_cfg *cfg,
                               char **out, struct err *e)
{
    text = credential_trim(text);
    const char *fault = credential_fault(text, CREDENTIAL_ONE_LINE);
    if (fault)
        return err_set(e, RC_USAGE,
                       "%s: %s %s (allowed: one line of visible ASCII characters and spaces)",
                       cfg->spec, source, fault);
    *out = strndup(text.ptr, text.len);
    if (!*out || secrets_add(cfg->secrets, text) != RC_OK)
        return err_nomem(e);
    return RC_OK;
}

/* *out stays NULL where the place names neither variable nor file. */
static enum rc load(const struct credential_place *place, const struct sink_cfg *cfg, char **out,
                    struct err *e)
{
    char source[160];
    if (place->file) {
        char *text = NULL;
        enum rc rc = read_file(place->file, cfg, &text, e);
        if (rc != RC_OK)
            return rc;
        (void)snprintf(source, sizeof source, "the credential file %s",
                       credential_file_shown(place->file));
        rc = keep_credential(str_c(text), source, cfg, out, e);
        credential_file_free(text);
        return rc;
    }
    if (!place->env)
        return RC_OK;
    const char *text;
    if (secrets_take_variable(cfg->secrets, place->env, &text) != RC_OK)
        return err_nomem(e);
    if (!text)
        return err_set(e, RC_USAGE,
                       "%s: the environment variable %s is not set; the destination reads its "
                       "credential there",
                       cfg->spec, credential_variable_shown(place->env));
    (void)snprintf(source, sizeof source, "the environment variable %s", place->env);
    return keep_credential(str_c(text), source, cfg, out, e);
}

/* RFC 7617: base64 of USER:PASSWORD. */
static enum rc basic_value(struct push_config *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct destination_auth *auth = &c->destination->auth;
    char *user = NULL, *password = NULL;
    enum rc rc = load(&auth->user, cfg, &user, e);
    if (rc == RC_OK)
        rc = load(&auth->password, cfg, &password, e);
    if (rc == RC_OK && user && strchr(user, ':'))
        rc = err_set(e, RC_USAGE,
                     "%s: the user contains a colon, which Basic authentication does not allow",
                     cfg->spec);
    if (rc == RC_OK && user) { /* a destination names a place of the user */
        static const char scheme[] = "Basic ";
        size_t n = strlen(user) + 1 + (password ? strlen(password) : 0);
        char *pair = malloc(n + 1);
        size_t size = sizeof scheme + 4 * ((n + 2) / 3);
        c->auth_value = malloc(size);
        if (pair && c->auth_value) {
            (void)snprintf(pair, n + 1, "%s:%s", user, password ? password : "");
            memcpy(c->auth_value, scheme, sizeof scheme);
            (void)EVP_EncodeBlock((unsigned char *)c->auth_value + sizeof scheme - 1,
                                  (unsigned char *)pair, (int)n);
            rc = secrets_add_header(cfg->secrets, "Authorization", str_c(c->auth_value));
        }
        if (!pair || !c->auth_value || rc != RC_OK)
            rc = err_nomem(e);
        wipe_free(pair);
    }
    wipe_free(user);
    wipe_free(password);
    return rc;
}

static enum rc token_value_of(struct push_config *c, const struct sink_cfg *cfg, const char *scheme,
                              struct err *e)
{
    char *token = NULL;
    enum rc rc = load(&c->destination->auth.token, cfg, &token, e);
    if (rc == RC_OK && token) { /* likewise */
        size_t size = strlen(scheme) + 1 + strlen(token) + 1;
        c->auth_value = malloc(size);
        if (c->auth_value)
            (void)snprintf(c->auth_value, size, "%s%s%s", scheme, *scheme ? " " : "", token);
        else
            rc = err_nomem(e);
    }
    wipe_free(token);
    return rc;
}

static enum rc load_oauth2(struct push_config *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct destination_auth *auth = &c->destination->auth;
    enum rc rc = fixed_url(c, &auth->token_url, cfg, &c->token_url, e);
    if (rc == RC_OK)
        rc = load(&auth->id, cfg, &c->client_id, e);
    if (rc == RC_OK)
        rc = load(&auth->secret, cfg, &c->client_secret, e);
    if (rc == RC_OK && auth->grant == GRANT_REFRESH_TOKEN)
        rc = load(&auth->refresh, cfg, &c->refresh_token, e);
    return rc;
}

static enum rc load_credentials(struct push_config *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct destination *d = c->destination;
    enum rc rc = load(&d->url_place, cfg, &c->secret_url, e);
    if (rc == RC_OK && c->secret_url)
        rc = push_url_check(cfg, c->secret_url, e);
    if (rc != RC_OK)
        return rc;
    switch (d->auth.kind) {
    case AUTH_BEARER:
        return token_value_of(c, cfg, d->auth.scheme, e);
    case AUTH_HEADER:
        return token_value_of(c, cfg, "", e);
    case AUTH_BASIC:
        return basic_value(c, cfg, e);
    case AUTH_OAUTH2:
        return load_oauth2(c, cfg, e);
    default:
        return RC_OK;
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

const char *push_auth_header(const struct destination *d)
{
    switch (d->auth.kind) {
    case AUTH_NONE:
        return NULL;
    case AUTH_HEADER:
        return d->auth.header;
    default:
        return "Authorization";
    }
}

unsigned push_concurrency(const struct push_opts *opts, const struct destination *d)
{
    if (opts->concurrency > 0)
        return (unsigned)opts->concurrency;
    return d->concurrency ? d->concurrency : CONCURRENCY;
}

enum rc push_config_make(struct push_config *out, const struct sink_cfg *cfg, struct err *e)
{
    const struct push_opts *opts = cfg->opts;
    struct push_config c = {0};
    char *url = NULL;
    enum rc rc = destination_load(&c.destination, cfg->target, cfg->profile, &opts->params, e);
    if (rc == RC_OK)
        rc = take_base(&c, cfg, e);
    /* What the URL will be is known here, unless it depends on a lead or a token. */
    if (rc == RC_OK && c.destination->url.n_parts > 0 && !c.destination->url.has_field &&
        !c.destination->url.has_taken)
        rc = fixed_url(&c, &c.destination->url, cfg, &url, e);
    free(url);
    if (rc == RC_OK && !opts->preview)
        rc = load_credentials(&c, cfg, e);
    if (rc == RC_OK)
        *out = c;
    else
        push_config_free(&c);
    return rc;
}

void push_config_free(struct push_config *c)
{
    destination_free(c->destination);
    free(c->base);
    wipe_free(c->secret_url);
    free(c->token_url);
    wipe_free(c->auth_value);
    wipe_free(c->client_id);
    wipe_free(c->client_secret);
    wipe_free(c->refresh_token);
    *c = (struct push_config){0};
}
