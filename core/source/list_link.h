/* Where a list continues, by the field Link of an answer (RFC 8288). Private to core/source. */
#ifndef LEADPIPE_LIST_LINK_H
#define LEADPIPE_LIST_LINK_H

#include "core/base/str.h"

/* The target of the first link in the field's value whose relation types include "next", as it is written; absent:
 * there is none. A value that is malformed ends where it is. */
struct str list_link_next(struct str field);

#endif
