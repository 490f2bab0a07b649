#include "core/http/redirect.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/str.h"

struct location {
    char *url, *scheme, *host, *path;
};

static void location_free(struct location *p)
{
    curl_free(p->url);
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->path);
}

/* All of it that may be shown; members are NULL where the URL has no such part. */
static void location_of(CURLU *u, struct location *p)
{
    static const CURLUPart hidden[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                       CURLUPART_QUERY, CURLUPART_FRAGMENT};
    bool ok = true;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        ok = ok && curl_url_set(u, hidden[i], NULL, 0) == CURLUE_OK;
    if (!ok || curl_url_get(u, CURLUPART_URL, &p->url, 0) != CURLUE_OK)
        return;
    (void)curl_url_get(u, CURLUPART_SCHEME, &p->scheme, 0); /* NULL where there is none */
    (void)curl_url_get(u, CURLUPART_HOST, &p->host, 0);
    (void)curl_url_get(u, CURLUPART_PATH, &p->path, 0);
}

/* The same but for one slash at the end. */
static bool differs_in_slash(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    size_t n = na < nb ? na : nb;
    return (na > nb ? na - nb : nb - na) == 1 && strncmp(a, b, n) == 0 &&
           (na > nb ? a : b)[n] == '/';
}

/* Does one of the path's segments, or the first label of the host, speak of logging in? */
static bool is_login(const struct location *p)
{
    static const char *const words[] = {
        "login", "log-in", "log_in", "logon", "signin",    "sign-in",      "sign_in", "sso", "saml",
        "saml2", "oauth",  "oauth2", "auth",  "authorize", "authenticate", "idp",     "cas"};
    for (const char *at = p->path; at && *at;
         at += strcspn(at, "/") + (at[strcspn(at, "/")] == '/')) {
        size_t n = strcspn(at, "/.;");
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            if (strlen(words[i]) == n && strncasecmp(at, words[i], n) == 0)
                return true;
        }
    }
    const char *host = p->host ? p->host : "";
    size_t n = strcspn(host, ".");
    for (size_t i = 0; host[n] && i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i]) == n && strncasecmp(host, words[i], n) == 0)
            return true;
    }
    return false;
}

static const char *hint_of(const struct location *from, const struct location *to)
{
    if (!from->scheme || !from->host || !from->path || !to->scheme || !to->host || !to->path)
        return NULL;
    bool same_host = strcasecmp(from->host, to->host) == 0;
    bool same_path = strcmp(from->path, to->path) == 0;
    if (same_host && same_path && strcmp(from->scheme, "http") == 0 &&
        strcmp(to->scheme, "https") == 0)
        return "https instead of http";
    if (same_host && differs_in_slash(from->path, to->path))
        return strlen(to->path) > strlen(from->path) ? "with a slash at the end"
                                                     : "without the slash at the end";
    return is_login(to) ? "a login page" : NULL;
}

void redirect_describe(const char *url, const char *location, char *out, size_t size)
{
    const unsigned how = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_PATH_AS_IS;
    struct location from = {0}, to = {0};
    CURLU *u = curl_url();
    CURLU *asked = curl_url();
    out[0] = '\0';
    if (u && asked && curl_url_set(u, CURLUPART_URL, url, how) == CURLUE_OK &&
        curl_url_set(asked, CURLUPART_URL, url, how) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, how) == CURLUE_OK) {
        location_of(asked, &from);
        location_of(u, &to);
        const char *hint = hint_of(&from, &to);
        (void)snprintf(out, size, "%s%s%s%s", to.url ? to.url : "", hint ? " (" : "",
                       hint ? hint : "", hint ? ")" : "");
    }
    for (char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    utf8_scrub(out);
    location_free(&from);
    location_free(&to);
    curl_url_cleanup(u);
    curl_url_cleanup(asked);
}
