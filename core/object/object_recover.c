#include "core/object/object_recover.h"

#include <stdlib.h>

#include "core/file/renames.h"
#include "core/object/object_spool.h"

/* ---- the text ------------------------------------------------------------------------------- */

static void put_from(struct buf *out, const char *url, const struct upload_name *name)
{
    buf_addf(out, "%s?%s?" STR_FMT, url, name->token, STR_ARG(name->id));
    buf_addc(out, '\0');
}

void object_put_upload(struct buf *out, const char *url, const struct upload_name *name,
                       unsigned parts, uint64_t bytes)
{
    put_from(out, url, name);
    buf_add(out, url, strlen(url) + 1);
    buf_addf(out, "%llu:%u:", (unsigned long long)bytes, parts);
    buf_addc(out, '\0');
}

void object_put_removal(struct buf *out, const char *url, const struct upload_name *name)
{
    put_from(out, url, name);
    buf_add(out, "\0", 2); /* both of them */
}

/* The last two question marks: a key may have some, the rest has none. */
static bool take_name(struct str from, struct str *url, struct upload_name *name)
{
    const char *second = memrchr(from.ptr, '?', from.len);
    const char *first = second ? memrchr(from.ptr, '?', (size_t)(second - from.ptr)) : NULL;
    if (!first || second - first - 1 != UPLOAD_TOKEN_CHARS)
        return false;
    *url = (struct str){from.ptr, (size_t)(first - from.ptr)};
    memcpy(name->token, first + 1, UPLOAD_TOKEN_CHARS);
    name->token[UPLOAD_TOKEN_CHARS] = '\0';
    name->id = (struct str){second + 1, (size_t)(from.ptr + from.len - second - 1)};
    return true;
}

/* ---- which objects there must be -------------------------------------------------------------- */

static struct object_store *store_of(const struct outfile_recovery *r)
{
    for (size_t i = 0; i < r->places->n; i++) {
        if (r->places->items[i].ops == &place_object)
            return r->places->items[i].ctx;
    }
    return NULL;
}

static const char *path_named(const struct outfile_recovery *r, struct str url)
{
    for (size_t at = 0; at < r->paths.len; at += strlen(r->paths.ptr + at) + 1) {
        if (str_eq_c(url, r->paths.ptr + at))
            return r->paths.ptr + at;
    }
    return NULL;
}

static bool has_upload(const struct outfile_recovery *r, const char *path)
{
    struct str rest = r->text;
    struct file_rename one;
    while (renames_take(&rest, &one) == RC_OK) {
        if (one.to.len && str_eq_c(one.to, path))
            return true;
    }
    return false;
}

static enum rc check_paths(const struct outfile_recovery *r, struct err *e)
{
    for (size_t at = 0; at < r->paths.len; at += strlen(r->paths.ptr + at) + 1) {
        if (!has_upload(r, r->paths.ptr + at))
            return err_set(e, RC_USAGE, "%s: the unfinished run did not write %s; %s", r->subject,
                           r->paths.ptr + at, r->advice);
    }
    return RC_OK;
}

/* ---- one upload ----------------------------------------------------------------------------- */

static enum rc finish(struct upload *u, const char *url, uint64_t bytes, bool only_check,
                      struct err *e)
{
    enum rc rc = upload_verify(u, bytes, e);
    if (rc == RC_OK)
        return only_check ? RC_OK : upload_complete(u, e);
    if (rc == RC_END) /* it was completed before the run was cut off? */
        rc = upload_is_published(u, e);
    if (rc == RC_END)
        rc =
            err_set(e, RC_USAGE,
                    "%s: was completely uploaded by the unfinished run, but the upload is gone; to "
                    "discard that run and start over, add --fresh",
                    url);
    return rc;
}

static enum rc recover_one(const struct outfile_recovery *r, const struct file_rename *one,
                           struct err *e)
{
    struct upload_name name;
    struct upload *u = NULL;
    struct str url;
    bool removes = r->takes_back || one->to.len == 0;
    if (!take_name(one->from, &url, &name) || (one->to.len && !str_eq(one->to, url)))
        return err_set(e, RC_SYNTAX, "%s: what the state says of its objects is damaged",
                       r->subject);
    const char *path = path_named(r, url);
    if (!path)
        return err_set(e, RC_USAGE,
                       "%s: the unfinished run was to publish " STR_FMT
                       ", which this command does not write; %s",
                       r->subject, STR_ARG(url), r->advice);
    enum rc rc = upload_resume(&u, store_of(r), path, &name, one->print.crc, e);
    if (rc != RC_OK)
        return rc;
    if (!removes)
        rc = finish(u, path, one->print.bytes, r->only_check, e);
    else if (!r->only_check)
        rc = upload_abort(u, e);
    if (rc == RC_OK && !r->only_check)
        object_spool_clear(store_of(r), path, OUTFILE_PART);
    upload_free(u);
    return rc;
}

enum rc object_recover(const struct outfile_recovery *r, struct err *e)
{
    struct str rest = r->text;
    struct file_rename one;
    enum rc rc = check_paths(r, e);
    if (rc != RC_OK)
        return rc;
    while ((rc = renames_take(&rest, &one)) == RC_OK) {
        rc = recover_one(r, &one, e);
        if (rc != RC_OK)
            return rc;
    }
    return rc == RC_END
               ? RC_OK
               : err_set(e, rc, "%s: what the state says of its objects is damaged", r->subject);
}
