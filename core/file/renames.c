#include "core/file/renames.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/units.h"

static void put_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

/* Does it lead to where we are? Not when a folder above may not be searched, or is gone. */
static bool leads_here(const char *folder)
{
    struct stat named, here;
    return stat(folder, &named) == 0 && stat(".", &here) == 0 && named.st_dev == here.st_dev &&
           named.st_ino == here.st_ino;
}

static void put_path(struct buf *out, const char *path)
{
    char folder[PATH_MAX];
    /* Else the path holds from here only. */
    bool goes_before = *path != '/' && getcwd(folder, sizeof folder) && leads_here(folder) &&
                       strlen(folder) + strlen(path) + 1 < PATH_MAX;
    if (goes_before) {
        buf_adds(out, folder);
        buf_addc(out, '/');
    }
    put_text(out, path);
}

void renames_put(struct buf *out, const char *from, const char *to, struct file_signature print)
{
    put_path(out, from);
    put_path(out, to);
    buf_addf(out, "%llu:%llu:", (unsigned long long)print.bytes, (unsigned long long)print.crc);
    buf_addc(out, '\0');
}

void renames_put_removal(struct buf *out, const char *path)
{
    put_path(out, path);
    put_text(out, "");
    put_text(out, "");
}

/* Up to a NUL, which must be there. */
static bool take_text(struct str *list, struct str *out)
{
    size_t n = strnlen(list->ptr, list->len);
    if (n == list->len)
        return false;
    *out = (struct str){list->ptr, n};
    list->ptr += n + 1;
    list->len -= n + 1;
    return true;
}

static bool take_print(struct str text, struct file_signature *out)
{
    uint64_t crc = 0;
    if (!text_take_uint(&text, ':', &out->bytes) || !text_take_uint(&text, ':', &crc))
        return false;
    out->crc = (uint32_t)crc;
    return text.len == 0 && out->bytes <= INT64_MAX && crc <= UINT32_MAX;
}

enum rc renames_take(struct str *list, struct file_rename *out)
{
    struct file_rename r = {.print = {0, 0}};
    struct str print;
    if (list->len == 0)
        return RC_END;
    if (!take_text(list, &r.from) || !take_text(list, &r.to) || !take_text(list, &print) ||
        r.from.len == 0 || r.from.len >= PATH_MAX || r.to.len >= PATH_MAX)
        return RC_SYNTAX;
    if (r.to.len > 0 ? !take_print(print, &r.print) : print.len > 0)
        return RC_SYNTAX;
    *out = r;
    return RC_OK;
}
