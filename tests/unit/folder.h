/* Every test has a folder of its own, and stands in it. Include once in a test program, after cmocka.
 *
 * It is in memory where that is possible: what these tests write is synced very often, and the disk is not what
 * they are about. */
#ifndef LEADPIPE_TESTS_FOLDER_H
#define LEADPIPE_TESTS_FOLDER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

static char folder[64];
static char folder_before[4096]; /* where the program stood */

/* Makes it, and does not enter it. */
static inline bool folder_make(void)
{
    const char *above = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder, sizeof folder, "%s/leadpipe-test-XXXXXX", above);
    (void)umask(022);
    return mkdtemp(folder) != NULL;
}

static inline bool folder_remove(void)
{
    char command[160];
    (void)snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    return system(command) == 0;
}

static inline int folder_enter(void **state)
{
    (void)state;
    return getcwd(folder_before, sizeof folder_before) && folder_make() && chdir(folder) == 0 ? 0
                                                                                              : -1;
}

static inline int folder_leave(void **state)
{
    (void)state;
    return chdir(folder_before) == 0 && folder_remove() ? 0 : -1;
}

#endif
