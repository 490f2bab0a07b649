/* Private to core/file: what would fail when everything has been fetched is found before the first
 * request, without touching anything. */
#ifndef LEADPIPE_LOCAL_CHECK_H
#define LEADPIPE_LOCAL_CHECK_H

#include "core/base/err.h"
#include "core/file/target.h"

/* Could a local file be written and renamed there? RC_USAGE, RC_NOMEM. */
enum rc local_check(const struct target *t, struct err *e);

#endif
