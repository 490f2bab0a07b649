#include "core/http/proxy.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/str.h"

#define ALLOWED "[SCHEME://][USER:PASSWORD@]HOST[:PORT]"
#define SCHEMES "http, https, socks4, socks4a, socks5, socks5h"

/* ---- form ----------------------------------------------------------------------------------- */

static bool is_scheme(const char *text, size_t n)
{
    static const char *const known[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i]) == n && strncasecmp(text, known[i], n) == 0)
            return true;
    }
    return false;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static bool is_port_zero(CURLU *u)
{
    char *port = NULL;
    bool is_zero =
        curl_url_get(u, CURLUPART_PORT, &port, 0) == CURLUE_OK && strtol(port, NULL, 10) == 0;
    curl_free(port);
    return is_zero;
}

/* A path, a query or a fragment can only be a slip: "http//host" has the host "http". */
static enum rc check_parts(CURLU *u, struct err *e)
{
    char *path = NULL, *host = NULL;
    CURLUcode got_path = curl_url_get(u, CURLUPART_PATH, &path, 0);
    CURLUcode got_host = curl_url_get(u, CURLUPART_HOST, &host, 0);
    enum rc rc = RC_OK;
    if (got_path == CURLUE_OUT_OF_MEMORY || got_host == CURLUE_OUT_OF_MEMORY)
        rc = err_nomem(e);
    else if (got_host != CURLUE_OK || !host[0])
        rc = err_set(e, RC_USAGE, "the proxy has no host (allowed: " ALLOWED ")");
    else if ((got_path == CURLUE_OK && strcmp(path, "/") != 0 && path[0]) ||
             has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT))
        rc = err_set(e, RC_USAGE, "a proxy must not have a path or query (allowed: " ALLOWED ")");
    curl_free(path);
    curl_free(host);
    return rc;
}

static enum rc check_url(const char *text, struct err *e)
{
    CURLU *u = curl_url();
    if (!u)
        return err_nomem(e);
    CURLUcode code =
        curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
    enum rc rc;
    if (code == CURLUE_OUT_OF_MEMORY)
        rc = err_nomem(e);
    else if (code == CURLUE_BAD_PORT_NUMBER || (code == CURLUE_OK && is_port_zero(u)))
        rc = err_set(e, RC_USAGE, "the proxy's port is invalid (allowed: 1 to 65535)");
    else if (code != CURLUE_OK)
        rc = err_set(e, RC_USAGE, "the proxy is not a valid address (allowed: " ALLOWED ")");
    else
        rc = check_parts(u, e);
    curl_url_cleanup(u);
    return rc;
}

enum rc proxy_check(const char *text, struct err *e)
{
    const char *end = strstr(text, "://");
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p <= ' ' || *p == 0x7f)
            return err_set(e, RC_USAGE,
                           "the proxy's address contains a space or control character "
                           "(percent-encode them in user and password, such as %%20)");
    }
    if (end && !is_scheme(text, (size_t)(end - text)))
        return err_set(e, RC_USAGE, "the proxy's scheme is not one of " SCHEMES);
    size_t word = strcspn(text, ":/");
    if (!end && (strncmp(text, "//", 2) == 0 || strstr(text, ":/") ||
                 (is_scheme(text, word) && strchr(text, '@')))) /* "http:user:password@host" */
        return err_set(e, RC_USAGE, "the proxy is not a valid address (allowed: " ALLOWED ")");
    /* What libcurl would do without a scheme depends on the host's name: "ftp.example" is FTP's. */
    size_t n = strlen(text) + sizeof "http://";
    char *whole = malloc(n);
    if (!whole)
        return err_nomem(e);
    (void)snprintf(whole, n, "%s%s", end ? "" : "http://", text);
    enum rc rc = check_url(whole, e);
    explicit_bzero(whole, n);
    free(whole);
    return rc;
}

/* ---- environment ---------------------------------------------------------------------------- */

static const char *value_of(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static const char *first_set(const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (value_of(names[i]))
            return names[i];
    }
    return NULL;
}

/* Is `host` in a list such as "localhost, .example.com"? An entry means the name and all below it. */
static bool is_listed(const char *list, struct str host)
{
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list; *at;) {
        at += strspn(at, ", ");
        struct str one = {at, strcspn(at, ", ")};
        at += one.len;
        while (one.len && one.ptr[0] == '.')
            one = (struct str){one.ptr + 1, one.len - 1};
        if (one.len && one.ptr[one.len - 1] == '.')
            one.len--;
        if (one.len == 0 || one.len > host.len)
            continue;
        const char *tail = host.ptr + host.len - one.len;
        if (strncasecmp(tail, one.ptr, one.len) == 0 && (tail == host.ptr || tail[-1] == '.'))
            return true;
    }
    return false;
}

static bool is_left_out(const char *url)
{
    static const char *const names[] = {"no_proxy", "NO_PROXY"};
    const char *name = first_set(names, sizeof names / sizeof *names);
    const char *list = name ? value_of(name) : NULL;
    char *host = NULL;
    bool is_out = false;
    CURLU *u = list ? curl_url() : NULL;
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        struct str bare = str_c(host);
        if (bare.len > 2 && bare.ptr[0] == '[')
            bare = (struct str){bare.ptr + 1, bare.len - 2};
        is_out = is_listed(list, bare);
    }
    curl_free(host);
    curl_url_cleanup(u);
    return is_out;
}

const char *proxy_variable(const char *url)
{
    /* HTTP_PROXY in capitals is what a CGI program is given by anyone who asks */
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    bool is_tls = strncasecmp(url, "https:", 6) == 0;
    const char *name = is_tls ? first_set(https, 4) : first_set(http, 3);
    return name && !is_left_out(url) ? name : NULL;
}

enum rc proxy_check_for(const char *url, const char *given, struct err *e)
{
    const char *name = given ? NULL : proxy_variable(url);
    if (given ? !*given : !name)
        return RC_OK;
    const char *text = given ? given : value_of(name);
    enum rc rc = proxy_check(text ? text : "", e);
    if (rc == RC_USAGE && given)
        err_prefix(e, "--proxy");
    else if (rc == RC_USAGE)
        err_prefix(e, "the environment variable %s", name);
    return rc;
}

bool proxy_is_used(const char *url, const char *given)
{
    return given ? *given && !is_left_out(url) : proxy_variable(url) != NULL;
}
