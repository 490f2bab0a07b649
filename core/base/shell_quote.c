#include "core/base/shell_quote.h"

#include <string.h>

/* Without quotes, even at the beginning of a word or as the whole word. */
static bool is_safe(char c)
{
    static const char others[] = "_@%+=:,./-";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr(others, c));
}

void shell_quote(struct buf *out, struct str text)
{
    size_t n = 0;
    while (n < text.len && is_safe(text.ptr[n]))
        n++;
    if (n > 0 && n == text.len) {
        buf_add_str(out, text);
        return;
    }
    buf_addc(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'')
            buf_adds(out, "'\\''");
        else
            buf_addc(out, text.ptr[i]);
    }
    buf_addc(out, '\'');
}

void shell_quote_path(struct buf *out, const char *path)
{
    if (*path == '-')
        buf_adds(out, "./");
    shell_quote(out, str_c(path));
}
