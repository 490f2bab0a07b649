/* What cJSON made is put right here. Private to core/json*.c. */
#ifndef LEADPIPE_JSON_TREE_H
#define LEADPIPE_JSON_TREE_H

#include "json_scan.h"

/* A member of an object, while members are put into the order of their names. */
struct json_named {
    uint64_t start; /* the first eight bytes of the name, as a big-endian number */
    cJSON *node;
};

/* Hangs names and values between `brackets`, which cJSON made of the shape, and removes members whose
 * name comes again. The tree is then the only child of `brackets`. RC_NOMEM, RC_LIMIT; RC_INTERNAL:
 * the brackets are not those that were scanned. */
enum rc json_tree_finish(cJSON *brackets, const struct json_texts *texts, struct arena *a);

/* Fills `v` with the `n` members of an object and sorts them by the bytes of their names; equal
 * names stay in their order. `spare` has room for `n`, too. Never slower than n log n. */
void json_tree_sort(const cJSON *object, struct json_named *v, struct json_named *spare, size_t n);

size_t json_tree_count(const cJSON *object);

#endif
