/* Work in a child process in which no thread can be started. */
#ifndef LEADPIPE_TESTS_NO_THREADS_H
#define LEADPIPE_TESTS_NO_THREADS_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/thread.h"
#include "tests/unit/cmocka_all.h"

#define NO_THREADS_USER 65534 /* for root there is no limit */
#define NO_THREADS_NO_LIMIT 77

/* Fails unless work() returns 0; skipped where there is no such limit for this user. */
static inline void without_threads(int (*work)(void))
{
    const struct rlimit none = {1, 1};
    int status = 0;
#ifdef __SANITIZE_THREAD__
    skip(); /* ThreadSanitizer ends a child that starts a thread */
#endif
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_root = geteuid() == 0;
        if (is_root && (setgid(NO_THREADS_USER) != 0 || setuid(NO_THREADS_USER) != 0))
            _exit(NO_THREADS_NO_LIMIT);
        if (setrlimit(RLIMIT_NPROC, &none) != 0 || thread_try(1) == 0)
            _exit(NO_THREADS_NO_LIMIT);
        _exit(work());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_THREADS_NO_LIMIT)
        skip();
    if (status)
        fail_msg("the child ended with the status %#x", (unsigned)status);
}

#endif
