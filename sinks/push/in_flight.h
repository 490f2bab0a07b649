/* What is on its way, by the values at `unique_by`. Of two items that are alike there the later one is sent once
 * the earlier one has its answer, so it does not depend on the network which of them is last. */
#ifndef LEADPIPE_PUSH_IN_FLIGHT_H
#define LEADPIPE_PUSH_IN_FLIGHT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct in_flight_request;

struct in_flight {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct in_flight_request *first; /* under the lock */
    bool is_open;
};

enum rc in_flight_open(struct in_flight *f); /* RC_NOMEM: it is closed */
void in_flight_close(struct in_flight *f);   /* a zeroed one, too; nobody may be waiting */

/* Waits until nothing that is on its way has one of these hashes, and adds them, as those of `request`: any
 * pointer that is its own. Two values with the same hash only wait for each other without need. `hashes` is
 * sorted here. RC_NOMEM. */
enum rc in_flight_add(struct in_flight *f, const void *request, uint64_t *hashes, size_t n);

/* It has ended; nothing happens where it was not added. Any thread. */
void in_flight_remove(struct in_flight *f, const void *request);

#endif
