#include "core/base/http_field.h"

#include <string.h>
#include <strings.h>

#define TOKEN_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"
#define FRAMES "says where the message ends, which the program does itself"
#define CONNECTS "is about the connection, which the program manages itself"

static const struct {
    const char *name; /* with "*" behind it: all that begin so */
    enum http_field_owner owner;
    const char *why;
} reserved[] = {
    {"Content-Length", HTTP_FIELD_ENGINE, FRAMES},
    {"Transfer-Encoding", HTTP_FIELD_ENGINE, FRAMES},
    {"TE", HTTP_FIELD_ENGINE, FRAMES},
    {"Trailer", HTTP_FIELD_ENGINE, FRAMES},
    {"Connection", HTTP_FIELD_ENGINE, CONNECTS},
    {"Keep-Alive", HTTP_FIELD_ENGINE, CONNECTS},
    {"Upgrade", HTTP_FIELD_ENGINE, CONNECTS},
    {"HTTP2-Settings", HTTP_FIELD_ENGINE, CONNECTS},
    {"Proxy-*", HTTP_FIELD_ENGINE, "is for a proxy: give its user and password with --proxy"},
    {"Host", HTTP_FIELD_ENGINE, "is taken from the URL"},
    {"Expect", HTTP_FIELD_ENGINE, "would make the program wait for the server's consent"},
    {"Accept-Encoding", HTTP_FIELD_PROGRAM, "names the compressions that the program can read"},
    {"Content-Encoding", HTTP_FIELD_PROGRAM,
     "says how the body is compressed, and the program sends it as it is"},
};

static bool is_of(const char *name, const char *row)
{
    size_t n = strlen(row);
    return row[n - 1] == '*' ? strncasecmp(name, row, n - 1) == 0 : strcasecmp(name, row) == 0;
}

enum http_field_owner http_field_owner(const char *name, const char **why)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (!is_of(name, reserved[i].name))
            continue;
        if (why)
            *why = reserved[i].why;
        return reserved[i].owner;
    }
    return HTTP_FIELD_ANYONE;
}

bool http_field_is_name(const char *name)
{
    size_t n = strspn(name, TOKEN_CHARS);
    return n > 0 && !name[n];
}
