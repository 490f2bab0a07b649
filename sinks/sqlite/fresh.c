#include "sinks/sqlite/fresh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/folder.h"

#define FRESH_BYTES_MAX ((size_t)1 << 16)

enum rc sqlite_fresh_remove(const struct sqlite_place *p, struct err *e)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    struct buf path;
    enum rc rc = RC_OK;
    buf_init(&path, FRESH_BYTES_MAX);
    for (size_t i = 0; rc == RC_OK && i < sizeof suffixes / sizeof *suffixes; i++) {
        buf_clear(&path);
        buf_addf(&path, "%s%s", p->fresh, suffixes[i]);
        if (buf_rc(&path) != RC_OK)
            rc = err_nomem(e);
        else if (unlink(buf_cstr(&path)) != 0 && errno != ENOENT)
            rc = err_sys(e, RC_IO, errno, "%s", buf_cstr(&path));
    }
    buf_free(&path);
    return rc;
}

enum rc sqlite_fresh_sync(const struct sqlite_place *p, struct err *e)
{
    int fd = open(p->fresh, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, RC_IO, errno, "%s", p->fresh);
    enum rc rc = fsync(fd) == 0 ? RC_OK : err_sys(e, RC_IO, errno, "%s", p->fresh);
    if (close(fd) != 0 && rc == RC_OK)
        rc = err_sys(e, RC_IO, errno, "%s", p->fresh);
    return rc;
}

void sqlite_fresh_settle(const struct sqlite_place *p)
{
    const char *const names[] = {p->fresh, p->other_fresh};
    struct stat fresh;
    struct stat path;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (lstat(names[i], &fresh) == 0 && lstat(p->path, &path) == 0 &&
            fresh.st_dev == path.st_dev && fresh.st_ino == path.st_ino)
            (void)unlink(names[i]);
    }
}

/* Not in place of a file that somebody has made meanwhile. */
enum rc sqlite_fresh_publish(const struct sqlite_place *p, struct err *e)
{
    bool is_renamed = false;
    char *folder = folder_of(p->path);
    if (!folder)
        return err_nomem(e);
    enum rc rc = RC_OK;
    if (link(p->fresh, p->path) != 0) {
        is_renamed = errno != EEXIST &&
                     renameat2(AT_FDCWD, p->fresh, AT_FDCWD, p->path, RENAME_NOREPLACE) == 0;
        if (!is_renamed)
            rc = errno == EEXIST
                     ? err_set(e, RC_IO,
                               "%s: was created by another program during the run; remove it, or "
                               "run the same command again",
                               p->spec)
                     : err_sys(e, RC_IO, errno, "%s", p->spec);
    }
    bool is_there = rc == RC_OK;
    if (is_there)
        rc = folder_sync(folder, e);
    free(folder);
    if (is_there && rc == RC_OK && !is_renamed)
        (void)unlink(p->fresh);
    else if (is_there && rc != RC_OK) /* what might not last is taken back */
        (void)(is_renamed ? renameat2(AT_FDCWD, p->path, AT_FDCWD, p->fresh, RENAME_NOREPLACE)
                          : unlink(p->path));
    return rc;
}
