#include "core/file/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/permission.h"
#include "core/file/descriptor.h"
#include "core/file/fd_io.h"
#include "core/file/folder.h"
#include "core/file/part.h"
#include "core/file/place.h"
#include "core/file/places.h"

static bool names_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return *name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A path that leads to something: where it really is, and what. */
static enum rc take_existing(struct target *t, const struct stat *st, struct err *e)
{
    if (S_ISDIR(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is a directory", t->path);
    if (S_ISSOCK(st->st_mode))
        return err_set(e, RC_USAGE, "%s: is a socket, which cannot be opened by name", t->path);
    if (!S_ISREG(st->st_mode)) {
        t->place = &place_descriptor;
        return RC_OK;
    }
    t->exists = true;
    t->mode = st->st_mode & 0777;
    t->final = realpath(t->path, NULL);
    if (!t->final)
        return errno == ENOMEM ? err_nomem(e) : err_sys(e, RC_USAGE, errno, "%s", t->path);
    return RC_OK;
}

/* A path that is no name of a descriptor of ours. */
static enum rc take_path(struct target *t, struct err *e)
{
    if (*t->path == '\0')
        return err_set(e, RC_USAGE, "the file name is empty");
    if (names_folder(t->path))
        return err_set(e, RC_USAGE, "%s: is a directory", t->path);
    struct stat st;
    if (stat(t->path, &st) == 0)
        return take_existing(t, &st, e);
    if (errno != ENOENT)
        return permission_failed(e, fd_open_rc(errno), errno, t->path, PERMISSION_FOLDER);
    /* The rename would put a file in the link's place, which nobody asked for. */
    if (lstat(t->path, &st) == 0) {
        if (!S_ISLNK(st.st_mode)) /* another run has made it meanwhile */
            return take_existing(t, &st, e);
        return err_set(e, RC_USAGE, "%s: is a dangling symbolic link", t->path);
    }
    return RC_OK;
}

/* The names of a local file. */
static enum rc take_names(struct target *t, enum outfile_suffix suffix, struct err *e)
{
    t->folder = folder_of(t->final);
    t->part = part_name(t->final, suffix);
    return t->folder && t->part ? RC_OK : err_nomem(e);
}

/* A URL is no path: "./s3://bucket/x" is one. */
static enum rc take_url(struct target *t, const struct places *places, struct err *e)
{
    for (size_t i = 0; places && i < places->n; i++) {
        const struct place_scheme *scheme = &places->items[i];
        size_t n = strlen(scheme->name);
        if (strncmp(t->path, scheme->name, n) == 0 && strncmp(t->path + n, "://", 3) == 0) {
            t->place = scheme->ops;
            t->ctx = scheme->ctx;
            return RC_OK;
        }
    }
    return err_set(
        e, RC_USAGE,
        "%s: is a URL, but only local files and directories%s can be written; for a file "
        "of that name write ./%s",
        t->path, places ? ", and s3://BUCKET/KEY," : "", t->path);
}

static enum rc find(struct target *t, const struct places *places, enum outfile_suffix suffix,
                    struct err *e)
{
    bool is_foreign = t->fd == DESCRIPTOR_FOREIGN;
    enum rc rc = RC_OK;
    if (t->fd >= 0)
        t->place = &place_descriptor;
    else
        rc = outfile_is_url(t->path) ? take_url(t, places, e) : take_path(t, e);
    if (rc == RC_OK && is_foreign && t->place == &place_local)
        rc = err_set(e, RC_USAGE, "%s: is a file that another process has open; give its real name",
                     t->path);
    if (rc == RC_OK && !t->final && !(t->final = strdup(t->path)))
        rc = err_nomem(e);
    return rc == RC_OK && t->place == &place_local ? take_names(t, suffix, e) : rc;
}

enum rc target_find(struct target *out, const struct places *places, const char *path,
                    enum outfile_suffix suffix, struct err *e)
{
    struct target t = {.place = &place_local,
                       .path = strdup(path),
                       .suffix = suffix,
                       .fd = descriptor_written(path)};
    enum rc rc = t.path ? find(&t, places, suffix, e) : err_nomem(e);
    if (rc != RC_OK) {
        target_free(&t);
        return rc;
    }
    if (t.fd < 0)
        t.fd = DESCRIPTOR_NONE;
    *out = t;
    return RC_OK;
}

void target_free(struct target *t)
{
    free(t->path);
    free(t->final);
    free(t->part);
    free(t->folder);
    *t = (struct target){.fd = DESCRIPTOR_NONE};
}
