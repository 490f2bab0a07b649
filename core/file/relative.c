#include "core/file/relative.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#define PATH_BYTES_MAX ((size_t)1 << 20)

/* The next name of a path, without slashes; absent at its end. */
static struct str next_name(const char **path)
{
    *path += strspn(*path, "/");
    struct str name = {*path, strcspn(*path, "/")};
    *path += name.len;
    return name.len ? name : STR_NONE;
}

/* Appends the names of `path` to `out`, each behind a slash, without "." and "..". */
static void add_names(struct buf *out, const char *path)
{
    for (struct str name; (name = next_name(&path)).ptr;) {
        if (str_eq(name, STR(".")))
            continue;
        if (str_eq(name, STR(".."))) {
            while (out->len && out->data[--out->len] != '/') {}
            continue;
        }
        buf_addc(out, '/');
        buf_add_str(out, name);
    }
}

static const char *absolute(struct buf *out, const char *path, const char *working)
{
    buf_init(out, PATH_BYTES_MAX);
    if (*path != '/')
        add_names(out, working);
    add_names(out, path);
    return buf_cstr(out);
}

/* The names that both begin with are left out; a ".." for each that remains of the folder. */
static void put_rest(struct buf *out, const char *path, const char *folder)
{
    const char *a = path;
    const char *b = folder;
    for (;;) {
        const char *next_a = a;
        const char *next_b = b;
        struct str name = next_name(&next_a);
        struct str other = next_name(&next_b);
        if (!name.ptr || !other.ptr || !str_eq(name, other))
            break;
        a = next_a;
        b = next_b;
    }
    while (next_name(&b).ptr)
        buf_adds(out, "../");
    a += strspn(a, "/");
    buf_adds(out, a);
}

enum rc relative_path(const char *path, const char *folder, struct buf *out, struct err *e)
{
    char working[PATH_MAX];
    struct buf whole;
    struct buf from;
    if (!getcwd(working, sizeof working))
        return err_sys(e, RC_IO, errno, "the working directory");
    const char *whole_text = absolute(&whole, path, working);
    const char *from_text = absolute(&from, folder, working);
    bool made = buf_rc(&whole) == RC_OK && buf_rc(&from) == RC_OK;
    if (made)
        put_rest(out, whole_text, from_text);
    buf_free(&whole);
    buf_free(&from);
    return made && buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}
