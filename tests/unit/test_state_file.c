/* Which files a state may be, and that others are left as they are. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "state_world.h"

static void expect_refused(const char *path, enum rc want, const char *part)
{
    struct err e = {0};
    struct state *s = NULL;
    const struct state_cfg cfg = {.path = path};
    FAILS(state_open(&s, &cfg, &e), want, part);
    assert_null(s);
}

static void expect_refused_at_once(const char *path, const char *part)
{
    struct err e = {0};
    FAILS(state_check(path, &e), RC_USAGE, part);
    expect_refused(path, RC_USAGE, part);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void no_place_for_a_state(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0755), 0);
    assert_int_equal(mkfifo("fifo", 0644), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    expect_refused_at_once("", "empty");
    expect_refused_at_once("-", "regular file");
    expect_refused_at_once("folder", "is a directory");
    expect_refused_at_once("folder/", "is a directory");
    expect_refused_at_once("fifo", "regular file");
    expect_refused_at_once("/dev/null", "regular file");
    expect_refused_at_once("loop", "symbolic link");
    expect_refused_at_once("dangling", "leads nowhere");
    expect_refused_at_once("nothing/s", "does not exist");
    expect_refused_at_once("fifo/s", "Not a directory");
    assert_int_equal(access("nowhere", F_OK), -1);
}

static void no_permission(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* everything is permitted */
    state_close(open_ok("s"));
    assert_int_equal(chmod("s", 0400), 0);
    expect_refused_at_once("s", "Permission denied");
    assert_int_equal(chmod("s", 0600), 0);
    assert_int_equal(chmod(".", 0500), 0);
    expect_refused_at_once("s", "cannot write in the folder");
    expect_refused_at_once("new", "cannot write in the folder");
    assert_int_equal(chmod(".", 0700), 0);
}

