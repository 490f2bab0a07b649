/* Hashes of a payload: is its content the same as that of another one?
 *
 * Of its canonical form (json_canonical(), json_hash()), with every expiring URL null: so neither the order of members
 * nor a new signature makes a difference. Private to core/flatten. */
#ifndef LEADPIPE_PAYLOAD_HASH_H
#define LEADPIPE_PAYLOAD_HASH_H

#include "core/flatten/plan.h"

/* `hashes` is of enum flatten_hash; fills lead->fingerprint and lead->content_hash. With
 * FLATTEN_FINGERPRINT: RC_NOMEM, RC_LIMIT: as json_canonical(); RC_INTERNAL: libcrypto failed. */
enum rc payload_hash(const struct flatten_plan *plan, struct lead *lead, unsigned hashes,
                     struct err *e);

#endif
