/* Finds duplicate leads: the same ID with the same parameters. One thread at a time; memory grows by at
 * most 40 bytes per lead. */
#ifndef LEADPIPE_ID_SEEN_H
#define LEADPIPE_ID_SEEN_H

#include "core/lead.h"
#include "core/source.h"

struct id_seen;

/* RC_NOMEM. */
enum rc id_seen_new(struct id_seen **out, size_t n_params, struct err *e);
void id_seen_free(struct id_seen *s); /* may be NULL */

/* `key`: the digest of the item's ID and parameters; of a bad line, that of the reason. RC_NOMEM, RC_INTERNAL. */
enum rc id_seen_key(struct id_seen *s, const struct id_item *item,
                    unsigned char key[LEAD_KEY_BYTES], struct err *e);

/* `key`: the item's. *is_new: no earlier item was the same lead. A bad line is always new, because it has no ID that
 * another could share. RC_NOMEM. */
enum rc id_seen_add(struct id_seen *s, const struct id_item *item,
                    const unsigned char key[LEAD_KEY_BYTES], bool *is_new, struct err *e);

/* The `key` of a lead. RC_INTERNAL, RC_NOMEM. */
enum rc id_key(struct str id, const struct str *params, size_t n_params,
               unsigned char key[LEAD_KEY_BYTES], struct err *e);

#endif
