#include "core/kafka/kafka_instance.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HOST_BYTES 256
#define DIGITS_NAME 8    /* behind a name that is not the host's own any more */
#define DIGITS_SOCKET 32 /* of the socket's name */

/* So many hexadecimal digits of the digest of two texts. False: libcrypto is out of memory. */
static bool digest(struct str a, struct str b, size_t digits, char *out)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool is_made = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(md, a.ptr, a.len) == 1 && EVP_DigestUpdate(md, "", 1) == 1 &&
                   EVP_DigestUpdate(md, b.ptr, b.len) == 1 &&
                   EVP_DigestFinal_ex(md, bytes, NULL) == 1;
    EVP_MD_CTX_free(md);
    for (size_t i = 0; is_made && i < digits / 2; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return is_made;
}

/* Many hosts may be called so. */
static bool is_general(const char *host)
{
    static const char local[] = "localhost";
    size_t n = sizeof local - 1;
    return !*host || strcmp(host, "(none)") == 0 ||
           (strncasecmp(host, local, n) == 0 && (host[n] == '\0' || host[n] == '.'));
}

/* Characters that Kafka does not allow are replaced; the digits behind them keep such names apart. */
bool kafka_instance_of_host(const char *host, char out[KAFKA_INSTANCE_BYTES])
{
    char digits[DIGITS_NAME + 1];
    struct str own = str_c(host);
    if (is_general(host))
        return false;
    if (kafka_topic_is_valid(own)) {
        (void)snprintf(out, KAFKA_INSTANCE_BYTES, "%s", host);
        return true;
    }
    if (!digest(own, STR(""), DIGITS_NAME, digits))
        return false;
    size_t room = KAFKA_TOPIC_BYTES_MAX - DIGITS_NAME - 1;
    size_t n = own.len < room ? own.len : room;
    for (size_t i = 0; i < n; i++) {
        bool is_allowed = kafka_topic_is_valid((struct str){host + i, 1}) || host[i] == '.';
        out[i] = '_';
        if (is_allowed)
            out[i] = host[i];
    }
    (void)snprintf(out + n, KAFKA_INSTANCE_BYTES - n, "-%s", digits);
    return true;
}

/* Binds a socket in the abstract namespace of Linux: no file is left if the process is killed. 0, or errno. */
static int bind_name(int fd, const char *digits)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* The first byte stays NUL: the name is not a path. */
    int n =
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "leadpipe-kafka-%s", digits);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return bind(fd, (const struct sockaddr *)&address, len) == 0 ? 0 : errno;
}

/* Brokers are not a part of the socket's name: one cluster has many addresses, and if the same name were used twice in it,
 * one worker would end the other. Where two clusters have a group of the same name, one worker is a dynamic member. */
bool kafka_instance_claim(struct kafka_instance *out, const char *group, const char **why)
{
    char host[HOST_BYTES] = "", digits[DIGITS_SOCKET + 1];
    out->fd = -1;
    *why = "the host's name does not identify it";
    if (gethostname(host, sizeof host - 1) != 0 || !kafka_instance_of_host(host, out->name))
        return false;
    *why = "cannot find out whether another worker of this host has its name";
    if (!digest(str_c(group), str_c(out->name), DIGITS_SOCKET, digits))
        return false;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? errno : bind_name(fd, digits);
    if (error == EADDRINUSE)
        *why = "another worker of this host has its name";
    if (error && fd >= 0)
        (void)close(fd);
    if (!error)
        out->fd = fd;
    return !error;
}

void kafka_instance_release(struct kafka_instance *i)
{
    if (i->fd >= 0)
        (void)close(i->fd);
    i->fd = -1;
}
