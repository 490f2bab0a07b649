/* Expiring URLs within JSON values. Private to core/flatten.
 *
 * The received tree is never changed, because sinks may want it as it was received: what differs is copied
 * along the way to the URL, all else is shared. */
#ifndef LEADPIPE_SIGNED_URLS_H
#define LEADPIPE_SIGNED_URLS_H

#include "core/flatten/flatten.h"

struct signed_url_rules {
    enum signed_urls mode;
    const struct str *arrays, *members; /* of the profile */
    size_t n_arrays, n_members;
};

struct signed_url_rules signed_urls_of(const struct profile *p, enum signed_urls mode);

/* Is `name` that of an array whose objects may hold expiring URLs; of such a member? */
bool signed_urls_is_array(const struct signed_url_rules *r, struct str name);
bool signed_urls_is_member(const struct signed_url_rules *r, struct str name);

/* What is left of an expiring URL when it is stripped: all before the first "?". */
size_t signed_urls_kept_bytes(const char *url, size_t len);

/* The value with the expiring URLs inside it as the mode says: `value` itself where there are none.
 * `is_element`: it is an element of an array with such objects. NULL: no memory in the arena. */
const cJSON *signed_urls_edit(const struct signed_url_rules *r, struct arena *a, const cJSON *value,
                              bool is_element);

#endif
