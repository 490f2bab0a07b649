/* Finds the next page of a list in the header field Link (RFC 8288). Private to core/source. */
#ifndef LEADPIPE_LIST_LINK_H
#define LEADPIPE_LIST_LINK_H

#include "core/base/str.h"

/* The target, as it is written, of the first link whose relation types include "next"; absent: there is none. A malformed
 * value is read up to the fault. */
struct str list_link_next(struct str field);

#endif
