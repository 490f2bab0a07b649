#include "sinks/push/reader.h"

enum rc member_each(const struct reader *r, const struct member *at, size_t max, size_t bytes,
                    member_fn fn, void **out, size_t *n)
{
    if (!at->json)
        return RC_OK;
    size_t count = 0;
    enum rc rc = member_list(&r->json, at, 1, max, &count);
    if (rc != RC_OK)
        return rc;
    char *items = arena_array(r->json.arena, count, bytes);
    if (!items)
        return err_nomem(r->json.err);
    for (struct member m = member_first(at); m.json && rc == RC_OK; member_next(&m))
        rc = fn(r, &m, items + m.index * bytes);
    if (rc != RC_OK)
        return rc;
    *out = items;
    *n = count;
    return RC_OK;
}

const struct param *reader_param(const struct reader *r, struct str name)
{
    for (size_t i = 0; i < r->n_params; i++) {
        if (str_eq(r->params[i].name, name)) {
            r->params[i].is_used = true;
            return &r->params[i];
        }
    }
    return NULL;
}
