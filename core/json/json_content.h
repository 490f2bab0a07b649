/* What json_canonical() and json_hash() both take of a value. Private to core/json. */
#ifndef LEADPIPE_JSON_CONTENT_H
#define LEADPIPE_JSON_CONTENT_H

#include "core/json/json.h"

static inline bool json_is_one_of(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name))
            return true;
    }
    return false;
}

/* Do objects that are elements of this array have members that count as null? `nulls` may be NULL. */
static inline bool json_has_nulls(const struct json_nulls *nulls, const cJSON *array)
{
    return nulls && array->string &&
           json_is_one_of(nulls->arrays, nulls->n_arrays, json_name_key(array));
}

/* Does a member of such an object count as null? */
static inline bool json_is_nulled(const struct json_nulls *nulls, const cJSON *member)
{
    return json_is_string(member) &&
           json_is_one_of(nulls->members, nulls->n_members, json_name_key(member));
}

/* How many bytes of a member's value, which is no container, are right behind the colon in the
 * parser's text; 0: none are, or name or value were not received as they stand in the tree. The parser left NULs in the
 * place of closing quotes. */
static inline size_t json_adjacent_bytes(const cJSON *member)
{
    static const char starts[] = {[cJSON_NULL] = 'n', [cJSON_False] = 'f', [cJSON_True] = 't'};
    struct str name = json_member_name(member);
    const char *colon = name.ptr + name.len + 1;
    size_t quote = json_is_string(member);
    if (member->valueint & JSON_ESCAPED)
        return 0;
    if (member->valuestring)
        return member->valuestring - quote == colon + 1 ? json_size(member) + 2 * quote : 0;
    if (*colon != ':' || colon[1] != starts[member->type])
        return 0;
    return member->type == cJSON_False ? 5 : 4;
}

#endif
