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

void renames_put(struct buf *out, const char *from, const char *to, struct file_print print)
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

static struct str take_text_of(struct str *list)
{
    struct str text = {list->ptr, strnlen(list->ptr, list->len)};
    list->ptr += text.len + 1;
    list->len -= text.len + 1;
    return text;
}

bool renames_take(struct str *list, struct file_rename *out)
{
    uint64_t crc = 0;
    if (list->len == 0)
        return false;
    /* one after the other: the order of initialisers is nobody's promise */
    struct str from = take_text_of(list);
    struct str to = take_text_of(list);
    struct str print = take_text_of(list);
    *out = (struct file_rename){.from = from, .to = to};
    (void)text_take_uint(&print, ':', &out->print.bytes); /* empty for a removal */
    (void)text_take_uint(&print, ':', &crc);
    out->print.crc = (uint32_t)crc;
    return true;
}
