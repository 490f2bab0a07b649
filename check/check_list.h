/* Checks whether the provider lists leads. Private to check. */
#ifndef LEADPIPE_CHECK_LIST_H
#define LEADPIPE_CHECK_LIST_H

#include "check/asking.h"

/* With --all: requests the first page of each list (of the first few, if there are many) and a lead that is listed, and
 * reports on the pages, the lead and the key. RC_NOMEM. */
enum rc check_list(struct asking *a, struct err *e);

#endif
