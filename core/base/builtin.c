#include "core/base/builtin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct builtin *builtin_find(const struct builtin *list, const char *name)
{
    for (const struct builtin *b = list; b->name; b++) {
        if (strcmp(b->name, name) == 0)
            return b;
    }
    return NULL;
}

const struct builtin *builtin_at(const struct builtin *list, size_t i)
{
    for (const struct builtin *b = list; b->name; b++) {
        if ((size_t)(b - list) == i)
            return b;
    }
    return NULL;
}

bool description_is_file(const char *name)
{
    size_t len = strlen(name);
    return strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".json") == 0) ||
           access(name, F_OK) == 0;
}

enum rc description_read(struct buf *b, const char *path, size_t max, struct err *e)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return err_sys(e, RC_USAGE, errno, "%s", path);
    enum rc rc = RC_OK;
    size_t n = 1;
    while (n && b->len <= max && rc == RC_OK) {
        char *to = buf_reserve(b, BUFSIZ);
        n = to ? fread(to, 1, BUFSIZ, file) : 0;
        b->len += n;
        if (!to)
            rc = err_nomem(e);
    }
    if (rc == RC_OK && ferror(file))
        rc = err_sys(e, RC_USAGE, errno, "%s", path);
    (void)fclose(file);
    return rc;
}
