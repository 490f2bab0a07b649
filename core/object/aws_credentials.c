#include "core/object/aws_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/credential_text.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define PATH_BYTES 4096

/* ---- the file ------------------------------------------------------------------------------- */

static enum rc read_file(struct buf *out, const char *path, struct err *e)
{
    struct stat st;
    buf_init(out, FILE_BYTES_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RC_END;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        int errnum = fd < 0 ? errno : EINVAL;
        if (fd >= 0)
            (void)close(fd);
        return err_sys(e, RC_USAGE, errnum, "%s: the credentials cannot be read", path);
    }
    /* All at once, so that no copy stays behind where the buffer grew. */
    char *room = buf_reserve(out, (size_t)st.st_size + 1);
    ssize_t n = room ? read(fd, room, (size_t)st.st_size) : 0;
    (void)close(fd);
    if (!room)
        return err_set(e, buf_rc(out) == RC_LIMIT ? RC_USAGE : RC_NOMEM,
                       "%s: the credentials cannot be read: %s", path, rc_text(buf_rc(out)));
    if (n < 0)
        return err_sys(e, RC_USAGE, errno, "%s: the credentials cannot be read", path);
    out->len = (size_t)n;
    room[n] = '\0';
    return RC_OK;
}

static struct str next_line(char **text)
{
    char *line = *text;
    size_t n = strcspn(line, "\r\n");
    *text = line + n + (line[n] != '\0');
    line[n] = '\0';
    while (*line == ' ' || *line == '\t') {
        line++;
        n--;
    }
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
        line[--n] = '\0';
    return (struct str){line, n};
}

/* "name = value"; the value has a NUL behind it. */
static const char *value_of(struct str line, const char *name)
{
    size_t n = strlen(name);
    if (line.len <= n || memcmp(line.ptr, name, n) != 0)
        return NULL;
    const char *p = line.ptr + n;
    while (*p == ' ' || *p == '\t')
        p++;
    if (*p++ != '=')
        return NULL;
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

/* The lines of one section, cut in place. False: there is none of that name. */
static bool read_profile(struct aws_credentials *c, const char *profile)
{
    bool is_it = false, found = false;
    for (char *text = c->file.data; *text;) {
        struct str line = next_line(&text);
        const char *value;
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (line.ptr[0] == '[') {
            is_it = line.len == strlen(profile) + 2 && line.ptr[line.len - 1] == ']' &&
                    memcmp(line.ptr + 1, profile, line.len - 2) == 0;
            found |= is_it;
        } else if (!is_it) {
            continue;
        } else if ((value = value_of(line, "aws_access_key_id"))) {
            c->access_key = value;
        } else if ((value = value_of(line, "aws_secret_access_key"))) {
            c->secret_key = value;
        } else if ((value = value_of(line, "aws_session_token"))) {
            c->session_token = value;
        }
    }
    return found;
}

static enum rc load_file(struct aws_credentials *c, struct err *e)
{
    /* nobody sets them */
    const char *given = getenv("AWS_SHARED_CREDENTIALS_FILE"); /* NOLINT(concurrency-mt-unsafe) */
    const char *home = getenv("HOME");                         /* NOLINT(concurrency-mt-unsafe) */
    const char *profile = getenv("AWS_PROFILE");               /* NOLINT(concurrency-mt-unsafe) */
    char path[PATH_BYTES];
    bool is_named = profile && *profile;
    int n = given && *given ? snprintf(path, sizeof path, "%s", given)
                            : snprintf(path, sizeof path, "%s/.aws/credentials", home ? home : "");
    enum rc rc = n > 0 && n < PATH_BYTES ? read_file(&c->file, path, e) : RC_END;
    if (rc == RC_END && !is_named && !(given && *given))
        return err_set(e, RC_USAGE,
                       "no credentials for object storage: set AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY, or write a profile to ~/.aws/credentials");
    if (rc == RC_END)
        return err_set(e, RC_USAGE,
                       "%s: does not exist; it should contain the credentials for object "
                       "storage",
                       path);
    if (rc != RC_OK)
        return rc;
    if (!read_profile(c, is_named ? profile : "default"))
        return err_set(e, RC_USAGE, "%s: there is no profile [%s] (%s)", path,
                       is_named ? profile : "default",
                       is_named ? "AWS_PROFILE" : "AWS_PROFILE names another one");
    if (!c->access_key || !c->secret_key)
        return err_set(e, RC_USAGE,
                       "%s: the profile [%s] lacks aws_access_key_id or aws_secret_access_key",
                       path, is_named ? profile : "default");
    return RC_OK;
}

/* ---- the environment ------------------------------------------------------------------------- */

static enum rc load_variables(struct aws_credentials *c, struct secrets *s, struct err *e)
{
    if (secrets_take_variable(s, "AWS_ACCESS_KEY_ID", &c->access_key) != RC_OK ||
        secrets_take_variable(s, "AWS_SECRET_ACCESS_KEY", &c->secret_key) != RC_OK ||
        secrets_take_variable(s, "AWS_SESSION_TOKEN", &c->session_token) != RC_OK)
        return err_nomem(e);
    if (c->session_token && !*c->session_token)
        c->session_token = NULL;
    bool has_key = c->access_key && *c->access_key, has_secret = c->secret_key && *c->secret_key;
    if (has_key == has_secret)
        return has_key ? RC_OK : RC_END;
    return err_set(e, RC_USAGE, "%s is set, but %s is not; object storage needs both",
                   has_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                   has_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
}

static enum rc check(struct secrets *s, const char *what, const char *value, struct err *e)
{
    if (!value)
        return RC_OK;
    const char *fault = credential_fault(str_c(value), CREDENTIAL_ONE_WORD);
    if (fault)
        return err_set(e, RC_USAGE, "the %s for object storage %s", what, fault);
    return secrets_add(s, str_c(value)) == RC_OK ? RC_OK : err_nomem(e);
}

enum rc aws_credentials_load(struct aws_credentials *out, struct secrets *s, struct err *e)
{
    struct aws_credentials *c = out;
    enum rc rc = load_variables(c, s, e);
    if (rc == RC_END) {
        c->access_key = c->secret_key = c->session_token = NULL;
        rc = load_file(c, e);
    }
    if (rc == RC_OK)
        rc = check(s, "access key ID", c->access_key, e);
    if (rc == RC_OK)
        rc = check(s, "secret access key", c->secret_key, e);
    return rc == RC_OK ? check(s, "session token", c->session_token, e) : rc;
}

void aws_credentials_free(struct aws_credentials *c)
{
    if (c->file.data)
        explicit_bzero(c->file.data, c->file.cap);
    buf_free(&c->file);
    *c = (struct aws_credentials){0};
}
