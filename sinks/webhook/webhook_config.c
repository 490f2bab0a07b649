#include "sinks/webhook/webhook_config.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "core/base/credential_file.h"
#include "core/base/credential_text.h"
#include "core/base/http_field.h"
#include "core/base/loopback.h"
#include "core/http/proxy.h"
#include "core/sink_http.h"

#define HEADERS_BYTES_MAX ((size_t)1 << 20)
#define TYPE_BYTES_MAX 128

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ---- URL ------------------------------------------------------------------------------------ */

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static enum rc check_parts(CURLU *url, const struct sink_cfg *cfg, const char *scheme,
                           struct err *e)
{
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return err_set(e, RC_USAGE, "%s: the URL begins with %s:// (allowed: http, https)",
                       cfg->spec, scheme);
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        return err_set(e, RC_USAGE,
                       "%s: a user or password in the URL would appear in messages; use "
                       "header-env=Authorization: VARIABLE",
                       cfg->spec);
    if (strcmp(scheme, "http") == 0 && !cfg->http->allow_http && !url_is_loopback(cfg->target))
        return err_set(e, RC_USAGE,
                       "%s: plain http:// to another machine can be read by anyone on the network "
                       "path; use https://, or allow it with --allow-http",
                       cfg->spec);
    if (url_bypasses_proxy(cfg->target, cfg->http->allow_http))
        return RC_OK;
    enum rc rc = proxy_check_for(cfg->target, cfg->http->proxy, e);
    if (rc == RC_USAGE && !cfg->http->proxy)
        err_prefix(e, "%s", cfg->spec);
    return rc;
}

enum rc webhook_url_check(const struct sink_cfg *cfg, struct err *e)
{
    CURLU *url = curl_url();
    if (!url)
        return err_nomem(e);
    char *scheme = NULL, *host = NULL;
    enum rc rc;
    if (curl_url_set(url, CURLUPART_URL, cfg->target, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        rc = err_set(e, RC_USAGE, "%s: not a URL (such as https://crm.example/hook)", cfg->spec);
    else
        rc = check_parts(url, cfg, scheme, e);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    return rc;
}

enum rc webhook_type_check(const struct sink_cfg *cfg, struct err *e)
{
    const struct webhook_opts *opts = cfg->opts;
    if (!opts->type)
        return RC_OK;
    size_t n = 0;
    while (opts->type[n] && (is_alnum(opts->type[n]) || strchr("._-:/", opts->type[n])))
        n++;
    if (n == 0 || n > TYPE_BYTES_MAX || opts->type[n])
        return err_set(e, RC_USAGE,
                       "%s: option type: \"%s\" (allowed: 1 to %d letters, digits and . _ - : /)",
                       cfg->spec, opts->type, TYPE_BYTES_MAX);
    return RC_OK;
}

/* ---- headers -------------------------------------------------------------------------------- */

/* The signature's, and those that nobody but the program may set. */
static bool is_reserved(const char *name, const char **why)
{
    static const char *const signing[] = {"webhook-id", "webhook-timestamp", "webhook-signature"};
    for (size_t i = 0; i < sizeof signing / sizeof *signing; i++) {
        *why = "is a part of the signature, which the program makes";
        if (strcasecmp(name, signing[i]) == 0)
            return true;
    }
    return http_field_owner(name, why) != HTTP_FIELD_ANYONE;
}

static bool is_header_value(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p; p++)
        if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
            return false;
    return *value != '\0';
}

/* Without the blanks around it. */
static struct str trim(struct str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct str){s.ptr + 1, s.len - 1};
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* "NAME: VALUE" of an option. A text without a name is never shown whole: it may be a secret. */
static enum rc split_header(struct webhook_headers *h, const char *text, const char *option,
                            const struct sink_cfg *cfg, struct err *e)
{
    const char *colon = strchr(text, ':');
    if (!colon)
        return err_set(e, RC_USAGE, "%s: option %s: missing colon (allowed: \"Name: %s\")",
                       cfg->spec, option, strcmp(option, "header") == 0 ? "value" : "VARIABLE");
    char *name = arena_strdup(&h->arena, trim((struct str){text, (size_t)(colon - text)}));
    char *value = arena_strdup(&h->arena, trim(str_c(colon + 1)));
    if (!name || !value)
        return err_nomem(e);
    if (!http_field_is_name(name))
        return err_set(e, RC_USAGE,
                       "%s: option %s: the text before the colon is not a header name (allowed: "
                       "letters, digits and - _ .)",
                       cfg->spec, option);
    const char *why;
    if (is_reserved(name, &why))
        return err_set(e, RC_USAGE, "%s: option %s: the header %s cannot be set; it %s", cfg->spec,
                       option, name, why);
    h->values[h->n] = value;
    h->list[h->n] = (struct http_header){name, value};
    return RC_OK;
}

static enum rc add_plain(struct webhook_headers *h, const char *text, const struct sink_cfg *cfg,
                         struct err *e)
{
    struct http_header *header = &h->list[h->n];
    enum rc rc = split_header(h, text, "header", cfg, e);
    if (rc != RC_OK)
        return rc;
    if (!is_header_value(header->value))
        return err_set(e, RC_USAGE,
                       "%s: option header: the value of %s is empty or contains a control "
                       "character",
                       cfg->spec, header->name);
    if (secrets_add_header(cfg->secrets, header->name, str_c(header->value)) != RC_OK)
        return err_nomem(e);
    h->n++;
    return RC_OK;
}

static enum rc add_from_env(struct webhook_headers *h, const char *text, const struct sink_cfg *cfg,
                            struct err *e)
{
    struct http_header *header = &h->list[h->n];
    enum rc rc = split_header(h, text, "header-env", cfg, e);
    if (rc != RC_OK)
        return rc;
    const char *variable = header->value, *given;
    if (secrets_take_variable(cfg->secrets, variable, &given) != RC_OK)
        return err_nomem(e);
    if (!given || !*given)
        return err_set(e, RC_USAGE, "%s: option header-env: the environment variable %s is not set",
                       cfg->spec, credential_variable_shown(variable));
    struct str value = credential_trim(str_c(given));
    const char *fault = credential_fault(value, CREDENTIAL_ONE_LINE);
    if (fault)
        return err_set(e, RC_USAGE,
                       "%s: option header-env: the environment variable %s %s (allowed: one line "
                       "of visible ASCII characters and spaces)",
                       cfg->spec, variable, fault);
    header->value = h->values[h->n] = arena_strdup(&h->arena, value);
    if (!header->value || secrets_add_header(cfg->secrets, header->name, value) != RC_OK)
        return err_nomem(e);
    h->n++;
    return RC_OK;
}

static bool has_header(const struct webhook_headers *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcasecmp(h->list[i].name, name) == 0)
            return true;
    return false;
}

