#include "core/base/thread.h"

#include <signal.h>

int thread_start(pthread_t *out, void *(*main)(void *), void *arg)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    int failed = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (failed)
        return failed;
    failed = pthread_create(out, NULL, main, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void *end_with_mutex(void *mutex)
{
    (void)pthread_mutex_lock(mutex);
    (void)pthread_mutex_unlock(mutex);
    return NULL;
}

int thread_try(unsigned n)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS_TRIED_MAX];
    unsigned started = 0;
    int failed = 0;
    (void)pthread_mutex_lock(&mutex); /* so that none ends before the last has begun */
    while (!failed && started < n && started < THREADS_TRIED_MAX) {
        failed = thread_start(&threads[started], end_with_mutex, &mutex);
        started += !failed;
    }
    (void)pthread_mutex_unlock(&mutex);
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    return failed;
}
