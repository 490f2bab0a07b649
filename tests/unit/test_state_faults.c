/* A state is killed, loses its power or its disk at every single change of its files, or runs out of
 * memory. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "faulty_vfs.h"
#include "state_answers.h"
#include "state_world.h"

/* Sanitizers make processes slow to start: then not at every change. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 11
#else
#define STRIDE 1
#endif

#define ROUNDS 3
#define BODY_BYTES 3000

/* How far the child had come for certain; shared with it. */
struct progress {
    int phase; /* of enum state_phase */
    int said;  /* by the state itself at the end, which is not always reached */
    int checkpoints, deliveries;
    bool failure_reported;
    struct err error;
};

static struct progress *share(void)
{
    struct progress *p =
        mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static struct state_content content_of(int i)
{
    struct state_content c = {.acceptance = STATE_ACCEPTED};
    memset(c.key, i + 1, sizeof c.key);
    memset(c.fingerprint, i + 1, sizeof c.fingerprint);
    return c;
}

static enum rc one_round(struct state *s, int i, struct progress *p, struct err *e)
{
    static char body[BODY_BYTES];
    memset(body, 'x', sizeof body);
    const struct state_delivery d = {
        .id = STR("id"), .leads = STR("leads"), .body = {body, sizeof body}};
    const struct state_content content = content_of(i);
    const struct str mark = STR("mark");
    const struct state_checkpoint c = {
        .progress.high = (uint64_t)i + 1, .marks = &mark, .n_marks = 1, .totals = STR("totals")};
    int64_t row;
    enum rc rc = state_fail(s, (uint64_t)i, true, STR("line\n"), STR("summary"), e);
    if (rc == RC_OK)
        rc = state_add_delivery(s, 0, &d, 1000, &row, e);
    if (rc == RC_OK && (rc = wait_durable(s)) == RC_OK)
        p->deliveries = i + 1;
    if (rc == RC_OK)
        rc = state_note_accepted(s, &content, 1, e);
    if (rc == RC_OK)
        rc = state_checkpoint(s, &c, e);
    if (rc == RC_OK)
        p->checkpoints = i + 1;
    return rc;
}

static enum rc whole_run(struct state *s, struct progress *p, struct err *e)
{
    const struct state_setting settings[] = {{STR("name"), STR("value")}};
    const struct str text = STR("text");
    const struct str sink = STR("sink");
    enum rc rc = state_begin(s, "0123456789abcdef0123456789abcdef", 1, settings, 1, e);
    if (rc == RC_OK)
        p->phase = STATE_RUNNING;
    if (rc == RC_OK)
        rc = state_accept_by(s, &sink, 1, &(enum state_hash){STATE_HASH_SHA256}, e);
    for (int i = 0; rc == RC_OK && i < ROUNDS; i++)
        rc = one_round(s, i, p, e);
    if (rc == RC_OK)
        rc = state_publish(s, &text, 1, STR("record"), e);
    if (rc == RC_OK)
        p->phase = STATE_PUBLISHING;
    if (rc == RC_OK)
        rc = state_finish(s, true, e);
    if (rc == RC_OK)
        p->phase = STATE_FINISHED;
    return rc;
}

static void on_failed(void *ctx, const struct err *e)
{
    struct progress *p = ctx;
    assert_false(p->failure_reported); /* once */
    p->failure_reported = true;
    p->error = *e;
}

static int run_child(enum fault fault, long after, struct progress *p)
{
    struct err e = {0};
    struct state *s = NULL;
    const struct state_cfg cfg = {.path = "s", .failed = on_failed, .ctx = p};
    faulty_begin(fault, after);
    enum rc rc = state_open(&s, &cfg, &e);
    if (rc == RC_OK) {
        rc = whole_run(s, p, &e);
        p->said = (int)state_phase(s);
        state_close(s);
    } else {
        p->error = e;
    }
    return faulty.happened ? FAULTY_EXIT : rc == RC_OK ? 0 : 1;
}

/* False: the fault is beyond the end of the run. */
static bool run_until(int (*child)(enum fault fault, long after, struct progress *p),
                      enum fault fault, long after, struct progress *p)
{
    remove_state("s");
    *p = (struct progress){0};
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(child(fault, after, p));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FAULTY_EXIT);
    return WEXITSTATUS(status) == FAULTY_EXIT;
}

