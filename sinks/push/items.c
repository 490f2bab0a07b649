#include "sinks/push/items.h"

#include "core/base/blob.h"

void items_put(struct buf *out, const struct item *item)
{
    counted_put(out, item->json);
    counted_put(out, item->url);
    counted_put(out, item->headers);
}

bool items_next(struct str *text, struct item *out)
{
    return counted_take(text, &out->json) && out->json.ptr && counted_take(text, &out->url) &&
           counted_take(text, &out->headers);
}

enum rc items_take(struct arena *a, struct str text, size_t most, struct item **out, size_t *n_out)
{
    size_t n = 0;
    struct item item;
    for (struct str rest = text; rest.len > 0; n++) {
        if (n == most || !items_next(&rest, &item))
            return RC_SYNTAX;
    }
    if (n == 0)
        return RC_SYNTAX;
    struct item *items = arena_array(a, n, sizeof *items);
    if (!items)
        return RC_NOMEM;
    for (size_t i = 0; i < n; i++)
        (void)items_next(&text, &items[i]);
    *out = items;
    *n_out = n;
    return RC_OK;
}
