#include "core/object/aws_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/credential_text.h"
#include "core/file/fd_io.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

struct key_set {
    struct key_set *older;
    struct aws_keys keys;
    char *owned[3];
};

struct aws_credentials {
    struct secrets *secrets;
    char *path, *profile; /* NULL: the credentials are those of the environment */
    pthread_mutex_t lock;
    struct key_set *sets; /* the latest first; under `lock`, what is in them never changes */
};

/* ---- sets of keys ---------------------------------------------------------------------------- */

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void set_free(struct key_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < sizeof set->owned / sizeof *set->owned; i++)
        wipe(set->owned[i]);
    free(set);
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct aws_keys *a, const struct aws_keys *b)
{
    return is_same_text(a->access_key, b->access_key) &&
           is_same_text(a->secret_key, b->secret_key) &&
           is_same_text(a->session_token, b->session_token);
}

static enum rc check(struct secrets *s, const char *name, const char *what, const char *value,
                     struct err *e)
{
    if (!value)
        return RC_OK;
    const char *fault = credential_fault(str_c(value), CREDENTIAL_ONE_WORD);
    if (fault)
        return err_set(e, RC_USAGE, "%s (the %s for object storage) %s", name, what, fault);
    return secrets_add(s, str_c(value)) == RC_OK ? RC_OK : err_nomem(e);
}

static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN"};
static const char *const members[] = {"aws_access_key_id", "aws_secret_access_key",
                                      "aws_session_token"};

/* Copies them into a set of their own, once they are registered. `names`: where they come from, for messages. */
static enum rc set_new(struct key_set **out, struct secrets *s, const struct aws_keys *keys,
                       const char *const names[], struct err *e)
{
    const char *const texts[] = {keys->access_key, keys->secret_key, keys->session_token};
    static const char *const words[] = {"access key ID", "secret access key", "session token"};
    struct key_set *set = calloc(1, sizeof *set);
    enum rc rc = RC_OK;
    if (!set)
        return err_nomem(e);
    for (size_t i = 0; rc == RC_OK && i < sizeof texts / sizeof *texts; i++) {
        rc = check(s, names[i], words[i], texts[i], e);
        if (rc == RC_OK && texts[i]) {
            set->owned[i] = strdup(texts[i]);
            rc = set->owned[i] ? RC_OK : err_nomem(e);
        }
    }
    if (rc != RC_OK) {
        set_free(set);
        return rc;
    }
    set->keys = (struct aws_keys){set->owned[0], set->owned[1], set->owned[2]};
    *out = set;
    return RC_OK;
}

/* ---- the file ------------------------------------------------------------------------------- */

/* The whole file with a NUL behind it, in a buffer that is overwritten by file_free(). RC_END: there is
 * none. */
static enum rc read_file(struct buf *out, const char *path, struct err *e)
{
    struct stat st;
    size_t n = 0;
    buf_init(out, FILE_BYTES_MAX + 2);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RC_END;
    if (fd < 0)
        return err_sys(e, RC_USAGE, errno, "%s: the credentials cannot be read", path);
    /* Room for the largest one at once: its size may change while it is read, and no copy stays behind
     * where a buffer grew. */
    char *room = NULL;
    enum rc rc = RC_OK;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = err_set(e, RC_USAGE, "%s: the credentials cannot be read: it is not a regular file",
                     path);
    else if (!(room = buf_reserve(out, FILE_BYTES_MAX + 2)))
        rc = err_nomem(e);
    else
        rc = fd_read_at(fd, path, 0, room, FILE_BYTES_MAX + 1, &n, e);
    (void)close(fd);
    if (rc == RC_OK && n > FILE_BYTES_MAX)
        rc = err_set(e, RC_USAGE, "%s: has more than %zu KiB; that is no file of credentials", path,
                     FILE_BYTES_MAX >> 10);
    out->len = n;
    if (room)
        room[n] = '\0';
    return rc == RC_IO ? (e->rc = RC_USAGE) : rc;
}