static enum rc count_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)e;
    assert_int_equal(d->body.len, BODY_BYTES);
    ++*(int *)ctx;
    return RC_OK;
}

/* What was reported as durable is there, and at most what came next. */
static void expect_running(struct state *s, const struct progress *p)
{
    struct err e = {0};
    struct state_run run;
    struct state_failures failures;
    int deliveries = 0;
    OK(state_load(s, &run, &e));
    OK(state_each_delivery(s, 0, count_delivery, &deliveries, &e));
    OK(state_count_failures(s, &failures, &e));
    int high = (int)run.checkpoint.progress.high;
    assert_int_equal(run.n_settings, 1);
    assert_int_equal(run.checkpoint.n_marks, high > 0);
    assert_in_range(high, p->checkpoints, p->checkpoints + 1);
    assert_in_range(deliveries, p->deliveries, p->deliveries + 1);
    assert_in_range(deliveries, high, high + 1);
    assert_in_range(failures.n, deliveries, deliveries); /* they are put together */
}

static void expect_accepted(struct state *s, bool want)
{
    struct err e = {0};
    for (int i = 0; i < ROUNDS; i++) {
        const struct state_content c = content_of(i);
        bool accepted;
        OK(state_is_accepted(s, &c, 1, &accepted, &e));
        assert_true(accepted == want);
    }
}

/* Returns the phase that the file is in. */
static int expect_what_was_durable(const struct progress *p)
{
    struct err e = {0};
    faulty_begin(FAULT_NONE, 0); /* does not really sync either */
    struct state *s = open_ok("s");
    int phase = (int)state_phase(s);
    assert_in_range(phase, p->phase, p->phase + 1);
    if (phase == STATE_RUNNING)
        expect_running(s, p);
    if (phase == STATE_PUBLISHING)
        OK(state_finish(s, true, &e));
    expect_accepted(s, phase >= STATE_PUBLISHING);
    state_close(s);
    assert_int_equal(access("s-wal", F_OK), -1);
    return phase;
}

static void at_every_change(enum fault fault)
{
    struct progress *p = share();
    long n = 0;
    while (run_until(run_child, fault, n, p)) {
        (void)expect_what_was_durable(p);
        n += STRIDE;
    }
    assert_int_equal(p->phase, STATE_FINISHED);
    assert_in_range(n, 50, 5000); /* there were changes to stop at */
    (void)munmap(p, sizeof *p);
}

static void killed(void **state)
{
    (void)state;
    at_every_change(FAULT_KILL);
}

static void power_cut(void **state)
{
    (void)state;
    at_every_change(FAULT_POWER_CUT);
}

static void power_cut_in_parts(void **state)
{
    (void)state;
    at_every_change(FAULT_PARTS_CUT);
}

/* Errors are reported by whoever met them, once, and nothing is lost that was durable. */
static void failing_disk(enum fault fault, const char *text)
{
    struct progress *p = share();
    for (long n = 0; run_until(run_child, fault, n, p); n += STRIDE) {
        if (p->phase < STATE_FINISHED || p->error.rc != RC_OK) {
            assert_int_equal(p->error.rc, RC_IO);
            if (!strstr(p->error.msg, text))
                fail_msg("%s", p->error.msg);
            assert_memory_equal(p->error.msg, "s: ", 3);
        }
        /* a commit whose sync fails may hold all the same: what its texts name must not be taken back */
        if (expect_what_was_durable(p) >= STATE_PUBLISHING)
            assert_in_range(p->said, STATE_PUBLISHING, STATE_FINISHED);
    }
    (void)munmap(p, sizeof *p);
}

