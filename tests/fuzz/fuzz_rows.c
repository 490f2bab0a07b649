/* The companion of a shard's manifest, and records that shards have written, as leadpipe merge takes them apart. The first
 * byte says which. */
#include "fuzz.h"

#include <stdlib.h>

#include "sinks/record/record_scan.h"
#include "sinks/rows/rows_format.h"

static void check_within(struct str part, struct str all)
{
    MUST(!part.len || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len));
}

static void check_header(struct str text)
{
    static struct rows_setting settings[ROWS_SETTINGS_MAX];
    struct rows_header h;
    if (!rows_take_header(text, &h, settings))
        return;
    MUST(h.n_settings <= ROWS_SETTINGS_MAX);
    check_within(h.profile, text);
    for (size_t i = 0; i < h.n_settings; i++) {
        check_within(h.settings[i].name, text);
        check_within(h.settings[i].value, text);
    }
}

/* What is read is what would be written for it. */
static void check_lead(struct str text)
{
    struct rows_lead lead;
    struct rows_lead again;
    struct rows tables[64] = {{0}};
    struct buf b;
    if (!rows_take_lead(text, 5, &lead))
        return;
    MUST(lead.n_tables <= 64);
    for (size_t i = 0; i < lead.n_tables; i++) {
        if (!rows_take_rows(&lead, &tables[i].n_rows))
            return;
    }
    buf_init(&b, (size_t)1 << 20);
    rows_put_lead(&b, lead.number, 5, lead.n_tables ? tables : NULL, lead.n_tables);
    MUST(buf_rc(&b) == RC_OK && rows_take_lead(buf_str(&b), 5, &again));
    MUST(again.number == lead.number && again.n_tables == lead.n_tables);
    buf_free(&b);
    struct rows_column c;
    for (size_t before = lead.rest.len; rows_take_column(&lead, &c); before = lead.rest.len) {
        MUST(lead.rest.len < before);
        check_within(c.origin.key, text);
        check_within(c.origin.member, text);
        check_within(c.name, text);
    }
}

static void check_records(enum scan_format format, struct str text)
{
    struct scan_members m = {0};
    struct str rest = text;
    uint64_t n = 0;
    while (rest.len > 0) {
        size_t before = rest.len;
        if (!scan_value(format, &rest))
            break;
        MUST(rest.len < before && rest.ptr + rest.len == text.ptr + text.len);
    }
    (void)scan_map(format, text, &m);
    for (size_t i = 0; i < m.n; i++) {
        check_within(m.items[i].name, text);
        check_within(m.items[i].value, text);
    }
    scan_members_free(&m);
    rest = text;
    struct str element;
    bool ended = !scan_array(format, &rest, &n);
    while (!ended && scan_element(format, &rest, &n, &element, &ended) && !ended)
        check_within(element, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* A copy, so that reading beyond its end is found. */
    char *copy = malloc(size);
    MUST(copy);
    memcpy(copy, data + 1, size - 1);
    struct str text = {copy, size - 1};
    size_t n = 0;
    switch (*data % 4) {
    case 0:
        if (text.len >= ROWS_HEAD_BYTES)
            (void)rows_take_head(text.ptr, &n);
        check_header(text);
        break;
    case 1:
        check_lead(text);
        break;
    default:
        check_records(*data % 4 == 2 ? SCAN_JSON : SCAN_MSGPACK, text);
    }
    free(copy);
    return 0;
}
