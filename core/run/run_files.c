#include "core/run/run_files.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/file/descriptor.h"
#include "core/base/grow.h"
#include "core/file/outfile.h"

#define MEMORY_DEVICES                                                                             \
    1 /* the major number of /dev/null, /dev/zero, /dev/full (Linux devices.txt) */

/* ---- paths ----------------------------------------------------------------------------------- */

static char *join(const char *dir, const char *base)
{
    size_t bytes = strlen(dir) + strlen(base) + 2;
    char *joined = malloc(bytes);
    if (joined)
        (void)snprintf(joined, bytes, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, base);
    return joined;
}

static char *resolve(const char *path);

/* If x does not exist yet, "x/.." is the folder of x, because x will not be a symbolic link. */
static char *resolve_missing(const char *dir, const char *base, bool is_top)
{
    char *parent = is_top ? strdup(dir) : resolve(dir);
    if (!parent || strcmp(base, ".") == 0)
        return parent;
    char *resolved = NULL;
    if (strcmp(base, "..") == 0)
        resolved = strdup(dirname(parent));
    else
        resolved = join(parent, base);
    free(parent);
    return resolved;
}

/* Removes redundant parts ("//", "/./"), also from folders that do not exist yet. NULL: out of memory. */
static char *resolve(const char *path)
{
    char *resolved = realpath(path, NULL);
    if (resolved)
        return resolved;
    char *for_dir = strdup(path), *for_base = strdup(path);
    if (for_dir && for_base) {
        const char *dir = dirname(for_dir);
        resolved = resolve_missing(dir, basename(for_base), strcmp(dir, path) == 0);
    }
    free(for_dir);
    free(for_base);
    return resolved;
}

/* ---- are they the same? ---------------------------------------------------------------------- */

/* /dev/null and its like: any number of outputs may go there. */
static bool keeps_nothing(const struct run_file_entry *f)
{
    return S_ISCHR(f->mode) && major(f->rdev) == MEMORY_DEVICES;
}

/* Terminals and their like count as the same file only if they have the same name, because usually several descriptors are
 * open on one. */
static bool is_same(const struct run_file_entry *a, const struct run_file_entry *b)
{
    if (keeps_nothing(a) && keeps_nothing(b))
        return false;
    if (a->fd >= 0 && a->fd == b->fd)
        return true;
    if (a->path && b->path && strcmp(a->path, b->path) == 0)
        return true;
    return a->mode && b->mode && !S_ISCHR(a->mode) && a->device == b->device &&
           a->inode == b->inode;
}

/* Is `path` inside `folder`, which then would have to be a folder? */
static bool is_below(const struct run_file_entry *f, const struct run_file_entry *folder)
{
    size_t n = folder->path && !folder->is_url ? strlen(folder->path) : 0;
    return n > 0 && f->path && strncmp(f->path, folder->path, n) == 0 && f->path[n] == '/';
}

/* ---- what may not be ------------------------------------------------------------------------- */

static enum rc refuse_read(const struct run_file_entry *read, const struct run_file_entry *other,
                           const struct run_files *l, struct err *e)
{
    if (other->role == RUN_FILE_DERIVED)
        return err_set(e, RC_USAGE,
                       "%s would overwrite %s, because it needs that name for %s; use another file",
                       l->items[other->owner].who, read->name, other->name);
    return err_set(e, RC_USAGE, "%s would %s %s; use another file", other->who,
                   other->fd >= 0 ? "write into" : "overwrite", read->name);
}

static enum rc check_read(const struct run_file_entry *read, const struct run_file_entry *other,
                          const struct run_files *l, struct err *e)
{
    bool is_regular = S_ISREG(read->mode);
    switch (other->role) {
    case RUN_FILE_READ:
        if (is_regular && read->fd < 0 && other->fd < 0)
            return RC_OK; /* two readers: each opens it separately */
        if (S_ISCHR(read->mode) && read->fd != other->fd)
            return RC_OK;
        return err_set(e, RC_USAGE, "%s and %s: %s can be read only once", other->name, read->name,
                       descriptor_label(read->fd, "an input that is not a file"));
    case RUN_FILE_STANDARD: /* messages may be written there in any case */
        if (!is_regular || other->fd != STDERR_FILENO || read->fd == other->fd)
            return RC_OK;
        return err_set(e, RC_USAGE,
                       "standard error is open on %s, so messages would be written into it",
                       read->name);
    case RUN_FILE_WRITTEN:
        /* A terminal, or a socket for both ways. */
        if (S_ISCHR(read->mode) || S_ISSOCK(read->mode))
            return RC_OK;
        return refuse_read(read, other, l, e);
    case RUN_FILE_DERIVED:
        return refuse_read(read, other, l, e);
    }
    return RC_OK;
}

