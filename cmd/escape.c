#include "cmd/escape.h"

#include "core/base/unicode.h"

void text_escape(struct buf *out, const char *text)
{
    char shown[UNICODE_SHOWN_BYTES];
    struct str left = str_c(text);
    while (left.len) {
        size_t taken;
        size_t n = unicode_show(left, shown, &taken);
        buf_add(out, shown, n);
        left.ptr += taken;
        left.len -= taken;
    }
}
