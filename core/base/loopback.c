#include "core/base/loopback.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host), name_len = sizeof name - 1;
    if (len && host[len - 1] == '.')
        len--;
    if (len < name_len || strncasecmp(host + len - name_len, name, name_len) != 0)
        return false;
    return len == name_len || host[len - name_len - 1] == '.';
}

/* libcurl writes IPv6 hosts in brackets and every spelling of IPv4 as four numbers. */
static bool is_loopback_address(char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    size_t len = strlen(host);
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (len < 2 || host[0] != '[')
        return false;
    host[len - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &v6) != 1)
        return false;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

static bool is_address(char *host)
{
    struct in_addr v4;
    return host[0] == '[' || inet_pton(AF_INET, host, &v4) == 1;
}

static bool is_loopback(char *host)
{
    return is_localhost(host) || is_loopback_address(host);
}

static bool host_is(const char *url, bool (*is)(char *host))
{
    CURLU *u = curl_url();
    char *host = NULL;
    bool found = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
                 curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    bool it_is = found && is(host);
    curl_free(host);
    curl_url_cleanup(u);
    return it_is;
}

bool url_is_loopback(const char *url)
{
    return host_is(url, is_loopback);
}

bool url_has_address(const char *url)
{
    return host_is(url, is_address);
}

bool url_is_plain_http(const char *url)
{
    return strncasecmp(url, "http:", 5) == 0;
}

bool url_bypasses_proxy(const char *url, bool allow_http)
{
    return !allow_http && url_is_plain_http(url) && url_is_loopback(url);
}
