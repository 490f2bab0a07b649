/* Checks whether the provider can be reached and accepts the key. */
#ifndef LEADPIPE_CHECK_PROVIDER_H
#define LEADPIPE_CHECK_PROVIDER_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Requests a lead, by the first IDs of the input, and reports on the connection, the certificate, the clocks, the key and
 * the lead. Only connects if there are no IDs that can be read without consuming them (--id, regular files), or without
 * `has_key`. Blocks. */
void check_provider(const struct run_cfg *cfg, bool has_key, const struct findings *f);

#endif
