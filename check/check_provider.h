/* Can the provider be reached, and does it accept the key? */
#ifndef LEADPIPE_CHECK_PROVIDER_H
#define LEADPIPE_CHECK_PROVIDER_H

#include "core/base/findings.h"
#include "core/run/run.h"

/* Requests a lead, by the first IDs of the input, and reports on the way there, the certificate, the clocks, the key
 * and the lead. Without IDs that can be read without taking them from anybody (--id, regular files), or without
 * `has_key`, it only connects. Blocks. */
void check_provider(const struct run_cfg *cfg, bool has_key, const struct findings *f);

#endif
