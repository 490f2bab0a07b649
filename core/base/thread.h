/* Threads that no signal reaches: those are for the thread that waits for them. */
#ifndef LEADPIPE_THREAD_H
#define LEADPIPE_THREAD_H

#include <pthread.h>

/* As pthread_create(), with all signals blocked in the new thread. Returns an errno, 0 when it
 * runs. */
int thread_start(pthread_t *out, void *(*main)(void *), void *arg);

#endif
