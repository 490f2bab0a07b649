#include "cmd/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/credential_text.h"
#include "core/base/permission.h"

#define ALLOWED "an API key is one line of visible ASCII characters without spaces"

static enum rc read_all(int fd, const char *file, struct buf *out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(e, RC_USAGE,
                       "--api-key-file: %s is a directory; give a file that contains the API key",
                       credential_file_shown(file));
    for (;;) {
        char *room = buf_reserve(out, 1024);
        if (!room)
            return buf_rc(out) == RC_LIMIT ? RC_OK : err_nomem(e); /* too long: refused later */
        ssize_t n = read(fd, room, 1024);
        if (n > 0)
            out->len += (size_t)n;
        else if (n == 0)
            return RC_OK;
        else if (errno != EINTR)
            return err_sys(e, RC_USAGE, errno, "--api-key-file: %s cannot be read",
                           credential_file_shown(file));
    }
}

bool credential_is_of_systemd(const char *file)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    size_t n = folder ? strlen(folder) : 0;
    return n > 0 && strncmp(file, folder, n) == 0 && file[n] == '/';
}

static enum rc refuse_file(const char *file, int errnum, struct err *e)
{
    const char *shown = credential_file_shown(file);
    if (errnum == ENOENT && shown == file && credential_is_of_systemd(file))
        return err_set(e, RC_USAGE,
                       "--api-key-file: %s does not exist; systemd copies it from the path in the "
                       "unit's LoadCredential= when the job starts: put the key there",
                       shown);
    (void)err_sys(e, RC_USAGE, errnum, "--api-key-file: %s cannot be opened", shown);
    if (shown == file) /* else what follows would show it */
        permission_explain(e, errnum, file, PERMISSION_READ);
    return RC_USAGE;
}

static enum rc read_file(struct buf *out, const char *file, struct err *e)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return refuse_file(file, errno, e);
    enum rc rc = read_all(fd, file, out, e);
    (void)close(fd);
    return rc;
}

/* Leaves the key alone in the buffer, without what an editor or a copy has put around it. */
static enum rc take_key(struct buf *b, const char *option, const char *where, struct err *e)
{
    if (buf_rc(b) == RC_NOMEM)
        return err_nomem(e);
    struct str key = credential_trim(buf_str(b));
    if (buf_rc(b) != RC_OK || key.len > CREDENTIAL_BYTES_MAX)
        return err_set(e, RC_USAGE, "%s%s is too long: an API key has at most %d bytes", option,
                       where, CREDENTIAL_BYTES_MAX);
    const char *fault = credential_fault(key, CREDENTIAL_ONE_WORD);
    if (fault)
        return err_set(e, RC_USAGE, "%s%s %s; " ALLOWED, option, where, fault);
    memmove(b->data, key.ptr, key.len);
    explicit_bzero(b->data + key.len, b->cap - key.len);
    b->len = key.len;
    return RC_OK;
}

/* The variable is taken out of the environment in any case. */
static enum rc load(struct buf *out, const struct profile *p, const char *file, struct secrets *s,
                    struct err *e)
{
    const char *variable = p->key_variable.ptr, *value;
    if (secrets_take_variable(s, variable, &value) != RC_OK)
        return err_nomem(e);
    enum rc rc = RC_OK;
    if (file) {
        rc = read_file(out, file, e);
        if (rc == RC_OK)
            rc = take_key(out, "--api-key-file: ", credential_file_shown(file), e);
    } else if (value) {
        buf_adds(out, value);
        rc = take_key(out, "", variable, e);
    } else {
        rc = err_set(e, RC_USAGE, "no API key: set %s, or give --api-key-file FILE", variable);
    }
    if (rc == RC_OK && secrets_add(s, buf_str(out)) != RC_OK)
        rc = err_nomem(e);
    return rc;
}

enum rc credential_load(struct buf *out, const struct profile *p, const char *file,
                        struct secrets *s, struct err *e)
{
    /* All at once, so that no copy stays behind where the buffer grew. */
    buf_init(out, CREDENTIAL_BYTES_MAX + 4096);
    if (!buf_reserve(out, CREDENTIAL_BYTES_MAX + 2048))
        return err_nomem(e);
    if (!p->key_header.len && !file)
        return RC_OK;
    enum rc rc =
        p->key_header.len
            ? load(out, p, file, s, e)
            : err_set(e, RC_USAGE, "--api-key-file: provider %s takes no API key", p->name.ptr);
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
