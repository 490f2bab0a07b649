#include "core/json/json.h"

#include "core/json/json_scan.h"

enum rc json_parse(struct arena *a, struct str text, unsigned want, struct json_doc *out,
                   struct err *e)
{
    struct json_scan s;
    enum rc rc = json_scan(&s, a, text, want, e);
    if (rc != RC_OK)
        return rc;
    struct str compact = STR_NONE;
    if (want & JSON_COMPACT)
        compact = (struct str){s.compact.start, (size_t)(s.compact.at - s.compact.start)};
    *out = (struct json_doc){s.tree.top.child, compact, s.replaced, s.tree.repeated};
    return RC_OK;
}

enum rc json_watch(struct arena *a, struct str text, struct json_watch *watches, size_t n_watches,
                   struct json_doc *out, bool *unsure, struct err *e)
{
    struct json_scan s;
    enum rc rc = json_scan_watching(&s, a, text, watches, n_watches, e);
    if (rc != RC_OK)
        return rc;
    struct str compact = {s.compact.start, (size_t)(s.compact.at - s.compact.start)};
    *out = (struct json_doc){.compact = compact, .replaced = s.replaced};
    *unsure = s.unsure || s.replaced;
    return RC_OK;
}

const cJSON *json_member(const cJSON *object, const char *name)
{
    struct str wanted = str_c(name);
    for (const cJSON *node = object->child; node; node = node->next) {
        if (node->string && !(node->valueint & JSON_NAME_REPLACED) &&
            str_eq(json_member_name(node), wanted))
            return node;
    }
    return NULL;
}
