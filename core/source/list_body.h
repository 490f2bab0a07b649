/* Reads a page of a list from the body of a response. Private to core/source. */
#ifndef LEADPIPE_LIST_BODY_H
#define LEADPIPE_LIST_BODY_H

#include "core/json/json.h"
#include "core/provider/profile.h"
#include "core/source/list_pages.h"

#define LIST_CURSOR_BYTES_MAX 8192

struct list_body {
    const cJSON *items; /* an array */
    struct list_page
        page; /* `cursor` points into the tree; LIST_LINK: absent, because it is not in the body */
};

/* RC_SYNTAX: it is not a page of this list; the message names the path of the member. */
enum rc list_body_read(const struct list_spec *l, const cJSON *root, struct list_body *out,
                       struct err *e);

/* The ID and the parameters of an element. `params`, one for each of the profile's, has the values that are known already;
 * this sets those that come from elements. RC_SYNTAX: the element has no valid ID, or a parameter is missing or invalid. */
enum rc list_body_item(const struct profile *p, const cJSON *element, struct str *id,
                       struct str *params, struct err *e);

/* The message in the body of an error response; absent: none. */
struct str list_body_message(const struct profile *p, const cJSON *root);

#endif
