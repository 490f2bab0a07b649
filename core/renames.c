#include "renames.h"

#include <limits.h>
#include <unistd.h>

#include "units.h"

static void put_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

static void put_path(struct buf *out, const char *path)
{
    char folder[PATH_MAX];
    /* A folder that is gone has no name: then the path holds from here only. */
    if (*path != '/' && getcwd(folder, sizeof folder)) {
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
