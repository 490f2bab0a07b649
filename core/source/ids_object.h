/* Reads a JSON object with an ID: a line of NDJSON, or a message. Private to core/source. */
#ifndef LEADPIPE_IDS_OBJECT_H
#define LEADPIPE_IDS_OBJECT_H

#include "core/source/ids_input.h"

#define IDS_SCRATCH_BYTES_MAX ((size_t)128 << 20) /* enough for the tree of any line of 1 MiB */

/* The member of that name; if there is none, one that differs only in case. `bad`: there are two such. */
const cJSON *ids_object_member(const cJSON *object, struct str name, struct err *bad);

/* The ID and the parameters of the object, in `scratch`; out->bad: why it has no ID. RC_NOMEM. */
enum rc ids_object_read(const struct ids_cfg *cfg, struct arena *scratch, struct str line,
                        struct ids_found *out, struct err *e);

#endif
