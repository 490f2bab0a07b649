/* What outfile.h says of paths that are not open: each is asked of the place that it leads to. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file/descriptor.h"
#include "core/file/folder.h"
#include "core/file/outfile.h"
#include "core/file/place.h"

bool outfile_is_url(const char *path)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char others[] = "0123456789+-.";
    size_t n = strspn(path, letters);
    while (n > 0 && path[n] && (strchr(letters, path[n]) || strchr(others, path[n])))
        n++;
    return n > 0 && strncmp(path + n, "://", 3) == 0;
}

bool outfile_is_file(const char *path)
{
    struct stat st;
    return outfile_is_url(path) ||
           (descriptor_written(path) < 0 && (stat(path, &st) != 0 || S_ISREG(st.st_mode)));
}

enum rc outfile_check(const struct places *places, const char *path, struct err *e)
{
    struct target t;
    enum rc rc = target_find(&t, places, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    rc = t.place->check(&t, e);
    target_free(&t);
    return rc;
}

enum rc outfile_check_spool(const struct places *places, const char *path, struct err *e)
{
    struct target t;
    enum rc rc = target_find(&t, places, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    if (t.place->check_spool)
        rc = t.place->check_spool(&t, e);
    target_free(&t);
    return rc;
}

bool outfile_probe(const struct places *places, const char *path, const char *subject,
                   const struct findings *f)
{
    struct target t;
    if (target_find(&t, places, path, OUTFILE_PART, NULL) != RC_OK)
        return false;
    bool probes = t.place->probe != NULL;
    if (probes)
        t.place->probe(&t, subject, f);
    target_free(&t);
    return probes;
}

enum rc outfile_unfinished(const struct places *places, const char *path, struct buf *out,
                           struct err *e)
{
    struct target t;
    enum rc rc = target_find(&t, places, path, OUTFILE_PART, e);
    if (rc != RC_OK)
        return rc;
    if (t.place->unfinished)
        rc = t.place->unfinished(&t, out, e);
    target_free(&t);
    return rc;
}

void outfile_clear(const struct places *places, const char *path, enum outfile_suffix suffix)
{
    struct target t;
    if (target_find(&t, places, path, suffix, NULL) != RC_OK)
        return;
    if (t.place->clear)
        t.place->clear(&t);
    target_free(&t);
}

void outfile_discard(const struct places *places, const char *path)
{
    struct target t;
    if (target_find(&t, places, path, OUTFILE_PART, NULL) != RC_OK)
        return;
    if (t.place->discard)
        t.place->discard(&t);
    target_free(&t);
}

/* ---- folders -------------------------------------------------------------------------------- */

enum rc outfile_check_dirs(const struct places *places, const char *path, struct err *e)
{
    if (!outfile_is_url(path))
        return folder_check_make(path, e);
    struct target t = {.fd = DESCRIPTOR_NONE};
    enum rc rc = target_find(&t, places, path, OUTFILE_PART, e);
    target_free(&t);
    return rc;
}

enum rc outfile_check_new(const struct places *places, const char *path, struct err *e)
{
    struct stat st;
    if (!outfile_is_file(path) || outfile_is_url(path))
        return outfile_check(places, path, e);
    char *folder = folder_of(path);
    enum rc rc = folder ? folder_check_make(folder, e) : err_nomem(e);
    if (rc == RC_OK && stat(folder, &st) == 0)
        rc = outfile_check(places, path, e);
    free(folder);
    return rc;
}

enum rc outfile_make_dirs(const char *path, struct err *e)
{
    return outfile_is_url(path) ? RC_OK : folder_make(path, e);
}