static void file_free(struct buf *file)
{
    if (file->data)
        explicit_bzero(file->data, file->len);
    buf_free(file);
}

/* Without the blanks around it; `*indent`: how many are before it. */
static struct str next_line(char **text, size_t *indent)
{
    char *line = *text;
    size_t n = strcspn(line, "\r\n");
    *text = line + n + (line[n] != '\0');
    line[n] = '\0';
    *indent = strspn(line, " \t");
    line += *indent;
    n -= *indent;
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
        line[--n] = '\0';
    return (struct str){line, n};
}

/* "name = value", or with a colon; the value has a NUL behind it. */
static const char *value_of(struct str line, const char *name)
{
    size_t n = strlen(name);
    if (line.len <= n || strncasecmp(line.ptr, name, n) != 0)
        return NULL;
    const char *p = line.ptr + n;
    while (*p == ' ' || *p == '\t')
        p++;
    if (*p != '=' && *p != ':')
        return NULL;
    p++;
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static void read_member(struct aws_keys *out, struct str line)
{
    const char *value;
    if ((value = value_of(line, members[0])))
        out->access_key = value;
    else if ((value = value_of(line, members[1])))
        out->secret_key = value;
    else if ((value = value_of(line, members[2])))
        out->session_token = *value ? value : NULL; /* as in the environment */
}

/* "[profile]", with anything behind it. */
static bool is_header_of(struct str line, const char *profile)
{
    const char *end = memrchr(line.ptr, ']', line.len);
    return end && str_eq_c((struct str){line.ptr + 1, (size_t)(end - line.ptr - 1)}, profile);
}

/* The lines of one section, cut in place, as the tools of AWS read them: a line that is further to the right than the member
 * above it belongs to that one's value, as in a block "s3 =". False: there is no section of that name. */
static bool read_profile(struct aws_keys *out, char *text, const char *profile)
{
    bool is_it = false, found = false, has_member = false;
    size_t of_member = 0;
    while (*text) {
        size_t indent;
        struct str line = next_line(&text, &indent);
        bool is_comment = line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';';
        if (is_comment || (has_member && indent > of_member))
            continue;
        of_member = indent;
        has_member = line.ptr[0] != '[';
        if (!has_member)
            is_it = is_header_of(line, profile);
        else if (is_it)
            read_member(out, line);
        found |= is_it;
    }
    return found;
}

/* RC_SYNTAX: the profile is not there, or not all of it. */
static enum rc load_file(struct aws_credentials *c, struct key_set **out, struct err *e)
{
    struct aws_keys keys = {NULL, NULL, NULL};
    struct buf file;
    enum rc rc = read_file(&file, c->path, e);
    if (rc == RC_OK && !read_profile(&keys, file.data, c->profile))
        rc = err_set(e, RC_SYNTAX, "%s: there is no profile [%s]; AWS_PROFILE names the one to use",
                     c->path, c->profile);
    else if (rc == RC_OK && (!keys.access_key || !keys.secret_key))
        rc = err_set(e, RC_SYNTAX,
                     "%s: the profile [%s] lacks aws_access_key_id or aws_secret_access_key",
                     c->path, c->profile);
    if (rc == RC_OK) {
        rc = set_new(out, c->secrets, &keys, members, e);
        if (rc == RC_USAGE)
            err_prefix(e, "%s: profile [%s]", c->path, c->profile);
    }
    file_free(&file);
    return rc;
}

/* A variable that nobody sets; "" is as if there were none. */
static const char *variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return value && *value ? value : NULL;
}

