/* Does the provider list leads? Private to check. */
#ifndef LEADPIPE_CHECK_LIST_H
#define LEADPIPE_CHECK_LIST_H

#include "check/asking.h"

/* With --all: requests the first page of each list, as far as there are not many, and reports on it and the key.
 * RC_NOMEM. */
enum rc check_list(struct asking *a, struct err *e);

#endif
