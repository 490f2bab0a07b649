#include "harmless.h"

#include <stdint.h>

static uint32_t code_point(const unsigned char *p, size_t len)
{
    switch (len) {
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3Fu);
    case 3:
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3Fu);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
               (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3Fu);
    }
}

static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || /* C0, DEL, C1 */
           c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069) ||            /* direction of writing */
           c == 0x2028 || c == 0x2029 || c == 0xFEFF; /* line ends, byte order mark */
}

static void add_escape(struct buf *out, uint32_t c)
{
    if (c == '\n')
        buf_adds(out, "\\n");
    else if (c == '\r')
        buf_adds(out, "\\r");
    else if (c == '\t')
        buf_adds(out, "\\t");
    else
        buf_addf(out, c < 0x80 ? "\\x%02x" : "\\u%04x", (unsigned)c);
}

void text_harmless(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);
    while (left) {
        size_t len = utf8_sequence(at, left);
        if (!len) {
            buf_addf(out, "\\x%02x", *at);
            len = 1;
        } else if (is_harmful(code_point(at, len))) {
            add_escape(out, code_point(at, len));
        } else {
            buf_add(out, at, len);
        }
        at += len;
        left -= len;
    }
}