enum rc webhook_headers_make(struct webhook_headers *out, const struct sink_cfg *cfg, struct err *e)
{
    const struct webhook_opts *opts = cfg->opts;
    struct webhook_headers h = {0};
    arena_init(&h.arena, HEADERS_BYTES_MAX);
    h.list = arena_array(&h.arena, opts->headers.n + opts->header_envs.n + 1, sizeof *h.list);
    h.values =
        arena_zalloc(&h.arena, (opts->headers.n + opts->header_envs.n + 1) * sizeof *h.values);
    if (!h.list || !h.values) {
        arena_free(&h.arena);
        return err_nomem(e);
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; i < opts->headers.n && rc == RC_OK; i++)
        rc = add_plain(&h, opts->headers.items[i], cfg, e);
    for (size_t i = 0; i < opts->header_envs.n && rc == RC_OK; i++)
        rc = add_from_env(&h, opts->header_envs.items[i], cfg, e);
    if (rc != RC_OK) {
        webhook_headers_free(&h);
        return rc;
    }
    if (!has_header(&h, "content-type"))
        h.list[h.n++] = (struct http_header){"Content-Type", "application/json"};
    *out = h;
    return RC_OK;
}

void webhook_headers_free(struct webhook_headers *h)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->values[i])
            explicit_bzero(h->values[i], strlen(h->values[i]));
    }
    arena_free(&h->arena);
    *h = (struct webhook_headers){0};
}

/* ---- secrets -------------------------------------------------------------------------------- */

/* A word as it was given, and the key in it: either may be echoed. */
static enum rc register_secrets(const struct webhook_secrets *s, struct str text,
                                const struct sink_cfg *cfg, struct err *e)
{
    enum rc rc = webhook_secrets_register(s, cfg->secrets);
    for (size_t at = 0; rc == RC_OK && at < text.len;) {
        struct str word = {text.ptr + at, 0};
        while (at + word.len < text.len && !strchr(" \t\n\v\f\r", word.ptr[word.len]))
            word.len++;
        at += word.len + 1;
        if (word.len > 6 && memcmp(word.ptr, "whsec_", 6) == 0)
            word = (struct str){word.ptr + 6, word.len - 6};
        rc = secrets_add(cfg->secrets, word);
    }
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

/* `option` is where the text is from, `source` its file or variable. */
static enum rc parse_secrets(struct webhook_secrets **out, struct str text, const char *option,
                             const char *source, const struct sink_cfg *cfg, struct err *e)
{
    struct webhook_secrets *s = NULL;
    text = credential_trim(text);
    const char *fault = text.len ? credential_fault(text, CREDENTIAL_WORDS) : NULL;
    enum rc rc = fault ? err_set(e, RC_USAGE,
                                 "%s: %s (allowed: secrets in base64, with or without \"whsec_\" "
                                 "before them)",
                                 source, fault)
                       : webhook_secrets_parse(&s, text, source, e);
    if (rc == RC_OK)
        rc = register_secrets(s, text, cfg, e);
    if (rc != RC_OK) {
        webhook_secrets_free(s);
        err_prefix(e, "%s: option %s", cfg->spec, option);
        return rc;
    }
    *out = s;
    return RC_OK;
}

static enum rc load_file(struct webhook_secrets **out, const char *path, const struct sink_cfg *cfg,
                         struct err *e)
{
    const char *fault, *shown = credential_file_shown(path);
    char *text = NULL;
    size_t len = 0;
    enum rc rc = credential_file_read(path, &text, &len, &fault);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc != RC_OK && fault)
        return err_set(e, RC_USAGE, "%s: option secret-file: %s %s", cfg->spec, shown, fault);
    if (rc != RC_OK)
        return err_sys(e, RC_USAGE, errno, "%s: option secret-file: %s", cfg->spec, shown);
    rc = parse_secrets(out, (struct str){text, len}, "secret-file", shown, cfg, e);
    credential_file_free(text);
    return rc;
}

enum rc webhook_secrets_load(struct webhook_secrets **out, const struct sink_cfg *cfg,
                             struct err *e)
{
    const struct webhook_opts *opts = cfg->opts;
    if (opts->secret_file)
        return load_file(out, opts->secret_file, cfg, e);
    if (!opts->secret_env) {
        *out = NULL;
        return RC_OK;
    }
    const char *text;
    if (secrets_take_variable(cfg->secrets, opts->secret_env, &text) != RC_OK)
        return err_nomem(e);
    if (!text)
        return err_set(e, RC_USAGE, "%s: option secret-env: the environment variable %s is not set",
                       cfg->spec, credential_variable_shown(opts->secret_env));
    return parse_secrets(out, str_c(text), "secret-env", opts->secret_env, cfg, e);
}
