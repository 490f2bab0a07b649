#include "core/source/list_body.h"

#include "core/base/units.h"
#include "core/source/ids_text.h"

/* The value as text: a text unchanged, or a whole number. False: it is neither. */
static bool read_text(const cJSON *v, struct str *out)
{
    if (!v || !(cJSON_IsString(v) || cJSON_IsNumber(v)) || (v->valueint & JSON_TEXT_REPLACED))
        return false;
    *out = json_text(v);
    if (cJSON_IsString(v))
        return true;
    size_t sign = out->len && out->ptr[0] == '-' ? 1 : 0;
    return strspn(out->ptr + sign, "0123456789") == out->len - sign;
}

static void read_total(const struct list_spec *l, const cJSON *root, struct list_page *page)
{
    struct str text;
    const cJSON *v = l->total.text.ptr ? path_find(&l->total, root) : NULL;
    page->has_total = read_text(v, &text) && units_uint(text, &page->total);
}

static bool is_none(const cJSON *v)
{
    return !v || cJSON_IsNull(v) || cJSON_IsFalse(v);
}

/* Reads where the list continues. */
static enum rc read_cursor(const struct list_spec *l, const cJSON *root, const cJSON *last,
                           struct list_page *page, struct err *e)
{
    const char *what = l->style == LIST_CURSOR ? "the last element" : "the response";
    const cJSON *v = path_find(&l->next, l->style == LIST_CURSOR ? last : root);
    if (l->style == LIST_TOKEN && is_none(v))
        return RC_OK;
    if (!read_text(v, &page->cursor) || (l->style == LIST_CURSOR && page->cursor.len == 0))
        return err_set(e, RC_SYNTAX,
                       "%s has no text or whole number at \"" STR_FMT "\", which says where the "
                       "list continues",
                       what, STR_ARG(l->next.text));
    if (page->cursor.len > LIST_CURSOR_BYTES_MAX)
        return err_set(e, RC_SYNTAX,
                       "the text at \"" STR_FMT "\", which says where the list continues, has %zu "
                       "bytes (at most %d are allowed)",
                       STR_ARG(l->next.text), page->cursor.len, LIST_CURSOR_BYTES_MAX);
    return RC_OK;
}

enum rc list_body_read(const struct list_spec *l, const cJSON *root, struct list_body *out,
                       struct err *e)
{
    struct list_body b = {.items = path_find(&l->items, root)};
    const cJSON *last = NULL;
    if (!cJSON_IsArray(b.items))
        return err_set(e, RC_SYNTAX, "the response has no array at \"" STR_FMT "\"",
                       STR_ARG(l->items.text));
    for (const cJSON *v = b.items->child; v; v = v->next) {
        b.page.n_items++;
        last = v;
    }
    read_total(l, root, &b.page);
    b.page.is_last = l->more.text.ptr && cJSON_IsFalse(path_find(&l->more, root));
    bool has_cursor = l->style == LIST_TOKEN || (l->style == LIST_CURSOR && last);
    enum rc rc = RC_OK;
    if (has_cursor && !b.page.is_last)
        rc = read_cursor(l, root, last, &b.page, e);
    if (rc == RC_OK)
        *out = b;
    return rc;
}

/* ---- elements -------------------------------------------------------------------------------- */

static enum rc read_value(const struct path *at, struct str what, const cJSON *element,
                          struct str *out, struct err *e)
{
    if (!read_text(path_find(at, element), out))
        return err_set(e, RC_SYNTAX, STR_FMT ": no text or whole number at \"" STR_FMT "\"",
                       STR_ARG(what), STR_ARG(at->text));
    return ids_value_check(what, *out, e);
}

enum rc list_body_item(const struct profile *p, const cJSON *element, struct str *id,
                       struct str *params, struct err *e)
{
    const struct list_spec *l = p->list;
    enum rc rc = read_value(&l->id, STR("the ID"), element, id, e);
    for (size_t i = 0; rc == RC_OK && i < p->n_params; i++) {
        if (l->params[i].text.ptr)
            rc = read_value(&l->params[i], p->params[i], element, &params[i], e);
    }
    return rc;
}

struct str list_body_message(const struct profile *p, const cJSON *root)
{
    for (size_t i = 0; i < p->n_messages; i++) {
        const cJSON *v = path_find(&p->messages[i], root);
        if (v && (cJSON_IsString(v) || cJSON_IsNumber(v)) && json_text(v).len)
            return json_text(v);
    }
    return STR_NONE;
}
