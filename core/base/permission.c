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

#define NAME_BYTES 64
#define ENTRY_BYTES 4096
#define MODE_BITS 07777

/* ---- names --------------------------------------------------------------------------------- */

/* Commands accept the number, too. */
static void user_name(char out[NAME_BYTES], uid_t id)
{
    char bytes[ENTRY_BYTES];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(id, &entry, bytes, sizeof bytes, &found) == 0 && found)
        (void)snprintf(out, NAME_BYTES, "%s", entry.pw_name);
    else
        (void)snprintf(out, NAME_BYTES, "%lu", (unsigned long)id);
}

static void group_name(char out[NAME_BYTES], gid_t id)
{
    char bytes[ENTRY_BYTES];
    struct group entry, *found = NULL;
    if (getgrgid_r(id, &entry, bytes, sizeof bytes, &found) == 0 && found)
        (void)snprintf(out, NAME_BYTES, "%s", entry.gr_name);
    else
        (void)snprintf(out, NAME_BYTES, "%lu", (unsigned long)id);
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

static void append(struct err *e, const char *text, const char *path)
{
    (void)err_set(e, e->rc, "%s%s%s", e->msg, text, path);
}

static void append_own(struct err *e, const char *path, enum permission_use use)
{
    static const char *const commands[] = {[PERMISSION_READ] = "; run: chmod u+r ",
                                           [PERMISSION_DATABASE] = "; run: chmod u+rw ",
                                           [PERMISSION_FOLDER] = "; run: chmod u+rwx "};
    append(e, commands[use], path);
}

static void append_command(struct err *e, const char *path, enum permission_use use)
{
    char user[NAME_BYTES], group[NAME_BYTES];
    user_name(user, geteuid());
    group_name(group, getegid());
    if (use == PERMISSION_READ)
        (void)err_set(e, e->rc, "%s; as root run: chgrp %s %s && chmod g+r %s", e->msg, group, path,
                      path);
    else if (use == PERMISSION_DATABASE)
        (void)err_set(e, e->rc, "%s; as root run: chown %s %s*", e->msg, user, path);
    else
        (void)err_set(e, e->rc, "%s; use a directory of your own, or as root run: chown %s %s",
                      e->msg, user, path);
}

static void append_barrier(struct err *e, const char *folder)
{
    char group[NAME_BYTES];
    group_name(group, getegid());
    (void)err_set(e, e->rc, "%s; as root run: chgrp %s %s && chmod g+x %s", e->msg, group, folder,
                  folder);
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
        append_own(e, at, is_barred ? PERMISSION_FOLDER : use);
    else if (is_barred)
        append_barrier(e, at);
    else
        append_command(e, at, use);
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
    char user[NAME_BYTES], group[NAME_BYTES];
    struct stat st;
    char *at = e ? find_visible(folder, &st) : NULL;
    if (!at)
        return;
    if (access(at, W_OK | X_OK) == 0) {
        append(e, "; create it: mkdir -p ", folder);
    } else if (errno == EACCES) {
        append_owner(e, &st, at);
        user_name(user, geteuid());
        group_name(group, getegid());
        (void)err_set(e, e->rc, "%s; as root run: install -d -o %s -g %s -m 750 %s", e->msg, user,
                      group, folder);
    }
    free(at);
}
