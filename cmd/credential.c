#include "credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum rc read_all(int fd, struct buf *out, struct err *e)
{
    for (;;) {
        char *room = buf_reserve(out, 1024);
        if (!room)
            return buf_rc(out) == RC_LIMIT ? RC_OK : err_nomem(e); /* too long: judged later */
        ssize_t n = read(fd, room, 1024);
        if (n > 0)
            out->len += (size_t)n;
        else if (n == 0)
            return RC_OK;
        else if (errno != EINTR)
            return err_sys(e, RC_USAGE, errno, "--api-key-file: cannot be read");
    }
}

/* The name is not in the texts: a key that was given in its place must not be, either. */
static enum rc read_file(struct buf *out, const char *file, struct err *e)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(e, RC_USAGE, errno, "--api-key-file: the file cannot be opened");
    enum rc rc = read_all(fd, out, e);
    (void)close(fd);
    return rc;
}

static void trim_line_end(struct buf *b)
{
    if (b->len && b->data[b->len - 1] == '\n') {
        b->len--;
        if (b->len && b->data[b->len - 1] == '\r')
            b->len--;
    }
}

static enum rc check(const struct buf *b, const char *where, struct err *e)
{
    if (buf_rc(b) == RC_NOMEM)
        return err_nomem(e);
    if (buf_rc(b) != RC_OK || b->len > CREDENTIAL_BYTES_MAX)
        return err_set(e, RC_USAGE, "%s: an API key has at most %d bytes", where,
                       CREDENTIAL_BYTES_MAX);
    if (b->len == 0)
        return err_set(e, RC_USAGE, "%s: is empty; it must hold the API key", where);
    for (size_t i = 0; i < b->len; i++) {
        unsigned char c = (unsigned char)b->data[i];
        if (c < 0x20 || c == 0x7F)
            return err_set(e, RC_USAGE, "%s: an API key is one line without control characters",
                           where);
    }
    return RC_OK;
}

/* So that neither a child nor /proc shows it. */
static void forget_variable(const char *name)
{
    char *value = getenv(name);
    if (!value)
        return;
    explicit_bzero(value, strlen(value));
    (void)unsetenv(name);
}

static enum rc load(struct buf *out, const struct profile *p, const char *file, struct err *e)
{
    if (file) {
        enum rc rc = read_file(out, file, e);
        trim_line_end(out);
        return rc == RC_OK ? check(out, "--api-key-file", e) : rc;
    }
    const char *value = getenv(p->key_variable.ptr);
    if (!value)
        return err_set(e, RC_USAGE, "no API key: set %s, or give --api-key-file FILE",
                       p->key_variable.ptr);
    buf_adds(out, value);
    trim_line_end(out);
    return check(out, p->key_variable.ptr, e);
}

enum rc credential_load(struct buf *out, const struct profile *p, const char *file, struct err *e)
{
    /* All at once, so that no copy stays behind where the buffer grew. */
    buf_init(out, CREDENTIAL_BYTES_MAX + 4096);
    if (!buf_reserve(out, CREDENTIAL_BYTES_MAX + 2048))
        return err_nomem(e);
    if (!p->key_header.len && !file)
        return RC_OK;
    enum rc rc = p->key_header.len
                     ? load(out, p, file, e)
                     : err_set(e, RC_USAGE, "--api-key-file: %s takes no API key", p->name.ptr);
    if (p->key_header.len)
        forget_variable(p->key_variable.ptr);
    if (rc != RC_OK)
        credential_free(out);
    return rc;
}

void credential_free(struct buf *credential)
{
    if (credential->data)
        explicit_bzero(credential->data, credential->cap);
    buf_free(credential);
}