static enum rc check_standard(const struct run_file_entry *standard,
                              const struct run_file_entry *other, const struct run_files *l,
                              struct err *e)
{
    if (other->fd >= 0 || other->role == RUN_FILE_STANDARD)
        return RC_OK; /* 2>&1 is deliberate */
    if (other->role == RUN_FILE_DERIVED)
        return err_set(e, RC_USAGE,
                       "%s would overwrite the file that %s is open on, because it needs that name "
                       "for %s; use another file",
                       l->items[other->owner].who, standard->who, other->name);
    return err_set(e, RC_USAGE, "%s would overwrite %s, which %s is open on; use another file%s",
                   other->who, other->name, standard->who,
                   standard->fd == STDOUT_FILENO ? ", or - for standard output" : "");
}

static enum rc check_written(const struct run_file_entry *a, const struct run_file_entry *b,
                             const struct run_files *l, struct err *e)
{
    if (a->role == RUN_FILE_DERIVED && b->role == RUN_FILE_DERIVED)
        return err_set(e, RC_USAGE, "%s and %s would both need the name %s: for %s and %s",
                       l->items[a->owner].who, l->items[b->owner].who, b->path, a->name, b->name);
    if (a->role == RUN_FILE_DERIVED)
        return err_set(e, RC_USAGE,
                       "%s would write %s, a name that %s needs for %s; use another file", b->who,
                       b->name, l->items[a->owner].who, a->name);
    if (b->role == RUN_FILE_DERIVED)
        return check_written(b, a, l, e);
    return err_set(e, RC_USAGE, "%s and %s would both write %s", a->who, b->who, b->name);
}

/* What to call the entry in a message; an input by its name. */
static const char *who_has(const struct run_files *l, const struct run_file_entry *f)
{
    if (f->role == RUN_FILE_DERIVED)
        return l->items[f->owner].who;
    return f->role == RUN_FILE_READ ? f->name : f->who;
}

static enum rc refuse_both(const struct run_files *l, const struct run_file_entry *file,
                           const struct run_file_entry *below, struct err *e)
{
    if (file->role == RUN_FILE_READ && S_ISDIR(file->mode))
        return err_set(e, RC_USAGE, "%s is a directory; only files can be read", file->name);
    if (file->role == RUN_FILE_READ)
        return err_set(e, RC_USAGE, "%s needs a directory in place of %s; use another path",
                       who_has(l, below), file->name);
    return err_set(e, RC_USAGE, "%s and %s: %s cannot be both a file and a directory",
                   who_has(l, file), who_has(l, below),
                   file->role == RUN_FILE_DERIVED ? file->path : file->name);
}

/* Reports two entries, in the order in which they were added. */
static enum rc check_pair(const struct run_files *l, const struct run_file_entry *a,
                          const struct run_file_entry *b, struct err *e)
{
    bool same = is_same(a, b);
    bool both_read = a->role == RUN_FILE_READ && b->role == RUN_FILE_READ;
    if (!same && !both_read && is_below(b, a))
        return refuse_both(l, a, b, e);
    if (!same && !both_read && is_below(a, b))
        return refuse_both(l, b, a, e);
    if (!same)
        return RC_OK;
    if (a->role == RUN_FILE_READ)
        return check_read(a, b, l, e);
    if (b->role == RUN_FILE_READ)
        return check_read(b, a, l, e);
    if (a->role == RUN_FILE_STANDARD)
        return check_standard(a, b, l, e);
    return check_written(a, b, l, e);
}

/* ---- the list -------------------------------------------------------------------------------- */

static void entry_free(struct run_file_entry *entry)
{
    free(entry->path);
    free(entry->who);
    free(entry->name);
}

