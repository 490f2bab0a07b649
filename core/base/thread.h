/* Threads that no signal reaches: those are for the thread that waits for them. */
#ifndef LEADPIPE_THREAD_H
#define LEADPIPE_THREAD_H

#include <pthread.h>

/* As pthread_create(), with all signals blocked in the new thread. Returns an errno, 0 when it
 * runs. */
int thread_start(pthread_t *out, void *(*main)(void *), void *arg);

/* Could so many be started now, at most THREADS_TRIED_MAX? 0, or an errno. They have ended. For libraries that abort()
 * or wait for ever where one of theirs cannot be started. */
#define THREADS_TRIED_MAX 16
int thread_try(unsigned n);

#endif
