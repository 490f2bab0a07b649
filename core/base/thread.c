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