static void disk_fails(void **state)
{
    (void)state;
    failing_disk(FAULT_IO, "Input/output error");
}

static void disk_is_full(void **state)
{
    (void)state;
    failing_disk(FAULT_FULL, "No space left on device");
}

/* A run that is stopped: what was put since the last checkpoint is durable, or it is reported. */
static void settles_or_reports(void **state)
{
    (void)state;
    struct err e = {0};
    const struct {
        enum fault fault;
        enum rc want;
        uint64_t failures;
    } rows[] = {{FAULT_NONE, RC_OK, 1}, {FAULT_FULL, RC_IO, 0}, {FAULT_IO, RC_IO, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct state_failures found;
        remove_state("s");
        faulty_begin(FAULT_NONE, 0);
        struct state *s = open_ok("s");
        OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1, NULL, 0, &e));
        OK(state_fail(s, 7, false, STR("row\n"), STR("why"), &e));
        faulty_begin(rows[i].fault, 0);
        assert_int_equal(state_settle(s, &e), rows[i].want);
        assert_int_equal(state_settle(s, &e), rows[i].want); /* an error sticks */
        faulty_begin(FAULT_NONE, 0);
        state_close(s);
        s = open_ok("s");
        OK(state_count_failures(s, &found, &e));
        assert_int_equal(found.n, rows[i].failures);
        state_close(s);
    }
}

/* ---- SQLite's memory ------------------------------------------------------------------------ */

static struct {
    sqlite3_mem_methods real;
    long left; /* allocations before all fail */
    bool failed;
} short_memory;

static void *short_malloc(int n)
{
    if (short_memory.left-- > 0)
        return short_memory.real.xMalloc(n);
    short_memory.failed = true;
    return NULL;
}

static void *short_realloc(void *p, int n)
{
    if (short_memory.left-- > 0)
        return short_memory.real.xRealloc(p, n);
    short_memory.failed = true;
    return NULL;
}

static int run_short_of_memory(enum fault fault, long after, struct progress *p)
{
    (void)fault;
    struct err e = {0};
    struct state *s = NULL;
    const struct state_cfg cfg = {.path = "s", .failed = on_failed, .ctx = p};
    sqlite3_mem_methods methods;
    (void)sqlite3_shutdown();
    (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &short_memory.real);
    methods = short_memory.real;
    methods.xMalloc = short_malloc;
    methods.xRealloc = short_realloc;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    short_memory.left = 1000; /* SQLite sets itself up */
    (void)sqlite3_initialize();
    short_memory.left = after;
    enum rc rc = state_open(&s, &cfg, &e);
    if (rc == RC_OK) {
        rc = whole_run(s, p, &e);
        state_close(s);
    }
    p->error = e;
    return short_memory.failed ? FAULTY_EXIT : 0;
}

static void no_memory(void **state)
{
    (void)state;
    struct progress *p = share();
    long n = 0;
    while (run_until(run_short_of_memory, FAULT_NONE, n, p)) {
        assert_int_equal(p->error.rc, p->phase < STATE_FINISHED ? RC_NOMEM : RC_OK);
        (void)expect_what_was_durable(p);
        n += 13 * STRIDE;
    }
    assert_int_equal(p->phase, STATE_FINISHED);
    assert_in_range(n, 500, 100000);
    (void)munmap(p, sizeof *p);
}

/* ---- what fails, stays failed --------------------------------------------------------------- */

struct heard {
    int times;
    struct err error;
};

static void hear(void *ctx, const struct err *e)
{
    struct heard *heard = ctx;
    heard->times++;
    heard->error = *e;
}

static enum rc take_nothing(void *ctx, struct str row, struct err *e)
{
    (void)ctx;
    (void)row;
    (void)e;
    return RC_OK;
}