/* What is read, now and when it is read again. */
static enum rc find_file(struct aws_credentials *c, struct err *e)
{
    const char *given = variable("AWS_SHARED_CREDENTIALS_FILE"), *home = variable("HOME");
    const char *profile = variable("AWS_PROFILE");
    bool made = given || asprintf(&c->path, "%s/.aws/credentials", home ? home : "") >= 0;
    if (given || !made)
        c->path = given ? strdup(given) : NULL;
    c->profile = strdup(profile ? profile : "default");
    if (!c->path || !c->profile)
        return err_nomem(e);
    enum rc rc = load_file(c, &c->sets, e);
    if (rc == RC_END && !profile && !given)
        return err_set(e, RC_USAGE,
                       "no credentials for object storage: set AWS_ACCESS_KEY_ID and "
                       "AWS_SECRET_ACCESS_KEY, or write a profile to ~/.aws/credentials");
    if (rc == RC_END)
        return err_set(e, RC_USAGE,
                       "%s: does not exist; it should contain the credentials for object "
                       "storage",
                       c->path);
    return rc == RC_SYNTAX ? (e->rc = RC_USAGE) : rc;
}

/* ---- the environment ------------------------------------------------------------------------- */

static enum rc load_variables(struct aws_credentials *c, struct err *e)
{
    struct aws_keys keys = {NULL, NULL, NULL};
    if (secrets_take_variable(c->secrets, variables[0], &keys.access_key) != RC_OK ||
        secrets_take_variable(c->secrets, variables[1], &keys.secret_key) != RC_OK ||
        secrets_take_variable(c->secrets, variables[2], &keys.session_token) != RC_OK)
        return err_nomem(e);
    if (keys.session_token && !*keys.session_token)
        keys.session_token = NULL;
    bool has_key = keys.access_key && *keys.access_key;
    bool has_secret = keys.secret_key && *keys.secret_key;
    if (has_key && has_secret)
        return set_new(&c->sets, c->secrets, &keys, variables, e);
    if (!has_key && !has_secret)
        return RC_END;
    return err_set(e, RC_USAGE, "%s is set, but %s is not; object storage needs both",
                   variables[has_key ? 0 : 1], variables[has_key ? 1 : 0]);
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum rc aws_credentials_load(struct aws_credentials **out, struct secrets *s, struct err *e)
{
    struct aws_credentials *c = calloc(1, sizeof *c);
    if (!c || pthread_mutex_init(&c->lock, NULL)) {
        free(c);
        return err_nomem(e);
    }
    c->secrets = s;
    enum rc rc = load_variables(c, e);
    if (rc == RC_END)
        rc = find_file(c, e);
    if (rc == RC_OK)
        *out = c;
    else
        aws_credentials_free(c);
    return rc;
}

void aws_credentials_free(struct aws_credentials *c)
{
    if (!c)
        return;
    for (struct key_set *set = c->sets, *older; set; set = older) {
        older = set->older;
        set_free(set);
    }
    free(c->path);
    free(c->profile);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct aws_keys *aws_credentials_keys(struct aws_credentials *c)
{
    pthread_mutex_lock(&c->lock);
    const struct aws_keys *keys = &c->sets->keys;
    pthread_mutex_unlock(&c->lock);
    return keys;
}

/* Under the lock. */
static enum rc read_again(struct aws_credentials *c, struct err *e)
{
    struct key_set *set = NULL;
    if (!c->path)
        return err_set(e, RC_END,
                       "those of the environment are fixed for a run; those of "
                       "~/.aws/credentials are read again");
    enum rc rc = load_file(c, &set, e);
    if (rc == RC_END)
        return err_set(e, RC_BUSY, "%s no longer exists", c->path);
    if (rc == RC_SYNTAX)
        rc = e->rc = RC_BUSY;
    if (rc != RC_OK || !set)
        return rc == RC_OK ? err_nomem(e) : rc;
    if (is_same(&set->keys, &c->sets->keys)) {
        set_free(set);
        return err_set(e, RC_END, "%s was read again and has no others in its profile [%s]",
                       c->path, c->profile);
    }
    set->older = c->sets;
    c->sets = set;
    return RC_OK;
}

enum rc aws_credentials_renew(struct aws_credentials *c, const struct aws_keys *refused,
                              struct err *e)
{
    pthread_mutex_lock(&c->lock);
    enum rc rc = &c->sets->keys == refused ? read_again(c, e) : RC_OK;
    pthread_mutex_unlock(&c->lock);
    return rc;
}
