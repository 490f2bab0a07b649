/* What becomes of a delivery of one. */
#ifndef LEADPIPE_TESTS_STATE_ANSWERS_H
#define LEADPIPE_TESTS_STATE_ANSWERS_H

#include "core/state/state.h"

#define ONE_DELIVERED (&(const struct state_answered){.delivered = 1})
#define ONE_FAILED (&(const struct state_answered){.failed = 1})
#define NONE_SENT (&(const struct state_answered){0})

#endif