static void other_files(void **state)
{
    (void)state;
    spit("text", "id,name\n1,2\n", 12);
    spit("short", "SQLite format 3\0..", 18);
    spit("shorter", "SQLite", 6);
    static const char zeros[4096];
    spit("zeros", zeros, 4095);
    run_sql("other", "CREATE TABLE t(x); PRAGMA user_version = 1");
    run_sql("other-wal", "PRAGMA journal_mode = WAL; CREATE TABLE t(x)");
    state_close(open_ok("later"));
    run_sql("later", "PRAGMA user_version = 2");
    static const struct {
        const char *path, *part;
    } refused[] = {
        {"text", "is not a state file of leadpipe"},
        {"short", "is damaged: it is cut short"},
        {"shorter", "is not a state file of leadpipe"},
        {"zeros", "is not a state file of leadpipe"},
        {"other", "is a database of another program"},
        {"other-wal", "is a database of another program"},
        {"later", "was written by a later version of leadpipe"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct bytes before = slurp(refused[i].path);
        expect_refused_at_once(refused[i].path, refused[i].part);
        expect_same_bytes(refused[i].path, &before, "when refused");
        free(before.ptr);
    }
}

/* A later version may still be in the -wal file only. */
static void later_version_in_the_log(void **state)
{
    (void)state;
    sqlite3 *db;
    state_close(open_ok("s"));
    assert_int_equal(sqlite3_open("s", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    crash_into("s", "copy");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct bytes before = slurp("copy-wal");
    expect_refused("copy", RC_USAGE, "was written by a later version of leadpipe");
    expect_same_bytes("copy-wal", &before, "when refused");
    free(before.ptr);
}

static void a_log_without_its_state(void **state)
{
    (void)state;
    spit("s-wal", "something", 9);
    expect_refused_at_once("s", "s-wal");
    spit("s", "", 0);
    expect_refused_at_once("s", "s-wal");
}

static void expect_becomes_a_state(const char *content, size_t n)
{
    struct err e = {0};
    spit("s", content, n);
    assert_int_equal(chmod("s", 0640), 0);
    OK(state_check("s", &e));
    struct state *s = open_ok("s");
    begin_run(s);
    state_close(s);
    s = open_ok("s");
    assert_int_equal(state_phase(s), STATE_RUNNING);
    state_close(s);
    assert_int_equal(mode_of("s"), 0640);
}

static void an_empty_file_becomes_a_state(void **state)
{
    (void)state;
    expect_becomes_a_state("", 0);
}

/* What a power cut may leave of the very first page. */
static void a_page_of_zeros_becomes_a_state(void **state)
{
    (void)state;
    static const char zeros[4096];
    expect_becomes_a_state(zeros, sizeof zeros);
}

static void checking_makes_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    OK(state_check("s", &e));
    assert_int_equal(access("s", F_OK), -1);
    state_close(open_ok("s"));
    OK(state_check("s", &e));
    assert_int_equal(access("s-wal", F_OK), -1);
}

static void links_are_followed(void **state)
{
    (void)state;
    assert_int_equal(mkdir("folder", 0755), 0);
    state_close(open_ok("folder/s"));
    assert_int_equal(symlink("folder/s", "link"), 0);
    struct state *s = open_ok("link");
    begin_run(s);
    assert_int_equal(access("folder/s-wal", F_OK), 0);
    state_close(s);
    s = open_ok("folder/s");
    assert_int_equal(state_phase(s), STATE_RUNNING);
    state_close(s);
}

/* A name that SQLite would take for something else. */
static void names_are_taken_as_they_are(void **state)
{
    (void)state;
    static const char *const names[] = {"file:x?mode=memory", ":memory:", "a b%20c", "\xff\xfe"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct state *s = open_ok(names[i]);
        begin_run(s);
        state_close(s);
        assert_int_equal(access(names[i], F_OK), 0);
        s = open_ok(names[i]);
        assert_int_equal(state_phase(s), STATE_RUNNING);
        state_close(s);
    }
}

/* What a user may have done with SQLite's own program. */
static void a_copy_in_another_mode(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    state_close(s);
    run_sql("s", "VACUUM INTO 'copy'");
    run_sql("s", "PRAGMA journal_mode = DELETE");
    static const char *const names[] = {"copy", "s"};
    for (int i = 0; i < 2; i++) {
        s = open_ok(names[i]);
        assert_int_equal(state_phase(s), STATE_RUNNING);
        state_close(s);
    }
    assert_int_equal(access("s-journal", F_OK), -1);
}

static void tables_that_are_not_ours(void **state)
{
    (void)state;
    state_close(open_ok("s"));
    run_sql("s", "ALTER TABLE marks RENAME COLUMN mark TO note");
    expect_refused("s", RC_USAGE, "is damaged");
    state_close(open_ok("t"));
    run_sql("t", "DROP TABLE accepted");
    expect_refused("t", RC_USAGE, "is damaged");
}

/* ---- several processes ---------------------------------------------------------------------- */

/* Opens it, says 'o' or 'b', and keeps it until `go` is closed. */
static void open_in_child(int say, int go)
{
    struct err e = {0};
    struct state *s = NULL;
    const struct state_cfg cfg = {.path = "s"};
    enum rc rc = state_open(&s, &cfg, &e);
    char answer = rc == RC_OK ? 'o' : rc == RC_BUSY ? 'b' : 'x';
    ssize_t n = write(say, &answer, 1);
    n += read(go, &answer, 1);
    if (rc == RC_OK)
        state_close(s);
    _exit(n == 1 ? 0 : 1);
}

struct children {
    int say[2], go[2];
    pid_t pids[8];
    int n;
};

static void start_children(struct children *c, int n)
{
    c->n = n;
    assert_int_equal(pipe(c->say), 0);
    assert_int_equal(pipe(c->go), 0);
    for (int i = 0; i < n; i++) {
        c->pids[i] = fork();
        assert_true(c->pids[i] >= 0);
        if (c->pids[i] == 0) {
            (void)close(c->go[1]);
            open_in_child(c->say[1], c->go[0]);
        }
    }
    (void)close(c->go[0]);
    (void)close(c->say[1]);
}

static char hear(struct children *c)
{
    char answer = '?';
    assert_int_equal(read(c->say[0], &answer, 1), 1);
    return answer;
}

static void end_children(struct children *c)
{
    (void)close(c->go[1]);
    for (int i = 0; i < c->n; i++) {
        int status;
        assert_int_equal(waitpid(c->pids[i], &status, 0), c->pids[i]);
    }
    (void)close(c->say[0]);
}

static void second_process_is_refused(void **state)
{
    (void)state;
    struct children c;
    struct err e = {0};
    char part[64];
    start_children(&c, 1);
    assert_int_equal(hear(&c), 'o');
    (void)snprintf(part, sizeof part, "s: in use by process %d (another run of leadpipe)",
                   (int)c.pids[0]);
    expect_refused("s", RC_BUSY, part);
    OK(state_check("s", &e));
    expect_refused("s", RC_BUSY, part); /* neither took the lock away */
    assert_int_equal(kill(c.pids[0], SIGKILL), 0);
    end_children(&c);
    state_close(open_ok("s"));
}

static void one_of_many_at_most_makes_it(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct children c;
        int opened = 0, busy = 0;
        remove_state("s");
        start_children(&c, 8);
        for (int i = 0; i < 8; i++) {
            char answer = hear(&c);
            opened += answer == 'o';
            busy += answer == 'b';
        }
        end_children(&c);
        assert_in_range(opened, 0,
                        1); /* at the very same moment they may get in each other's way */
        assert_int_equal(busy, 8 - opened);
        state_close(open_ok("s"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(no_place_for_a_state),
        IN_FOLDER(no_permission),
        IN_FOLDER(other_files),
        IN_FOLDER(later_version_in_the_log),
        IN_FOLDER(a_log_without_its_state),
        IN_FOLDER(a_page_of_zeros_becomes_a_state),
        IN_FOLDER(an_empty_file_becomes_a_state),
        IN_FOLDER(checking_makes_nothing),
        IN_FOLDER(links_are_followed),
        IN_FOLDER(names_are_taken_as_they_are),
        IN_FOLDER(a_copy_in_another_mode),
        IN_FOLDER(tables_that_are_not_ours),
        IN_FOLDER(second_process_is_refused),
        IN_FOLDER(one_of_many_at_most_makes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
