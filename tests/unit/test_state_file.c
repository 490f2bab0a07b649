/* Which files a state may be, and that others are left as they are. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "core/state/state_internal.h"
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
    expect_refused_at_once("dangling", "dangling symbolic link");
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
    expect_refused_at_once("s", "cannot write to the directory");
    expect_refused_at_once("new", "cannot write to the directory");
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
    run_sql("later", "PRAGMA user_version = 4");
    static const struct {
        const char *path, *part;
    } refused[] = {
        {"text", "is not a leadpipe state file"},
        {"short", "is damaged: it is truncated"},
        {"shorter", "is not a leadpipe state file"},
        {"zeros", "is not a leadpipe state file"},
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
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 4", NULL, NULL, NULL), SQLITE_OK);
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
    for (int round = 0; round < 40; round++) {
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

/* ---- whose it is ------------------------------------------------------------------------------ */

#define STRANGER 12345

struct planted {
    const char *file, *part; /* what is there, and what the refusal says */
    uid_t owner;
    mode_t mode;
};

/* In a folder where everybody can make files, as /tmp. */
static void files_of_others_are_refused(void **state)
{
    (void)state;
    static const struct planted rows[] = {
        {"f/s", "belongs to another user", STRANGER, 0600},
        {"f/s-wal", "belongs to another user", STRANGER, 0600},
        {"f/s-journal", "belongs to another user", STRANGER, 0600},
        {"f/s-shm", "belongs to another user", STRANGER, 0600},
        {"f/s", "other users can write to it (mode 620)", 0, 0620},
        {"f/s", "other users can write to it (mode 602)", 0, 0602},
        {"f/s-wal", "other users can write to it", 0, 0622},
        {"f/s-journal", "other users can write to it", 0, 0660},
        {"f/s-shm", "other users can write to it", 0, 0606},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        if (rows[i].owner && geteuid() != 0)
            continue; /* only root can give a file away */
        shell("rm -rf f && mkdir f && chmod 1777 f");
        state_close(open_ok("f/s"));
        int fd = open(rows[i].file, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0 && fchmod(fd, rows[i].mode) == 0);
        assert_true(rows[i].owner == 0 || fchown(fd, rows[i].owner, STRANGER) == 0);
        assert_int_equal(close(fd), 0);
        FAILS(state_check("f/s", &e), RC_USAGE, rows[i].part);
        expect_refused("f/s", RC_USAGE, rows[i].part);
        assert_int_equal(access(rows[i].file, F_OK), 0);
    }
}

static void names_of_others_are_refused(void **state)
{
    (void)state;
    static const char *const makes[] = {
        "ln f/s f/more",                       /* somebody else's file under this name, or ours */
        "mv f/s f/more && ln -s more f/s-wal", /* without a state */
        "ln -s more f/s-wal",
        "ln -s more f/s-journal",
        "mkdir f/s-shm",
        "mkfifo f/s-wal",
    };
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
        struct err e = {0};
        struct state *s = NULL;
        const struct state_cfg cfg = {.path = "f/s"};
        shell("rm -rf f && mkdir f && chmod 1777 f");
        state_close(open_ok("f/s"));
        shell(makes[i]);
        if (state_check("f/s", &e) != RC_USAGE || state_open(&s, &cfg, &e) != RC_USAGE)
            fail_msg("%s: not refused", makes[i]);
    }
}

static void folders_of_others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *make, *part; /* NULL: it is taken */
        bool by_root;
    } rows[] = {
        {"chmod 700 f", NULL, false},
        {"chmod 755 f", NULL, false},
        {"chmod 1777 f", NULL, false},
        {"chmod 777 f", "other users can rename and replace files in its directory", false},
        {"chmod 703 f", "other users can rename and replace files in its directory", false},
        {"chgrp 12345 f; chmod 770 f", "other users can rename and replace", true},
        {"chgrp 12345 f; chmod 1770 f", NULL, true},
        {"chown 12345 f; chmod 755 f", "its directory belongs to another user", true},
        {"chown 12345 f; chmod 1777 f", "its directory belongs to another user", true},
        {"ln -s f/s l; chown -h 12345 l", "is a symbolic link that belongs to another user", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        struct state *s = NULL;
        bool through_link = strstr(rows[i].make, "ln -s") != NULL;
        const struct state_cfg cfg = {.path = through_link ? "l" : "f/s"};
        if (rows[i].by_root && geteuid() != 0)
            continue;
        shell("rm -rf f l && mkdir f");
        state_close(open_ok("f/s"));
        shell(rows[i].make);
        enum rc rc = state_open(&s, &cfg, &e);
        if (rc != (rows[i].part ? RC_USAGE : RC_OK) ||
            (rows[i].part && !strstr(e.msg, rows[i].part)))
            fail_msg("%s: got %s \"%s\"", rows[i].make, rc_text(rc), e.msg);
        if (rc == RC_OK)
            state_close(s);
    }
}

/* Somebody who is quick, between our look at the names and SQLite's opening. */
static void sqlite_opens_no_file_of_others(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    struct err e;
    state_close(open_ok("s"));
    state_close(open_ok("t"));
    if (geteuid() == 0)
        assert_int_equal(chown("s", STRANGER, STRANGER), 0);
    else
        assert_int_equal(chmod("s", 0606), 0);
    assert_int_equal(link("t", "u"), 0);
    static const char *const files[] = {"s", "t"};
    for (int i = 0; i < 2; i++) {
        char *real = realpath(files[i], NULL);
        assert_non_null(real);
        assert_int_equal(state_owner_guard(real, &e), RC_OK);
        assert_int_equal(sqlite3_open_v2(files[i], &db, SQLITE_OPEN_READWRITE, NULL),
                         SQLITE_CANTOPEN);
        (void)sqlite3_close(db);
        state_owner_release(real); /* what is no state is none of our business */
        assert_int_equal(sqlite3_open_v2(files[i], &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        (void)sqlite3_close(db);
        free(real);
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
        IN_FOLDER(files_of_others_are_refused),
        IN_FOLDER(names_of_others_are_refused),
        IN_FOLDER(folders_of_others_are_refused),
        IN_FOLDER(sqlite_opens_no_file_of_others),
        IN_FOLDER(names_are_taken_as_they_are),
        IN_FOLDER(a_copy_in_another_mode),
        IN_FOLDER(tables_that_are_not_ours),
        IN_FOLDER(second_process_is_refused),
        IN_FOLDER(one_of_many_at_most_makes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
