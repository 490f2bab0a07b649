/* Stands in for pthread_create() in unit tests that are not known to start threads: such a test would go without
 * ThreadSanitizer. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*main)(void *),
                          void *arg);

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*main)(void *),
                          void *arg)
{
    (void)out, (void)attr, (void)main, (void)arg;
    (void)fputs(
        "this test starts a thread: add its name to `threaded` in tests/unit/CMakeLists.txt\n",
        stderr);
    abort();
}
