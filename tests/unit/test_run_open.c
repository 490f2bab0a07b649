/* Making a run, and freeing one that was made in part. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/random.h>

#include "core/run/run_internal.h"
#include "fake_sink.h"

/* ---- libuv, a function of which fails ------------------------------------------------------- */

static unsigned calls, failing; /* of these functions; the one that fails, from 1; 0: none */

static bool must_fail(void)
{
    return ++calls == failing;
}

#define REAL(name, ...) ((int (*)(__VA_ARGS__))(uintptr_t)dlsym(RTLD_NEXT, name))

/* libuv's own, which these take the place of in this program. */
int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    return must_fail() ? UV_ENOMEM : REAL("uv_timer_init", uv_loop_t *, uv_timer_t *)(loop, timer);
}

int uv_prepare_init(uv_loop_t *loop, uv_prepare_t *prepare)
{
    return must_fail() ? UV_ENOMEM
                       : REAL("uv_prepare_init", uv_loop_t *, uv_prepare_t *)(loop, prepare);
}

int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb cb)
{
    return must_fail() ? UV_EINVAL
                       : REAL("uv_prepare_start", uv_prepare_t *, uv_prepare_cb)(prepare, cb);
}

/* Not the loop's own, whose failure is libuv's to clean up after. */
int uv_async_init(uv_loop_t *loop, uv_async_t *async, uv_async_cb cb)
{
    return cb == run_on_wake && must_fail()
               ? UV_EMFILE
               : REAL("uv_async_init", uv_loop_t *, uv_async_t *, uv_async_cb)(loop, async, cb);
}

/* ---- random numbers, of which there may be none --------------------------------------------- */

static bool is_random; /* false: there are none */

ssize_t getrandom(void *out, size_t size, unsigned flags)
{
    if (is_random)
        return ((ssize_t(*)(void *, size_t, unsigned))(uintptr_t)dlsym(RTLD_NEXT, "getrandom"))(
            out, size, flags);
    errno = ENOSYS;
    return -1;
}

/* ---- the run -------------------------------------------------------------------------------- */

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    assert_int_equal(closedir(dir), 0);
    return n;
}

static enum rc check_nothing(const struct sink_cfg *cfg, struct err *e)
{
    (void)cfg, (void)e;
    return RC_OK;
}

static unsigned need_nothing(const struct sink_cfg *cfg)
{
    (void)cfg;
    return 0;
}

static enum rc has_no_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    (void)cfg, (void)out, (void)e;
    return RC_OK;
}

static enum rc open_run(struct run **out, struct err *e)
{
    static struct run_world w;
    static const char *const ids[] = {"a", "b"};
    static struct run_sink_cfg sink;
    static struct run_cfg cfg;
    if (!w.profile)
        run_world_init(&w, NULL);
    struct fake_sink *s = fake_init(0);
    s->ops.check = check_nothing;
    s->ops.needs = need_nothing;
    s->ops.paths = has_no_paths;
    sink = (struct run_sink_cfg){.ops = &s->ops, .cfg = {.spec = "fake:x", .target = "x"}};
    cfg = (struct run_cfg){
        .profile = w.profile,
        .base_url = "http://127.0.0.1:1",
        .credential = "key",
        .ids = {.ids = ids, .n_ids = 2, .profile = w.profile},
        .concurrency_max = 4,
        .retry = {.attempts = 1, .timeout_ms = 1, .connect_timeout_ms = 1},
        .max_body = 1000,
        .max_memory = RUN_MEMORY_MIN,
        .max_columns = 100,
        .sinks = &sink,
        .n_sinks = 1,
        .clock = &w.clock,
        .log = &w.log,
        .secrets = w.secrets,
    };
    return run_new(out, &cfg, e);
}

/* Its id is in file names, rows and a database: one that is not random may be another run's. */
static void a_run_needs_random_numbers(void **state)
{
    (void)state;
    struct err e = {0};
    struct run *r = NULL;
    is_random = false;
    assert_int_equal(open_run(&r, &e), RC_IO);
    assert_null(r);
    assert_string_equal(e.msg, "the system returns no random numbers: Function not implemented");
    assert_string_equal(buf_cstr(&fake_sinks[0].calls), "");
    fake_free(&fake_sinks[0]);
    is_random = true;
}

/* Whatever part of it is there already is closed. */
static void each_step_of_opening_may_fail(void **state)
{
    (void)state;
    struct err e = {0};
    struct run *r = NULL;
    assert_int_equal(open_run(&r, &e), RC_OK);
    run_free(r); /* what libraries keep for themselves is there from now on */
    fake_free(&fake_sinks[0]);
    enum rc rc = RC_INTERNAL;
    for (failing = 1; rc != RC_OK; failing++) {
        unsigned before = open_descriptors();
        assert_in_range(failing, 1, 20);
        calls = 0;
        rc = open_run(&r, &e);
        if (rc != RC_OK && open_descriptors() != before)
            fail_msg("step %u, \"%s\": %u descriptors, %u before", failing, e.msg,
                     open_descriptors(), before);
        fake_free(&fake_sinks[0]);
        if (rc == RC_OK) { /* never executed */
            run_free(r);
            assert_int_equal(open_descriptors(), before);
        }
    }
    assert_true(calls >= 6); /* the loop's and the engine's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_needs_random_numbers),
        cmocka_unit_test(each_step_of_opening_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
