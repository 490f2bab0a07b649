/* Whose files a state may be made of. What another user put in their place would be taken for what we
 * wrote: so a file is refused unless it is ours or root's, regular, has one name, and nobody else can
 * write it. Likewise a folder in which others can put their files in the place of ours.
 *
 * Names are checked first, for the sake of the message. What counts is the check of each descriptor
 * that SQLite really opens: between the two, somebody may have been quick. */
#include "core/state/state_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_BYTES 4096

static bool is_trusted(uid_t owner)
{
    return owner == geteuid() || owner == 0;
}

static bool is_private(const struct stat *st)
{
    /* No name any more: another run of ours has just removed its -wal file. */
    return S_ISREG(st->st_mode) && is_trusted(st->st_uid) && st->st_nlink <= 1 &&
           !(st->st_mode & (S_IWGRP | S_IWOTH));
}

enum rc state_owner_check(const char *file, const struct stat *st, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is not a regular file; give --state another name", file);
    if (!is_trusted(st->st_uid))
        return err_set(e, RC_USAGE,
                       "%s: belongs to another user (ID %lu), who could have put anything in it; "
                       "use another file",
                       file, (unsigned long)st->st_uid);
    if (st->st_nlink > 1)
        return err_set(e, RC_USAGE, "%s: has %lu hard links; a state file must have only one", file,
                       (unsigned long)st->st_nlink);
    if (!is_private(st))
        return err_set(
            e, RC_USAGE,
            "%s: other users can write to it (mode %03o); if you trust its contents, run chmod 600 "
            "on it",
            file, (unsigned)(st->st_mode & 0777));
    return RC_OK;
}

/* ---- folders -------------------------------------------------------------------------------- */

/* A group of its own for each user, as many systems make one: called as the user, without others. */
static bool is_own_group(gid_t gid)
{
    char user_names[NAMES_BYTES];
    char group_names[NAMES_BYTES];
    struct passwd user;
    struct passwd *found_user = NULL;
    struct group group;
    struct group *found_group = NULL;
    if (getpwuid_r(geteuid(), &user, user_names, sizeof user_names, &found_user) != 0 ||
        getgrgid_r(gid, &group, group_names, sizeof group_names, &found_group) != 0 ||
        !found_user || !found_group || user.pw_gid != gid ||
        strcmp(user.pw_name, group.gr_name) != 0)
        return false;
    for (char **member = group.gr_mem; *member; member++) {
        if (strcmp(*member, user.pw_name) != 0)
            return false;
    }
    return true;
}

/* The sticky bit leaves each file to its owner, as in /tmp. */
static bool others_can_replace(const struct stat *folder)
{
    if (folder->st_mode & S_ISVTX)
        return false;
    return folder->st_mode & S_IWOTH ||
           (folder->st_mode & S_IWGRP && !is_own_group(folder->st_gid));
}

static enum rc check_folder(const char *path, const char *folder, struct err *e)
{
    struct stat st;
    if (stat(folder, &st) != 0)
        return err_sys(e, RC_USAGE, errno, "%s", path);
    if (!is_trusted(st.st_uid))
        return err_set(e, RC_USAGE,
                       "%s: its directory belongs to another user (ID %lu), who could replace any "
                       "file in it; use a directory of your own",
                       path, (unsigned long)st.st_uid);
    if (others_can_replace(&st))
        return err_set(
            e, RC_USAGE,
            "%s: other users can rename and replace files in its directory (mode %03o); use a "
            "directory that only you can write to",
            path, (unsigned)(st.st_mode & 0777));
    return RC_OK;
}

/* The folder of the name that was given, and whose name that is where it is a symbolic link. */
static enum rc check_link(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
        return RC_OK;
    if (!is_trusted(st.st_uid))
        return err_set(e, RC_USAGE, "%s: is a symbolic link that belongs to another user (ID %lu)",
                       path, (unsigned long)st.st_uid);
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    char *folder = n > 0 ? strndup(path, n) : strdup(".");
    if (!folder)
        return err_nomem(e);
    enum rc rc = check_folder(path, folder, e);
    free(folder);
    return rc;
}

/* ---- all that bears a state's name ----------------------------------------------------------- */

static const char *const suffixes[] = {"", "-wal", "-journal", "-shm"};
#define N_SUFFIXES (sizeof suffixes / sizeof *suffixes)

static enum rc check_beside(const char *real, const char *suffix, struct err *e)
{
    char *name = NULL;
    struct stat st;
    if (asprintf(&name, "%s%s", real, suffix) < 0)
        return err_nomem(e);
    enum rc rc = RC_OK;
    if (lstat(name, &st) == 0)
        rc = state_owner_check(name, &st, e);
    else if (errno != ENOENT && errno != ENAMETOOLONG) /* under such a name nothing can be */
        rc = err_sys(e, RC_USAGE, errno, "%s", name);
    free(name);
    return rc;
}

enum rc state_owner_check_names(const char *path, const char *real, const char *folder,
                                struct err *e)
{
    enum rc rc = check_folder(path, folder, e);
    if (rc == RC_OK)
        rc = check_link(path, e);
    for (size_t i = 0; rc == RC_OK && i < N_SUFFIXES; i++)
        rc = check_beside(real, suffixes[i], e);
    return rc;
}

/* ---- what SQLite opens ----------------------------------------------------------------------- */

/* The states that are open; SQLite opens other files, too, those of the sink "sqlite". */
static struct guarded {
    struct guarded *next;
    size_t n;
    char path[];
} * guarded;
static pthread_mutex_t guarded_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_of(const struct guarded *g, const char *path)
{
    bool is = false;
    for (size_t i = 0; i < N_SUFFIXES && !is; i++)
        is = strncmp(path, g->path, g->n) == 0 && strcmp(path + g->n, suffixes[i]) == 0;
    return is;
}

/* Is it a state's file, or one that SQLite makes beside it? */
static bool is_guarded(const char *path)
{
    bool is = false;
    pthread_mutex_lock(&guarded_lock);
    for (const struct guarded *g = guarded; g && !is; g = g->next)
        is = is_of(g, path);
    pthread_mutex_unlock(&guarded_lock);
    return is;
}

/* In the place of open(2), for all that SQLite opens. */
static int open_private(const char *path, int flags, int mode)
{
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC, mode);
    if (fd < 0 || !is_guarded(path) || (fstat(fd, &st) == 0 && is_private(&st)))
        return fd;
    (void)close(fd);
    errno = EPERM;
    return -1;
}

static void set_open(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    if (vfs && vfs->xSetSystemCall)
        (void)vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)open_private);
}

enum rc state_owner_guard(const char *real, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    size_t n = strlen(real);
    struct guarded *g = malloc(sizeof *g + n + 1);
    if (!g)
        return err_nomem(e);
    g->n = n;
    memcpy(g->path, real, n + 1);
    (void)pthread_once(&once, set_open);
    pthread_mutex_lock(&guarded_lock);
    g->next = guarded;
    guarded = g;
    pthread_mutex_unlock(&guarded_lock);
    return RC_OK;
}

void state_owner_release(const char *real)
{
    pthread_mutex_lock(&guarded_lock);
    struct guarded **at = &guarded;
    while (*at && strcmp((*at)->path, real) != 0)
        at = &(*at)->next;
    struct guarded *found = *at;
    if (found)
        *at = found->next;
    pthread_mutex_unlock(&guarded_lock);
    free(found);
}