/* Takes ownership of the entry's path. */
static enum rc add(struct run_files *l, struct run_file_entry entry, const char *who,
                   const char *name, struct err *e)
{
    struct stat st;
    entry.who = strdup(who);
    entry.name = strdup(name);
    bool found = false;
    if (!entry.is_url)
        found = entry.fd >= 0 ? fstat(entry.fd, &st) == 0 : stat(entry.path, &st) == 0;
    if (found) {
        entry.mode = st.st_mode;
        entry.device = st.st_dev;
        entry.inode = st.st_ino;
        entry.rdev = st.st_rdev;
    }
    struct run_file_entry *items = list_grow(l->items, l->n, &l->cap, sizeof *items);
    if (items)
        l->items = items;
    if (!items || !entry.who || !entry.name) {
        entry_free(&entry);
        return err_nomem(e);
    }
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < l->n; i++)
        rc = check_pair(l, &items[i], &entry, e);
    items[l->n++] = entry;
    return rc;
}

static enum rc add_path(struct run_files *l, struct run_file_entry entry, const char *path,
                        const char *who, const char *name, struct err *e)
{
    entry.is_url = outfile_is_url(path);
    if (entry.is_url)
        entry.path = strdup(path);
    else
        entry.path = entry.fd < 0 ? resolve(path) : NULL;
    if (entry.fd < 0 && !entry.path)
        return err_nomem(e);
    return add(l, entry, who, name, e);
}

enum rc run_files_add_standard(struct run_files *l, struct err *e)
{
    enum rc rc = RC_OK;
    for (int fd = STDIN_FILENO; rc == RC_OK && fd <= STDERR_FILENO; fd++)
        rc = add(l, (struct run_file_entry){.role = RUN_FILE_STANDARD, .fd = fd},
                 descriptor_label(fd, ""), "", e);
    return rc;
}

enum rc run_files_add_read(struct run_files *l, const char *path, const char *what, const char *of,
                           struct err *e)
{
    struct run_file_entry entry = {.role = RUN_FILE_READ, .fd = descriptor_read(path)};
    if (outfile_is_url(path))
        return err_set(e, RC_USAGE,
                       "%s %s: is a URL, but only local files can be read; for a file of that name "
                       "write ./ before it",
                       what, of);
    char *name = NULL;
    if (asprintf(&name, "%s %s", what, of) < 0)
        return err_nomem(e);
    enum rc rc = add_path(l, entry, path, "", name, e);
    free(name);
    return rc;
}

enum rc run_files_add_written(struct run_files *l, const char *path, const char *who, struct err *e)
{
    struct run_file_entry entry = {.role = RUN_FILE_WRITTEN, .fd = descriptor_written(path)};
    const char *slash = strrchr(path, '/');
    if (!outfile_is_url(path) && strlen(slash ? slash + 1 : path) > NAME_MAX)
        return err_sys(e, RC_USAGE, ENAMETOOLONG, "%s: %s", who, path);
    return add_path(l, entry, path, who, path, e);
}

enum rc run_files_add_derived(struct run_files *l, const char *path, const char *purpose,
                              struct err *e)
{
    struct run_file_entry entry = {.role = RUN_FILE_DERIVED, .fd = DESCRIPTOR_NONE, .owner = l->n};
    do
        entry.owner--;
    while (l->items[entry.owner].role != RUN_FILE_WRITTEN);
    return add_path(l, entry, path, "", purpose, e);
}

enum rc run_files_make_folder(const struct run_files *l, const char *path, bool *makes,
                              struct err *e)
{
    *makes = false;
    if (outfile_is_url(path))
        return RC_OK;
    char *resolved = resolve(path);
    if (!resolved)
        return err_nomem(e);
    const char *folder = dirname(resolved);
    size_t n = strlen(folder);
    struct stat st;
    bool is_missing = stat(folder, &st) != 0 && errno == ENOENT;
    for (size_t i = 0; is_missing && i < l->n && !*makes; i++) {
        const struct run_file_entry *f = &l->items[i];
        *makes = f->role == RUN_FILE_WRITTEN && f->path && !f->is_url &&
                 strncmp(f->path, folder, n) == 0 && f->path[n] == '/' &&
                 !strchr(f->path + n + 1, '/');
    }
    free(resolved);
    return RC_OK;
}

void run_files_free(struct run_files *l)
{
    for (size_t i = 0; i < l->n; i++)
        entry_free(&l->items[i]);
    free(l->items);
    *l = (struct run_files){0};
}
