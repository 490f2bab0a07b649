#include "core/base/permission.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/shell_quote.h"

#define NAME_BYTES 64
#define ENTRY_BYTES 4096
#define COMMAND_BYTES_MAX ((size_t)64 << 10)
#define MODE_BITS 07777

/* ---- names --------------------------------------------------------------------------------- */

/* Commands accept the number, too. */
static void put_name(char out[NAME_BYTES], const char *name, unsigned long id)
{
    if (name && strlen(name) < NAME_BYTES)
        (void)snprintf(out, NAME_BYTES, "%s", name);
    else
        (void)snprintf(out, NAME_BYTES, "%lu", id);
}

static void user_name(char out[NAME_BYTES], uid_t id)
{
    char bytes[ENTRY_BYTES];
    struct passwd entry, *found = NULL;
    bool failed = getpwuid_r(id, &entry, bytes, sizeof bytes, &found) != 0;
    put_name(out, failed || !found ? NULL : found->pw_name, id);
}

static void group_name(char out[NAME_BYTES], gid_t id)
{
    char bytes[ENTRY_BYTES];
    struct group entry, *found = NULL;
    bool failed = getgrgid_r(id, &entry, bytes, sizeof bytes, &found) != 0;
    put_name(out, failed || !found ? NULL : found->gr_name, id);
}

/* ---- what stands in the way ----------------------------------------------------------------- */

/* One directory up, in place: "a/b/" is "a" is ".". False: there is nothing above. `at` is not empty. */
static bool go_up(char *at)
{
    size_t n = strlen(at);
    while (n > 1 && at[n - 1] == '/')
        at[--n] = '\0';
    char *slash = strrchr(at, '/');
    while (slash && slash > at && slash[-1] == '/')
        slash--;
    if (strcmp(at, "/") == 0 || strcmp(at, ".") == 0)
        return false;
    if (!slash)
        memcpy(at, ".", 2);
    else if (slash == at)
        at[1] = '\0';
    else
        *slash = '\0';
    return true;
}

/* `path`, or the lowest directory above it that can be seen. The caller frees it; NULL: there is none, or no memory. */
static char *find_visible(const char *path, struct stat *st)
{
    char *at = *path ? strdup(path) : NULL;
    while (at && stat(at, st) != 0) {
        if (go_up(at))
            continue;
        free(at);
        return NULL;
    }
    return at;
}

/* ---- texts --------------------------------------------------------------------------------- */

/* In `format`, "%p" is the path, and "%u" and "%g" are the user and the group of this process, each quoted for the shell. */
static void append_command(struct err *e, const char *format, const char *path)
{
    char user[NAME_BYTES], group[NAME_BYTES];
    struct buf text;
    user_name(user, geteuid());
    group_name(group, getegid());
    buf_init(&text, COMMAND_BYTES_MAX);
    for (const char *c = format; *c; c++) {
        if (*c != '%')
            buf_addc(&text, *c);
        else if (*++c == 'p')
            shell_quote_path(&text, path);
        else
            shell_quote(&text, str_c(*c == 'u' ? user : group));
    }
    if (buf_rc(&text) == RC_OK)
        (void)err_set(e, e->rc, "%s" STR_FMT, e->msg, STR_ARG(buf_str(&text)));
    buf_free(&text);
}

static void append_owner(struct err *e, const struct stat *st, const char *folder)
{
    char owner[NAME_BYTES], user[NAME_BYTES];
    user_name(owner, st->st_uid);
    user_name(user, geteuid());
    (void)err_set(e, e->rc, "%s; %s%s belongs to the user %s (mode %04o), and this is the user %s",
                  e->msg, folder ? "the directory " : "it", folder ? folder : "", owner,
                  (unsigned)st->st_mode & MODE_BITS, user);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static const char *const own_commands[] = {[PERMISSION_READ] = "; run: chmod u+r %p",
                                           [PERMISSION_DATABASE] = "; run: chmod u+rw %p",
                                           [PERMISSION_FOLDER] = "; run: chmod u+rwx %p"};

static const char *const root_commands[] = {
    [PERMISSION_READ] = "; as root run: chgrp %g %p && chmod g+r %p",
    [PERMISSION_DATABASE] = "; as root run: chown %u %p*",
    [PERMISSION_FOLDER] = "; use a directory of your own, or as root run: chown %u %p"};

void permission_explain(struct err *e, int errnum, const char *path, enum permission_use use)
{
    struct stat st;
    if (!e || errnum != EACCES || geteuid() == 0)
        return;
    char *at = find_visible(path, &st);
    if (!at)
        return;
    bool is_barred = strcmp(at, path) != 0;
    append_owner(e, &st, is_barred ? at : NULL);
    if (st.st_uid == geteuid())
        append_command(e, own_commands[is_barred ? PERMISSION_FOLDER : use], at);
    else if (is_barred)
        append_command(e, "; as root run: chgrp %g %p && chmod g+x %p", at);
    else
        append_command(e, root_commands[use], at);
    free(at);
}

enum rc permission_failed(struct err *e, enum rc rc, int errnum, const char *path,
                          enum permission_use use)
{
    (void)err_sys(e, rc, errnum, "%s", path);
    permission_explain(e, errnum, path, use);
    return rc;
}

void permission_explain_missing(struct err *e, const char *folder)
{
    struct stat st;
    char *at = e ? find_visible(folder, &st) : NULL;
    if (!at)
        return;
    if (access(at, W_OK | X_OK) == 0) {
        append_command(e, "; create it: mkdir -p %p", folder);
    } else if (errno == EACCES) {
        append_owner(e, &st, at);
        append_command(e, "; as root run: install -d -o %u -g %g -m 750 %p", folder);
    }
    free(at);
}
