/* Leads of a list as bytes, a pack: how they wait for the intake, and how a state remembers them. Each of a lead's
 * texts (its ID, then a value for each parameter) is its length (16 bits, little-endian) and its bytes. */
#ifndef LEADPIPE_LIST_PACK_H
#define LEADPIPE_LIST_PACK_H

#include "core/base/buf.h"
#include "core/provider/profile.h"
#include "core/source.h"

/* Of one pack; whoever makes one begins another where it has this. */
#define LIST_PACK_BYTES_FULL ((size_t)1 << 20)
#define LIST_PACK_BYTES_MAX (LIST_PACK_BYTES_FULL + (1 + PROFILE_PARAMS_MAX) * (2 + ID_BYTES_MAX))

enum list_part_end {
    LIST_PART_GOES_ON,
    LIST_PART_COMPLETE,   /* with it the list has been read */
    LIST_PART_INCOMPLETE, /* likewise, but the list may have more leads */
    LIST_PART_ENDS,
};

/* What is handed over at once: new leads of one page, or a part of a large one. */
struct list_part {
    size_t list; /* which of the lists, from 0 */
    enum list_part_end end;
    uint64_t bad; /* at its end: elements of the list without a valid ID */
    uint64_t n;   /* leads */
    struct str pack;
};

/* Appends a lead. Errors stick in `pack`; RC_LIMIT: a text is longer than an ID may be. */
void list_pack_add(struct buf *pack, struct str id, const struct str *params, size_t n_params);

/* Takes the first lead of `rest`, which is not empty; texts lie in the pack, without a NUL behind them. False: it is
 * malformed. `params` has room for n_params. */
bool list_pack_take(struct str *rest, size_t n_params, struct str *id, struct str *params);

/* Is it `n` leads, each with an ID and values that may be ones? */
bool list_pack_check(struct str pack, size_t n_params, uint64_t n);

#endif
