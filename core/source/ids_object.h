/* One JSON object that says an ID: a line of NDJSON, or a message. Private to core/source. */
#ifndef LEADPIPE_IDS_OBJECT_H
#define LEADPIPE_IDS_OBJECT_H

#include "core/source/ids_input.h"

#define IDS_SCRATCH_BYTES_MAX ((size_t)128 << 20) /* the tree of the worst line of 1 MiB fits in */

/* The member of that name; one that differs in case alone, where there is no other. `bad`: there are two. */
const cJSON *ids_object_member(const cJSON *object, struct str name, struct err *bad);

/* What the object says, in `scratch`; out->bad: why it says nothing. RC_NOMEM. */
enum rc ids_object_read(const struct ids_cfg *cfg, struct arena *scratch, struct str line,
                        struct ids_found *out, struct err *e);

#endif
