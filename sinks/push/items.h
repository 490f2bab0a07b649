/* The items of a request as they stand in a message's body, and so in the state: each with what else of its
 * request depends on the lead. Pure; any thread. */
#ifndef LEADPIPE_PUSH_ITEMS_H
#define LEADPIPE_PUSH_ITEMS_H

#include "core/base/arena.h"
#include "core/base/buf.h"

struct item {
    struct str json; /* the item, compact */
    struct str url;  /* of its request, where that depends on the lead; else absent */
    struct str
        headers; /* likewise: values, each counted (blob.h), in the order of the destination's headers that
                           name a field; else absent */
};

/* Appends one. Errors stick in `out`. */
void items_put(struct buf *out, const struct item *item);

/* The first of a text, which begins behind it then. False: the text is damaged, or empty. */
bool items_next(struct str *text, struct item *out);

/* All of a text, which they point into; at least one, at most `most`. The list is made in `a`. RC_SYNTAX: it is
 * damaged; RC_NOMEM. */
enum rc items_take(struct arena *a, struct str text, size_t most, struct item **out, size_t *n);

#endif
