#include <stdio.h>

#include "core/flatten/walk.h"

/* The digits of 0 to 999, three a number, without a table of pointers. */
#define ONES(h, t) h t "0" h t "1" h t "2" h t "3" h t "4" h t "5" h t "6" h t "7" h t "8" h t "9"
#define TENS(h)                                                                                    \
    ONES(h, "0")                                                                                   \
    ONES(h, "1")                                                                                   \
    ONES(h, "2")                                                                                   \
    ONES(h, "3")                                                                                   \
    ONES(h, "4")                                                                                   \
    ONES(h, "5")                                                                                   \
    ONES(h, "6")                                                                                   \
    ONES(h, "7")                                                                                   \
    ONES(h, "8")                                                                                   \
    ONES(h, "9")

static const char digits[] = TENS("0") TENS("1") TENS("2") TENS("3") TENS("4") TENS("5") TENS("6")
    TENS("7") TENS("8") TENS("9");

bool cell_number(struct arena *a, uint32_t n, struct cell *out)
{
    struct cell cell = {.kind = CELL_NUMBER};
    if (n < 1000) {
        cell.len = n < 10 ? 1 : n < 100 ? 2 : 3;
        cell.u.text = digits + (size_t)n * 3 + (3 - cell.len);
    } else {
        char text[16];
        int len = snprintf(text, sizeof text, "%u", (unsigned)n);
        cell.len = (uint32_t)len;
        cell.u.text = arena_strdup(a, (struct str){text, cell.len});
        if (!cell.u.text)
            return false;
    }
    *out = cell;
    return true;
}

static bool text_cell(enum cell_kind kind, struct str text, struct cell *out)
{
    if (text.len > UINT32_MAX)
        return false;
    *out = (struct cell){.kind = (uint8_t)kind, .len = (uint32_t)text.len, .u.text = text.ptr};
    return true;
}

static bool string_cell(const struct signed_url_rules *urls, struct str text, bool is_expiring,
                        struct cell *out)
{
    if (is_expiring && urls->mode == SIGNED_URLS_DROP) {
        *out = (struct cell){.kind = CELL_NULL};
        return true;
    }
    if (is_expiring)
        text.len = signed_urls_kept_bytes(text.ptr, text.len);
    return text_cell(CELL_TEXT, text, out);
}

bool cell_make(const struct signed_url_rules *urls, struct arena *a, const cJSON *value,
               bool is_expiring, bool is_url_element, struct cell *out)
{
    switch (value->type & 0xFF) {
    case cJSON_False:
        *out = (struct cell){.kind = CELL_FALSE};
        return true;
    case cJSON_True:
        *out = (struct cell){.kind = CELL_TRUE};
        return true;
    case cJSON_Number:
        return text_cell(CELL_NUMBER, json_text(value), out);
    case cJSON_String:
        return string_cell(urls, json_text(value), is_expiring, out);
    case cJSON_Array:
    case cJSON_Object:
        *out = (struct cell){.kind = CELL_JSON};
        out->u.json = signed_urls_edit(urls, a, value, is_url_element);
        return out->u.json != NULL;
    default:
        *out = (struct cell){.kind = CELL_NULL};
        return true;
    }
}

/* Nested as deeply as the parser allows. */
static uint64_t value_weight(const cJSON *v)
{
    uint64_t bytes = 8 + json_member_name(v).len + json_text(v).len;
    for (const cJSON *child = v->child; child; child = child->next)
        bytes += value_weight(child);
    return bytes;
}

uint64_t cell_weight(const struct cell *c)
{
    return c->kind == CELL_JSON ? value_weight(c->u.json) : 8 + c->len;
}

bool value_is_scalar(const cJSON *v)
{
    return !json_is_array(v) && !json_is_object(v);
}

static bool scalar_equal(const cJSON *a, const cJSON *b)
{
    if (cJSON_IsString(a))
        return str_eq(json_text_key(a), json_text_key(b));
    return str_eq(json_text(a), json_text(b)); /* absent: true, false, null */
}

bool value_equal(const cJSON *a, const cJSON *b)
{
    if ((a->type & 0xFF) != (b->type & 0xFF))
        return false;
    if (value_is_scalar(a))
        return scalar_equal(a, b);
    const cJSON *x = a->child, *y = b->child;
    for (; x && y; x = x->next, y = y->next) {
        bool same_name = !x->string || str_eq(json_name_key(x), json_name_key(y));
        if (!same_name || !value_equal(x, y))
            return false;
    }
    return !x && !y;
}
