#include "sinks/rows/rows_format.h"

#define ROWS_TABLES_MAX 64 /* as PROFILE_TABLES_MAX */

/* ---- writing --------------------------------------------------------------------------------- */

void rows_put_number(struct buf *out, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        buf_addc(out, (char)(unsigned char)(n | 0x80));
    buf_addc(out, (char)(unsigned char)n);
}

void rows_put_text(struct buf *out, struct str text)
{
    rows_put_number(out, text.len);
    if (text.ptr)
        buf_add_str(out, text);
}

void rows_put_header(struct buf *out, const struct rows_header *h)
{
    buf_add_str(out, ROWS_MAGIC);
    size_t at = out->len;
    buf_add(out, "\0\0\0\0", sizeof(uint32_t));
    rows_put_text(out, h->profile);
    rows_put_number(out, h->max_columns);
    rows_put_number(out, (uint64_t)h->max_missing.kind);
    rows_put_number(out, h->max_missing.n);
    rows_put_number(out, h->n_settings);
    for (size_t i = 0; i < h->n_settings; i++) {
        rows_put_text(out, h->settings[i].name);
        rows_put_text(out, h->settings[i].value);
    }
    if (buf_rc(out) != RC_OK)
        return;
    size_t n = out->len - at - sizeof(uint32_t);
    for (size_t i = 0; i < sizeof(uint32_t); i++)
        out->data[at + i] = (char)(unsigned char)(n >> (8 * i));
}

void rows_put_lead(struct buf *out, uint64_t number, uint64_t before, const struct rows *tables,
                   size_t n_tables)
{
    uint64_t difference = number - before; /* modulo 2^64 */
    uint64_t sign = difference >> 63 ? UINT64_MAX : 0;
    rows_put_number(out, difference << 1 ^ sign);
    rows_put_number(out, tables ? n_tables : 0);
    for (size_t i = 0; tables && i < n_tables; i++)
        rows_put_number(out, tables[i].n_rows);
}

void rows_put_column(struct buf *out, size_t table, uint32_t row, const struct column *column)
{
    const struct column_origin *o = &column->origin;
    rows_put_number(out, table);
    rows_put_number(out, row);
    rows_put_number(out, o->scope);
    rows_put_number(out, o->occurrence);
    rows_put_number(out, o->member.ptr != NULL);
    rows_put_text(out, o->key);
    rows_put_text(out, o->member);
    rows_put_text(out, column->name);
}

/* ---- reading --------------------------------------------------------------------------------- */

bool rows_take_long_number(struct str *text, uint64_t *out)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < ROWS_NUMBER_BYTES_MAX && i < text->len; i++) {
        uint64_t byte = (unsigned char)text->ptr[i];
        if (i == ROWS_NUMBER_BYTES_MAX - 1 && byte > 1)
            return false;
        n |= (byte & 0x7f) << (7 * i);
        if (byte >= 0x80)
            continue;
        *text = (struct str){text->ptr + i + 1, text->len - i - 1};
        *out = n;
        return true;
    }
    return false;
}

bool rows_take_text(struct str *text, struct str *out)
{
    uint64_t n = 0;
    if (!rows_take_number(text, &n) || n > text->len)
        return false;
    *out = (struct str){text->ptr, (size_t)n};
    *text = (struct str){text->ptr + n, text->len - (size_t)n};
    return true;
}

bool rows_take_head(const char head[ROWS_HEAD_BYTES], size_t *out)
{
    size_t n = 0;
    if (!str_eq((struct str){head, ROWS_MAGIC.len}, ROWS_MAGIC))
        return false;
    for (size_t i = 0; i < sizeof(uint32_t); i++)
        n |= (size_t)(unsigned char)head[ROWS_MAGIC.len + i] << (8 * i);
    *out = n;
    return n > 0 && n <= ROWS_HEADER_BYTES_MAX;
}

bool rows_take_header(struct str text, struct rows_header *out, struct rows_setting *settings)
{
    uint64_t kind = 0;
    uint64_t n = 0;
    *out = (struct rows_header){.settings = settings};
    if (!rows_take_text(&text, &out->profile) || !rows_take_number(&text, &out->max_columns) ||
        !rows_take_number(&text, &kind) || kind > PORTION_SHARE ||
        !rows_take_number(&text, &out->max_missing.n) ||
        (kind == PORTION_SHARE && out->max_missing.n > PORTION_WHOLE) ||
        !rows_take_number(&text, &n) || n > ROWS_SETTINGS_MAX)
        return false;
    out->max_missing.kind = kind == PORTION_SHARE   ? PORTION_SHARE
                            : kind == PORTION_COUNT ? PORTION_COUNT
                                                    : PORTION_ANY;
    for (size_t i = 0; i < n; i++) {
        if (!rows_take_text(&text, &settings[i].name) || !rows_take_text(&text, &settings[i].value))
            return false;
    }
    out->n_settings = (size_t)n;
    return text.len == 0;
}

bool rows_take_lead(struct str record, uint64_t before, struct rows_lead *out)
{
    uint64_t difference = 0;
    uint64_t n = 0;
    if (!rows_take_number(&record, &difference) || !rows_take_number(&record, &n) ||
        n > ROWS_TABLES_MAX)
        return false;
    uint64_t sign = difference & 1 ? UINT64_MAX : 0;
    *out = (struct rows_lead){
        .number = before + (difference >> 1 ^ sign), .n_tables = (size_t)n, .rest = record};
    return true;
}

bool rows_take_column(struct rows_lead *lead, struct rows_column *out)
{
    uint64_t has_member = 0;
    struct column_origin *o = &out->origin;
    *out = (struct rows_column){0};
    if (lead->rest.len == 0 || !rows_take_number(&lead->rest, &out->table) ||
        !rows_take_u32(&lead->rest, &out->row) || !rows_take_u32(&lead->rest, &o->scope) ||
        !rows_take_u32(&lead->rest, &o->occurrence) ||
        !rows_take_number(&lead->rest, &has_member) || has_member > 1 ||
        !rows_take_text(&lead->rest, &o->key) || !rows_take_text(&lead->rest, &o->member) ||
        !rows_take_text(&lead->rest, &out->name))
        return false;
    if (!has_member && o->member.len)
        return false;
    if (!has_member)
        o->member = STR_NONE;
    return true;
}
