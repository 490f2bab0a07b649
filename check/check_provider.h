/* Checks whether the provider can be reached and accepts the key. */
#ifndef LEADPIPE_CHECK_PROVIDER_H
#define LEADPIPE_CHECK_PROVIDER_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Requests a lead, by the first IDs of the input, and reports on the connection, the certificate, the clocks, the key and
 * the lead. Only connects if there are no IDs that can be read without consuming them (--id, regular files), or unless
 * `may_request`: without a key, or a source of IDs. Blocks. */
void check_provider(const struct run_cfg *cfg, bool may_request, const struct findings *f);

#endif
