/* Makes an item from what a line or message contains: checks it, fills in defaults, copies it. Private to core/source. */
#ifndef LEADPIPE_IDS_ITEM_H
#define LEADPIPE_IDS_ITEM_H

#include "core/source/ids_input.h"

/* The index of the first parameter without a value, or -1. `params` may be NULL: there are only defaults. */
int ids_missing_param(const struct ids_cfg *cfg, const struct str *params);
/* Reports that this parameter has no value: sets `e`, with code `rc`, and returns it. */
enum rc ids_missing_error(const struct ids_cfg *cfg, int param, enum rc rc, struct err *e);

/* RC_USAGE: a value of --param is not valid. */
enum rc ids_check_defaults(const struct ids_cfg *cfg, struct err *e);

/* Checks what was found, and puts in the defaults. False: it is bad, and f->bad says why. */
bool ids_found_complete(const struct ids_cfg *cfg, struct ids_found *f);

/* Makes the item; its texts are copied into `a`. RC_NOMEM. */
enum rc ids_item_make(const struct ids_cfg *cfg, const struct ids_found *found, bool bad,
                      const char *file, struct arena *a, struct id_item *out);

#endif
