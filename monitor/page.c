#include "monitor/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/unicode.h"
#include "core/base/units.h"

/* ---- texts ---------------------------------------------------------------------------------- */

static void put_escaped(struct buf *out, const char *shown, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (shown[i]) {
        case '<':
            buf_adds(out, "&lt;");
            break;
        case '>':
            buf_adds(out, "&gt;");
            break;
        case '&':
            buf_adds(out, "&amp;");
            break;
        case '"':
            buf_adds(out, "&quot;");
            break;
        case '\'':
            buf_adds(out, "&#39;");
            break;
        default:
            buf_addc(out, shown[i]);
        }
    }
}

static bool is_noncharacter(uint32_t c)
{
    return (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

static void put_shown(struct buf *out, struct str left)
{
    char shown[UNICODE_SHOWN_BYTES];
    while (left.len) {
        size_t taken;
        size_t n = unicode_show(left, shown, &taken);
        size_t valid = utf8_sequence((const unsigned char *)left.ptr, left.len);
        if (valid && is_noncharacter(utf8_decode((const unsigned char *)left.ptr, valid)))
            buf_adds(out, "\xEF\xBF\xBD"); /* HTML has no such character */
        else
            put_escaped(out, shown, n);
        left.ptr += taken;
        left.len -= taken;
    }
}

void page_text(struct page *p, const char *text, size_t max)
{
    size_t n = text ? strlen(text) : 0;
    if (!n)
        return;
    char *copy = malloc(n + 2);
    if (!copy) {
        p->out->rc = RC_NOMEM;
        return;
    }
    /* The text was redacted before it was cut off, so an end that looks like the beginning of a secret is not one. */
    memcpy(copy, text, n);
    memcpy(copy + n, "\n", 2);
    secrets_redact(p->secrets, copy, n + 2);
    n = strlen(copy);
    n -= n && copy[n - 1] == '\n';
    size_t shown = n > max ? utf8_cut(copy, max) : n;
    put_shown(p->out, (struct str){copy, shown});
    if (shown < n)
        page_raw(p, "...");
    free(copy);
}

void page_bdi(struct page *p, const char *text, size_t max)
{
    page_raw(p, "<bdi>");
    page_text(p, text, max);
    page_raw(p, "</bdi>");
}

/* ---- figures -------------------------------------------------------------------------------- */

void page_count(struct page *p, uint64_t n)
{
    char text[UNITS_COUNT_CHARS];
    units_count(text, n);
    page_raw(p, text);
}

void page_counted(struct page *p, uint64_t n, const char *one, const char *many)
{
    page_count(p, n);
    page_raw(p, " ");
    page_raw(p, n == 1 ? one : many);
}

void page_bytes(struct page *p, uint64_t bytes)
{
    char text[UNITS_BYTES_CHARS];
    units_bytes(text, sizeof text, bytes);
    page_raw(p, text);
}

void page_seconds(struct page *p, double seconds)
{
    uint64_t whole = seconds > 0 ? (uint64_t)(seconds + 0.5) : 0;
    if (seconds < 10)
        buf_addf(p->out, "%.2f s", seconds > 0 ? seconds : 0);
    else if (seconds < 59.95)
        buf_addf(p->out, "%.1f s", seconds);
    else if (whole < 3600)
        buf_addf(p->out, "%" PRIu64 " min %" PRIu64 " s", whole / 60, whole % 60);
    else
        buf_addf(p->out, "%" PRIu64 " h %" PRIu64 " min", whole / 3600, whole / 60 % 60);
}

void page_rate(struct page *p, double per_s)
{
    if (per_s >= 100)
        page_count(p, (uint64_t)(per_s + 0.5));
    else
        buf_addf(p->out, per_s >= 9.95 || per_s <= 0 ? "%.0f" : "%.2g", per_s);
}

const char *page_share(char out[16], double part, double whole, double of)
{
    double share = whole > 0 && part > 0 ? part / whole * of : 0;
    (void)snprintf(out, 16, "%.2f", share < of ? share : of);
    size_t n = strlen(out);
    while (n && out[n - 1] == '0')
        out[--n] = '\0';
    if (n && out[n - 1] == '.')
        out[n - 1] = '\0';
    return out;
}
