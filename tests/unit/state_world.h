/* What the tests of the state share, each in a folder of its own. Include once in a test program. */
#ifndef LEADPIPE_TESTS_STATE_WORLD_H
#define LEADPIPE_TESTS_STATE_WORLD_H

#include "cmocka_all.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/state/state.h"
#include "folder.h"

#define OK(call) expect_ok((call), &e, __FILE__, __LINE__)
#define FAILS(call, want, part) expect_err((call), &e, (want), (part), __FILE__, __LINE__)

static inline void expect_ok(enum rc rc, const struct err *e, const char *file, int line)
{
    if (rc != RC_OK) {
        print_error("%s: %s\n", rc_text(rc), e->msg);
        _fail(file, line);
    }
}

/* The text names it, and holds `part`. */
static inline void expect_err(enum rc rc, const struct err *e, enum rc want, const char *part,
                              const char *file, int line)
{
    if (rc != want || e->rc != want || !strstr(e->msg, part)) {
        print_error("got %s \"%s\", want %s with \"%s\"\n", rc_text(rc), e->msg, rc_text(want),
                    part);
        _fail(file, line);
    }
}

#define assert_str(s, want) expect_str((s), (want), __FILE__, __LINE__)

static inline void expect_str(struct str s, const char *want, const char *file, int line)
{
    if (!str_eq_c(s, want)) {
        print_error("got \"" STR_FMT "\", want \"%s\"\n", STR_ARG(s), want);
        _fail(file, line);
    }
}

static inline void shell(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s: failed", command);
}

static inline mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

struct bytes {
    char *ptr; /* malloc'd */
    size_t n;
};

static inline struct bytes slurp(const char *path)
{
    struct bytes b = {malloc(1 << 20), 0};
    FILE *f = fopen(path, "r");
    assert_non_null(b.ptr);
    assert_non_null(f);
    b.n = fread(b.ptr, 1, 1 << 20, f);
    assert_true(b.n < 1 << 20);
    assert_int_equal(fclose(f), 0);
    return b;
}

static inline void spit(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void expect_same_bytes(const char *path, const struct bytes *want, const char *where)
{
    struct bytes b = slurp(path);
    if (b.n != want->n || memcmp(b.ptr, want->ptr, b.n) != 0)
        fail_msg("%s: %s has changed", where, path);
    free(b.ptr);
}

static inline struct state *open_ok(const char *path)
{
    struct err e = {0};
    struct state *s = NULL;
    const struct state_cfg cfg = {.path = path};
    OK(state_open(&s, &cfg, &e));
    return s;
}

static inline void begin_run(struct state *s)
{
    struct err e = {0};
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1, NULL, 0, &e));
}

static inline void remove_state(const char *path)
{
    char log[256];
    (void)snprintf(log, sizeof log, "%s-wal", path);
    (void)unlink(path);
    (void)unlink(log);
}

/* What a crash would leave now: the file and its -wal file, under another name. Ends this process's
 * locks on it. */
static inline void crash_into(const char *path, const char *copy)
{
    char command[256];
    (void)snprintf(command, sizeof command,
                   "rm -f %s %s-wal && cp %s %s && if [ -e %s-wal ]; then cp %s-wal %s-wal; fi",
                   copy, copy, path, copy, path, path, copy);
    assert_int_equal(system(command), 0);
}

/* The state as it is when its process is killed now, opened once more. */
static inline struct state *crash(struct state *s, const char *path)
{
    crash_into(path, "crashed");
    state_close(s);
    crash_into("crashed", path);
    return open_ok(path);
}

/* Waits until everything that was put is durable. */
struct wait {
    struct state_waiter waiter;
    pthread_mutex_t lock;
    pthread_cond_t called;
    bool done;
    enum rc rc;
    int order;
};

#define WAIT_INIT(on_call)                                                                         \
    {                                                                                              \
        .waiter.fn = (on_call), .lock = PTHREAD_MUTEX_INITIALIZER,                                 \
        .called = PTHREAD_COND_INITIALIZER                                                         \
    }

static inline void on_durable(struct state_waiter *w, enum rc rc)
{
    struct wait *wait = (struct wait *)w; /* its first member */
    pthread_mutex_lock(&wait->lock);
    wait->done = true;
    wait->rc = rc;
    pthread_cond_signal(&wait->called);
    pthread_mutex_unlock(&wait->lock);
}

static inline enum rc wait_for(struct wait *wait)
{
    pthread_mutex_lock(&wait->lock);
    while (!wait->done)
        pthread_cond_wait(&wait->called, &wait->lock);
    enum rc rc = wait->rc;
    pthread_mutex_unlock(&wait->lock);
    return rc;
}

static inline enum rc wait_durable(struct state *s)
{
    struct wait wait = WAIT_INIT(on_durable);
    state_when_durable(s, &wait.waiter);
    return wait_for(&wait);
}

#endif
