#include "monitor/metrics_label.h"

#include "core/base/unicode.h"

/* The format has three escapes: \\, \" and \n. */
static void put_escaped(struct buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\' || p[i] == '"' || p[i] == '\n')
            buf_addc(out, '\\');
        buf_addc(out, p[i] == '\n' ? 'n' : p[i]);
    }
}

void metrics_label_put(struct buf *out, const char *name, const char *value)
{
    char shown[UNICODE_SHOWN_BYTES];
    buf_addf(out, "%s=\"", name);
    for (struct str left = str_c(value); left.len;) {
        size_t taken = 0;
        size_t n = unicode_show(left, shown, &taken);
        bool is_line_feed = *left.ptr == '\n';
        put_escaped(out, is_line_feed ? "\n" : shown, is_line_feed ? 1 : n);
        left.ptr += taken;
        left.len -= taken;
    }
    buf_addc(out, '"');
}
