/* Names of an object's members: those that come again, those that only U+FFFD makes the same, and
 * their order. Private to core/json. */
#ifndef LEADPIPE_JSON_NAMES_H
#define LEADPIPE_JSON_NAMES_H

#include "core/json/json_tree.h"

/* A member of an object, while members are put into the order of their names. */
struct json_named {
    uint64_t start; /* the first eight bytes of the key, as a big-endian number */
    cJSON *node;
};

/* Fills `v` with the `n` members of an object and sorts them by the bytes of their keys
 * (json_name_key()); equal ones stay in their order. `spare` has room for `n`, too. Never slower
 * than n log n. */
void json_names_sort(const cJSON *object, struct json_named *v, struct json_named *spare, size_t n);

/* The object is complete, with `n` members: of members with one key the last value stays, at the place
 * of the first; members whose names are the same only because of U+FFFD get their "_n". RC_NOMEM,
 * RC_LIMIT. */
enum rc json_names_settle(struct json_scan *s, cJSON *object, size_t n);

/* The text is scanned: names in the compact text get the "_n" that they have in the tree, where
 * bytes were replaced that the compact text could not keep. (An escape it keeps as it was.) */
bool json_names_number(struct json_scan *s);

#endif
