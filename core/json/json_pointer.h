/* JSON pointers (RFC 6901): "" is the whole value, "/a/0/b" a member, an element of an array, a member.
 * "~1" is a slash and "~0" a tilde within a name. */
#ifndef LEADPIPE_JSON_POINTER_H
#define LEADPIPE_JSON_POINTER_H

#include "core/json/json.h"

#define JSON_POINTER_STEPS_MAX 32

struct json_pointer {
    struct str text;   /* as given */
    struct str *steps; /* unescaped */
    size_t n_steps;
};

/* Memory comes from `a`; `text` is copied. RC_SYNTAX with what is wrong (no subject before it), RC_NOMEM. */
enum rc json_pointer_parse(struct json_pointer *out, struct arena *a, struct str text,
                           struct err *e);

/* The value there; NULL: there is none. A step into an array is an index without zeros in front. */
const cJSON *json_pointer_find(const struct json_pointer *p, const cJSON *from);

#endif