static void expect_all_fail(struct state *s)
{
    struct err e = {0};
    struct state_run run;
    bool flag;
    uint64_t n, m;
    int64_t row = 0;
    char text[8];
    struct state_failures failures;
    const struct state_checkpoint c = {0};
    const struct state_delivery d = {.id = STR("id"), .leads = STR(""), .body = STR("body")};
    FAILS(state_fail(s, 1, false, STR(""), STR(""), &e), RC_IO, "File too large");
    FAILS(state_load(s, &run, &e), RC_IO, "File too large");
    FAILS(state_rewind(s, &e), RC_IO, "File too large");
    FAILS(state_checkpoint(s, &c, &e), RC_IO, "File too large");
    FAILS(state_count_failures(s, &failures, &e), RC_IO, "File too large");
    FAILS(state_has_failed(s, 1, &flag, &e), RC_IO, "File too large");
    FAILS(state_first_failure(s, text, sizeof text, &e), RC_IO, "File too large");
    FAILS(state_each_failure(s, take_nothing, NULL, &e), RC_IO, "File too large");
    FAILS(state_add_delivery(s, 0, &d, 0, &row, &e), RC_IO, "File too large");
    FAILS(state_answer(s, 1, NONE_SENT, STR(""), &e), RC_IO, "File too large");
    FAILS(state_delivery_counts(s, 0, &n, &m, &e), RC_IO, "File too large");
    FAILS(state_accept_by(s, NULL, 0, &(enum state_hash){STATE_HASH_SHA256}, &e), RC_IO,
          "File too large");
    FAILS(state_has_accepted(s, &flag, &e), RC_IO, "File too large");
    FAILS(state_note_accepted(s, NULL, 0, &e), RC_IO, "File too large");
    FAILS(state_publish(s, NULL, 0, STR("record"), &e), RC_IO, "File too large");
    FAILS(state_finish(s, true, &e), RC_IO, "File too large");
    FAILS(state_forget(s, &e), RC_IO, "File too large");
    assert_int_equal(wait_durable(s), RC_IO); /* at once, on this thread */
}

/* The thread that commits meets the error: the waiter hears of it, and `failed`, and everybody. */
static void first_error_sticks(void **state)
{
    (void)state;
    struct err e = {0};
    struct heard heard = {0};
    struct state *s = NULL;
    const struct state_cfg cfg = {.path = "s", .failed = hear, .ctx = &heard};
    const struct state_checkpoint c = {.progress.high = 1};
    static char body[3 << 20];
    memset(body, 'x', sizeof body);
    const struct state_delivery d = {
        .id = STR("id"), .leads = STR(""), .body = {body, sizeof body}};
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1 << 20;
    (void)signal(SIGXFSZ, SIG_IGN);
    OK(state_open(&s, &cfg, &e));
    begin_run(s);
    OK(state_fail(s, 0, false, STR("line\n"), STR(""), &e));
    OK(state_checkpoint(s, &c, &e));
    OK(state_fail(s, 1, false, STR("line\n"), STR(""), &e));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int64_t row;
    OK(state_add_delivery(s, 0, &d, 0, &row, &e));
    assert_int_equal(wait_durable(s), RC_IO);
    expect_all_fail(s);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_all_fail(s); /* though there would be room again */
    state_close(s);
    assert_int_equal(heard.times, 1);
    assert_int_equal(heard.error.rc, RC_IO);
    assert_string_equal(heard.error.msg, "s: File too large");

    struct state_failures failures;
    struct state_run run;
    s = open_ok("s");
    OK(state_load(s, &run, &e));
    assert_int_equal(run.checkpoint.progress.high, 1);
    OK(state_count_failures(s, &failures, &e));
    assert_int_equal(failures.n, 1);
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(killed),     IN_FOLDER(power_cut),          IN_FOLDER(power_cut_in_parts),
        IN_FOLDER(disk_fails), IN_FOLDER(disk_is_full),       IN_FOLDER(settles_or_reports),
        IN_FOLDER(no_memory),  IN_FOLDER(first_error_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
