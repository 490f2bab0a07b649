#include "core/file/outfile_recover.h"

#include <stdlib.h>

#include "core/file/place.h"
#include "core/file/places.h"
#include "core/file/renames.h"

/* Which of the places a part of it is for: a scheme of the list, or this machine. */
struct part {
    const struct place_scheme *scheme; /* NULL: this machine */
    struct buf paths, text;
};

static bool is_of(const struct place_scheme *scheme, struct str path)
{
    size_t n = strlen(scheme->name);
    return path.len > n + 3 && memcmp(path.ptr, scheme->name, n) == 0 &&
           memcmp(path.ptr + n, "://", 3) == 0;
}

/* Is it for that part? */
static bool is_for(const struct part *part, const struct places *places, struct str path)
{
    if (part->scheme)
        return is_of(part->scheme, path);
    for (size_t i = 0; places && i < places->n; i++) {
        if (is_of(&places->items[i], path))
            return false;
    }
    return true;
}

static void take_paths(struct part *part, const struct outfile_recovery *r)
{
    for (size_t at = 0; r->paths.ptr && at < r->paths.len;) {
        struct str path = str_c(r->paths.ptr + at);
        if (is_for(part, r->places, path))
            buf_add(&part->paths, path.ptr, path.len + 1);
        at += path.len + 1;
    }
}

/* What is damaged is for the first, which says so. */
static void take_text(struct part *part, const struct outfile_recovery *r)
{
    struct str rest = r->text;
    while (rest.ptr && rest.len) {
        const char *from = rest.ptr;
        struct file_rename rename;
        bool is_whole = renames_take(&rest, &rename) == RC_OK;
        size_t n = is_whole ? (size_t)(rest.ptr - from) : rest.len;
        if (is_whole ? is_for(part, r->places, rename.from) : !part->scheme)
            buf_add(&part->text, from, n);
        if (!is_whole)
            return;
    }
}

static enum rc recover_part(const struct part *part, const struct outfile_recovery *r,
                            bool only_check, struct err *e)
{
    struct outfile_recovery own = *r;
    own.paths = buf_str(&part->paths);
    own.text = buf_str(&part->text);
    own.only_check = only_check;
    if (own.paths.len == 0 && own.text.len == 0)
        return RC_OK;
    const struct place_ops *ops = part->scheme ? part->scheme->ops : &place_local;
    return ops->recover(&own, e);
}

enum rc outfile_recover(const struct outfile_recovery *r, struct err *e)
{
    size_t n = 1 + (r->places ? r->places->n : 0);
    struct part *parts = calloc(n, sizeof *parts);
    if (!parts)
        return err_nomem(e);
    enum rc rc = RC_OK;
    for (size_t i = 0; i < n; i++) {
        parts[i].scheme = i ? &r->places->items[i - 1] : NULL;
        buf_init(&parts[i].paths, r->paths.len + 1);
        buf_init(&parts[i].text, r->text.len + 1);
        take_paths(&parts[i], r);
        take_text(&parts[i], r);
        if (buf_rc(&parts[i].paths) != RC_OK || buf_rc(&parts[i].text) != RC_OK)
            rc = err_nomem(e);
    }
    /* Nothing changes before all that is due is known to fit. */
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = recover_part(&parts[i], r, true, e);
    for (size_t i = 0; rc == RC_OK && !r->only_check && i < n; i++)
        rc = recover_part(&parts[i], r, false, e);
    for (size_t i = 0; i < n; i++) {
        buf_free(&parts[i].paths);
        buf_free(&parts[i].text);
    }
    free(parts);
    return rc;
}
