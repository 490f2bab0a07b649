/* A pack: leads of a list in a binary form, in which they wait for the intake and are stored in a state. Each text of a
 * lead (its ID, then a value for each parameter) is its length (16 bits, little-endian) followed by its bytes. */
#ifndef LEADPIPE_LIST_PACK_H
#define LEADPIPE_LIST_PACK_H

#include "core/base/buf.h"
#include "core/provider/profile.h"
#include "core/source.h"

/* A pack that has reached this size is handed over, and another one begun. */
#define LIST_PACK_BYTES_FULL ((size_t)1 << 20)
#define LIST_PACK_BYTES_MAX (LIST_PACK_BYTES_FULL + (1 + PROFILE_PARAMS_MAX) * (2 + ID_BYTES_MAX))

enum list_part_end {
    LIST_PART_GOES_ON,
    LIST_PART_COMPLETE,   /* the last part: the list has been read */
    LIST_PART_INCOMPLETE, /* the last part, but the list may have more leads */
    LIST_PART_ENDS,
};

/* The unit in which leads are handed over: the new leads of a page, or some of them if it is large. */
struct list_part {
    size_t list; /* which of the lists, from 0 */
    enum list_part_end end;
    uint64_t bad; /* in the last part: elements of the list without a valid ID */
    uint64_t n;   /* leads in `pack` */
    struct str pack;
};

/* Appends a lead. Errors stick in `pack`; RC_LIMIT: a text is longer than an ID may be. */
void list_pack_add(struct buf *pack, struct str id, const struct str *params, size_t n_params);

/* Takes the first lead of `rest`, which must not be empty. Its texts point into the pack, and do not end in a NUL. False:
 * it is malformed. `params` has room for n_params. */
bool list_pack_take(struct str *rest, size_t n_params, struct str *id, struct str *params);

/* Does it consist of `n` leads, each with a valid ID and valid parameters? */
bool list_pack_check(struct str pack, size_t n_params, uint64_t n);

#endif
