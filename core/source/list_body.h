/* What the response to a request for a page of a list says. Private to core/source. */
#ifndef LEADPIPE_LIST_BODY_H
#define LEADPIPE_LIST_BODY_H

#include "core/json/json.h"
#include "core/provider/profile.h"
#include "core/source/list_pages.h"

#define LIST_CURSOR_BYTES_MAX 8192

struct list_body {
    const cJSON *items; /* an array */
    struct list_page
        page; /* `cursor`: within the tree; LIST_LINK: none, as it is not in the body */
};

/* RC_SYNTAX: it is no page of this list; names the path. */
enum rc list_body_read(const struct list_spec *l, const cJSON *root, struct list_body *out,
                       struct err *e);

/* ID and parameters of an element. `params`, one for each of the profile's, has the values that are known; those
 * that are in elements are set. RC_SYNTAX: the element has no valid ID, or a parameter is missing or wrong. */
enum rc list_body_item(const struct profile *p, const cJSON *element, struct str *id,
                       struct str *params, struct err *e);

/* What an error's body gives as its message; absent: nothing. */
struct str list_body_message(const struct profile *p, const cJSON *root);

#endif
