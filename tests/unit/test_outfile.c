#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "core/file/outfile.h"
#include "core/base/stop_timer.h"
#include "core/base/str.h"

static void spit(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Static memory, for comparing at once. */
static const char *slurp(const char *path)
{
    static char text[8192];
    FILE *f = fopen(path, "r");
    if (!f)
        return "(no file)";
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void expect_ok(enum rc rc, const struct err *e)
{
    if (rc != RC_OK)
        fail_msg("%s: %s", rc_text(rc), e->msg);
}

static void expect_err(enum rc rc, const struct err *e, enum rc want, const char *part)
{
    if (rc != want || e->rc != want || !strstr(e->msg, part))
        fail_msg("got %s \"%s\", want %s with \"%s\"", rc_text(rc), e->msg, rc_text(want), part);
}

static struct outfile *open_ok(const char *path, uint64_t keep_bytes)
{
    struct err e = {0};
    struct outfile *f = NULL;
    expect_ok(outfile_open(&f, path, keep_bytes, true, &e), &e);
    return f;
}

static void put(struct outfile *f, const char *text)
{
    outfile_write(f, text, strlen(text));
}

static void publish_ok(struct outfile *f)
{
    struct err e = {0};
    expect_ok(outfile_complete(f, &e), &e);
    expect_ok(outfile_publish(f, &e), &e);
    outfile_close(f, false);
}

static void appears_when_complete(void **state)
{
    (void)state;
    struct err e = {0};
    spit("a.csv", "before");
    struct outfile *f = open_ok("a.csv", 0);
    put(f, "one\n");
    put(f, "two\n");
    assert_int_equal(outfile_bytes(f), 8);
    assert_string_equal(slurp("a.csv"), "before");
    expect_ok(outfile_complete(f, &e), &e);
    assert_string_equal(slurp("a.csv"), "before");
    assert_string_equal(slurp(".a.csv.leadpipe-part"), "one\ntwo\n");
    assert_string_equal(outfile_sha256(f),
                        "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8");
    expect_ok(outfile_publish(f, &e), &e);
    assert_string_equal(slurp("a.csv"), "one\ntwo\n");
    assert_int_not_equal(access(".a.csv.leadpipe-part", F_OK), 0);
    outfile_close(f, false);
    assert_string_equal(slurp("a.csv"), "one\ntwo\n");
}

static void closed_unpublished(void **state)
{
    (void)state;
    spit("a", "before");
    struct outfile *f = open_ok("a", 0);
    put(f, "x");
    outfile_close(f, false);
    assert_string_equal(slurp("a"), "before");
    assert_int_not_equal(access(".a.leadpipe-part", F_OK), 0);
    struct err e = {0};
    f = open_ok("a", 0);
    put(f, "kept");
    expect_ok(outfile_flush(f, &e), &e);
    expect_ok(outfile_sync(f, &e), &e);
    outfile_close(f, true);
    assert_string_equal(slurp(".a.leadpipe-part"), "kept");
    outfile_close(NULL, false);
}

static void publish_needs_complete(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = open_ok("a", 0);
    expect_err(outfile_publish(f, &e), &e, RC_INTERNAL, "a: ");
    outfile_close(f, false);
}

static void removed_while_written(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = open_ok("a", 0);
    put(f, "one\n");
    assert_int_equal(unlink(".a.leadpipe-part"), 0);
    expect_err(outfile_complete(f, &e), &e, RC_IO,
               "a: its unfinished file .a.leadpipe-part was removed, renamed or replaced");
    expect_err(outfile_publish(f, &e), &e, RC_INTERNAL, "a: ");
    outfile_close(f, false);
}

static void continues(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = open_ok("a", 0);
    put(f, "one\ntwo\nhalf");
    expect_ok(outfile_flush(f, &e), &e);
    expect_ok(outfile_sync(f, &e), &e);
    outfile_close(f, true);
    f = open_ok("a", 8);
    assert_int_equal(outfile_bytes(f), 8);
    put(f, "three\n");
    expect_ok(outfile_complete(f, &e), &e);
    /* of the whole file: printf 'one\ntwo\nthree\n' | sha256sum */
    assert_string_equal(outfile_sha256(f),
                        "b6285c57e8797db5d4c51c80d6f11938afda9b11c6a003549709189e9b4b92a2");
    expect_ok(outfile_publish(f, &e), &e);
    outfile_close(f, false);
    assert_string_equal(slurp("a"), "one\ntwo\nthree\n");
    expect_err(outfile_open(&f, "a", 100, false, &e), &e, RC_USAGE, ".a.leadpipe-part");
}

/* A directory has taken the name meanwhile: the earlier content of nothing is lost, and nothing is left. */
static void a_name_that_cannot_be_taken(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = open_ok("a", 0);
    put(f, "one\n");
    expect_ok(outfile_complete(f, &e), &e);
    assert_int_equal(mkdir("a", 0700), 0);
    expect_err(outfile_publish(f, &e), &e, RC_IO, "a");
    outfile_close(f, false);
    assert_int_equal(access(".a.leadpipe-part", F_OK), -1);
    assert_int_equal(rmdir("a"), 0);
    publish_ok(open_ok("a", 0)); /* and the name can be used again */
}

static void second_run_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = open_ok("a", 0);
    struct outfile *g = NULL;
    put(f, "mine");
    expect_err(outfile_open(&g, "./a", 0, false, &e), &e, RC_BUSY, "a: another run");
    assert_null(g);
    publish_ok(f);
    assert_string_equal(slurp("a"), "mine");
    publish_ok(open_ok("a", 0));
}

static void modes(void **state)
{
    (void)state;
    struct err e = {0};
    (void)umask(027);
    publish_ok(open_ok("new", 0));
    assert_int_equal(mode_of("new"), 0640);
    spit("private", "");
    spit("open", "");
    assert_int_equal(chmod("private", 0600), 0);
    assert_int_equal(chmod("open", 0666), 0);
    struct outfile *f = open_ok("private", 0);
    assert_int_equal(mode_of(".private.leadpipe-part"), 0600);
    expect_ok(outfile_complete(f, &e), &e);
    expect_ok(outfile_publish(f, &e), &e);
    outfile_close(f, false);
    assert_int_equal(mode_of("private"), 0600);
    publish_ok(open_ok("open", 0));
    assert_int_equal(mode_of("open"), 0666);
}

static void links(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = NULL;
    assert_int_equal(mkdir("real", 0777), 0);
    spit("real/file", "before");
    assert_int_equal(symlink("real/file", "link"), 0);
    f = open_ok("link", 0);
    put(f, "after");
    assert_int_equal(access("real/.file.leadpipe-part", F_OK), 0);
    publish_ok(f);
    struct stat st;
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_string_equal(slurp("real/file"), "after");

    assert_int_equal(symlink("nowhere", "dangling"), 0);
    expect_err(outfile_open(&f, "dangling", 0, false, &e), &e, RC_USAGE, "dangling symbolic link");
    spit("victim", "untouched");
    assert_int_equal(symlink("victim", ".b.leadpipe-part"), 0);
    expect_err(outfile_open(&f, "b", 0, false, &e), &e, RC_USAGE, ".b.leadpipe-part");
    expect_err(outfile_check(NULL, "b", &e), &e, RC_USAGE, "not a regular file");
    assert_string_equal(slurp("victim"), "untouched");
    assert_int_equal(mkfifo(".c.leadpipe-part", 0666), 0);
    expect_err(outfile_open(&f, "c", 0, false, &e), &e, RC_USAGE, "not a regular file");
}

/* The check before a run, and the opening in it, where the file came in between. */
static void foreign_parts(void **state)
{
    (void)state;
    static const enum outfile_suffix suffixes[] = {OUTFILE_PART, OUTFILE_WIDE, OUTFILE_ROWS_A,
                                                   OUTFILE_ROWS_B};
    static const char *const parts[] = {".a.leadpipe-part", ".a.leadpipe-wide", ".a.leadpipe-row1",
                                        ".a.leadpipe-row2"};
    for (size_t i = 0; i < OUTFILE_SUFFIXES; i++) {
        struct err e = {0};
        struct outfile *f = NULL;
        const struct outfile_cfg cfg = {.path = "a", .suffix = suffixes[i]};
        spit("precious", "precious");
        assert_int_equal(link("precious", parts[i]), 0);
        expect_err(outfile_check(NULL, "a", &e), &e, RC_USAGE, "hard link");
        expect_err(outfile_open_cfg(&f, &cfg, &e), &e, RC_USAGE, parts[i]);
        outfile_clear(NULL, "a", suffixes[i]);
        assert_int_equal(access(parts[i], F_OK), 0);
        assert_int_equal(unlink(parts[i]), 0);
        if (geteuid() == 0) {
            spit(parts[i], "theirs");
            assert_int_equal(chown(parts[i], 65534, 65534), 0);
            expect_err(outfile_check(NULL, "a", &e), &e, RC_USAGE, "another user (65534)");
            expect_err(outfile_open_cfg(&f, &cfg, &e), &e, RC_USAGE, "another user (65534)");
            outfile_clear(NULL, "a", suffixes[i]);
            assert_string_equal(slurp(parts[i]), "theirs");
            assert_int_equal(unlink(parts[i]), 0);
        }
        assert_string_equal(slurp("precious"), "precious");
        spit(parts[i], "ours");
        expect_ok(outfile_check(NULL, "a", &e), &e);
        outfile_clear(NULL, "a", suffixes[i]);
        assert_int_not_equal(access(parts[i], F_OK), 0);
    }
}

static void unfinished_names(void **state)
{
    (void)state;
    char name[256], want[512];
    for (size_t n = 1; n < sizeof name; n++) {
        struct err e = {0};
        struct buf names;
        memset(name, 'n', n);
        if (n > 125) /* "\xe2\x82\xac", cut nowhere within */
            for (size_t i = 0; i + 3 <= n - 100; i += 3)
                memcpy(name + 100 + i, "\xe2\x82\xac", 3);
        name[n] = '\0';
        buf_init(&names, 4096);
        expect_ok(outfile_unfinished(NULL, name, &names, &e), &e);
        const char *part = names.data;
        size_t at = strlen(part) + 1;
        for (size_t i = 1; i < OUTFILE_SUFFIXES; i++) {
            const char *other = names.data + at;
            assert_true(at < names.len && strlen(other) == strlen(part));
            assert_true(strcmp(part, other) != 0 &&
                        strcmp(names.data + at - strlen(part) - 1, other) != 0);
            at += strlen(other) + 1;
        }
        assert_int_equal(names.len, at);
        (void)snprintf(want, sizeof want, ".%s.leadpipe-part", name);
        if (n <= 128)
            assert_string_equal(part, want);
        assert_true(strlen(part) <= 143);
        struct outfile *f = open_ok(name, 0);
        assert_int_equal(access(part, F_OK), 0);
        (void)snprintf(want, sizeof want, "%s", part);
        utf8_scrub(want);
        assert_string_equal(part, want);
        outfile_close(f, false);
        buf_free(&names);
    }
}

static void urls(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool is_url;
    } rows[] = {
        {"s3://b/x", true},  {"S3+x.y-z://", true}, {"a://", true},    {"://x", false},
        {"./s3://x", false}, {"/s3://x", false},    {"1s://x", false}, {"s3:/x", false},
        {"s3:", false},      {"s 3://x", false},    {"", false},       {"file:///x", true},
        {"x/s3://y", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        if (outfile_is_url(rows[i].path) != rows[i].is_url)
            fail_msg("%s: got %d", rows[i].path, !rows[i].is_url);
        if (rows[i].is_url)
            expect_err(outfile_check(NULL, rows[i].path, &e), &e, RC_USAGE, "is a URL");
    }
}

static void refused_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
    } rows[] = {
        {"", "empty"},           {"there", "is a directory"}, {"there/", "is a directory"},
        {".", "is a directory"}, {"x/..", "is a directory"},  {"no/file", "no"},
        {"file/x", "file/x"},
    };
    assert_int_equal(mkdir("there", 0777), 0);
    spit("file", "");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        struct outfile *f = NULL;
        expect_err(outfile_check(NULL, rows[i].path, &e), &e, RC_USAGE, rows[i].text);
        expect_err(outfile_open(&f, rows[i].path, 0, false, &e), &e, RC_USAGE, rows[i].text);
    }
    struct err e = {0};
    expect_ok(outfile_check(NULL, "there/new", &e), &e);
    expect_ok(outfile_check(NULL, "file", &e), &e);
    expect_ok(outfile_check(NULL, "/dev/null", &e), &e);
    assert_int_not_equal(access("there/.new.leadpipe-part", F_OK), 0);
}

static void folders(void **state)
{
    (void)state;
    struct err e = {0};
    expect_ok(outfile_check_dirs(NULL, "a/b//c/", &e), &e);
    assert_int_not_equal(access("a", F_OK), 0);
    expect_ok(outfile_make_dirs("a/b//c/", &e), &e);
    expect_ok(outfile_make_dirs("a/b/c", &e), &e);
    expect_ok(outfile_check_dirs(NULL, "a/b/c/", &e), &e);
    assert_int_equal(access("a/b/c", W_OK), 0);
    spit("file", "");
    expect_err(outfile_check_dirs(NULL, "file/x/", &e), &e, RC_USAGE, "file");
    expect_err(outfile_check_dirs(NULL, "file", &e), &e, RC_USAGE, "not a directory");
    expect_err(outfile_make_dirs("file/x", &e), &e, RC_USAGE, "file");
    expect_err(outfile_make_dirs("file", &e), &e, RC_USAGE, "not a directory");
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    expect_err(outfile_check_dirs(NULL, "dangling/x/", &e), &e, RC_USAGE, "dangling");
}

static void disk_full(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = NULL;
    expect_ok(outfile_open(&f, "/dev/full", 0, false, &e), &e);
    put(f, "x");
    expect_ok(outfile_rc(f, &e), &e); /* still in the buffer */
    expect_err(outfile_complete(f, &e), &e, RC_IO, "/dev/full: No space left on device");
    expect_err(outfile_complete(f, &e), &e, RC_IO, "/dev/full: No space left on device");
    expect_err(outfile_publish(f, &e), &e, RC_INTERNAL, "/dev/full");
    outfile_close(f, false);
    assert_int_equal(access("/dev/full", F_OK), 0);
}

static void size_limit(void **state)
{
    (void)state;
    struct err e = {0};
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit tight = {.rlim_cur = 100000, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    spit("a", "before");
    struct outfile *f = open_ok("a", 0);
    static char block[70000];
    outfile_write(f, block, sizeof block);
    expect_ok(outfile_rc(f, &e), &e);
    outfile_write(f, block, sizeof block);
    expect_err(outfile_rc(f, &e), &e, RC_IO, "a: File too large");
    put(f, "does nothing");
    expect_err(outfile_complete(f, &e), &e, RC_IO, "a: File too large");
    outfile_close(f, false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_string_equal(slurp("a"), "before");
    assert_int_not_equal(access(".a.leadpipe-part", F_OK), 0);
}

/* Standard output becomes `fd` until stdout_back(). */
static int stdout_kept;

static void stdout_to(int fd)
{
    (void)fflush(stdout);
    stdout_kept = dup(STDOUT_FILENO);
    assert_true(stdout_kept >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
}

static void stdout_back(void)
{
    assert_true(dup2(stdout_kept, STDOUT_FILENO) >= 0);
    (void)close(stdout_kept);
}

static void spooled_stdout(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = NULL;
    int fds[2];
    char got[64] = "";
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    stdout_to(fds[1]);
    const struct outfile_cfg cfg = {.path = "-", .spool = true, .want_sha256 = true};
    enum rc rc = outfile_open_cfg(&f, &cfg, &e);
    stdout_back();
    expect_ok(rc, &e);
    put(f, "one\ntwo\n");
    expect_ok(outfile_flush(f, &e), &e);
    expect_ok(outfile_sync(f, &e), &e);
    expect_ok(outfile_complete(f, &e), &e);
    assert_int_equal(read(fds[0], got, sizeof got), -1);
    expect_ok(outfile_publish(f, &e), &e);
    assert_int_equal(read(fds[0], got, sizeof got), 8);
    assert_string_equal(got, "one\ntwo\n");
    assert_string_equal(outfile_sha256(f),
                        "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8");
    outfile_close(f, false);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void broken_pipe(void **state)
{
    (void)state;
    for (int spool = 0; spool < 2; spool++) {
        struct err e = {0};
        struct outfile *f = NULL;
        int fds[2];
        void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
        assert_int_equal(pipe(fds), 0);
        stdout_to(fds[1]);
        const struct outfile_cfg cfg = {.path = "-", .spool = spool};
        enum rc rc = outfile_open_cfg(&f, &cfg, &e);
        stdout_back();
        expect_ok(rc, &e);
        (void)close(fds[0]);
        (void)close(fds[1]);
        put(f, "x");
        rc = outfile_complete(f, &e);
        if (spool)
            rc = outfile_publish(f, &e);
        expect_err(rc, &e, RC_IO, "standard output was closed");
        outfile_close(f, false);
        (void)signal(SIGPIPE, handler);
    }
}

/* Who waits for a reader gives up when the time is over, and not before. */
static void stopped_readers(void **state)
{
    (void)state;
    static char block[300000]; /* more than a pipe holds */
    for (int i = 0; i < 8; i++) {
        bool spool = i & 1, is_over = i & 2, is_fifo = i & 4;
        struct err e = {0};
        struct stop_timer stop;
        struct outfile *f = NULL;
        int fds[2];
        expect_ok(stop_timer_open(&stop, &e), &e);
        assert_false(stop_timer_is_over(&stop));
        stop_timer_start(&stop, is_over ? 0 : 30);
        assert_int_equal(mkfifo("fifo", 0600), 0);
        assert_int_equal(pipe(fds), 0);
        const struct outfile_cfg cfg = {
            .path = is_fifo ? "fifo" : "-", .spool = spool, .stop = &stop};
        stdout_to(fds[1]);
        enum rc rc = outfile_open_cfg(&f, &cfg, &e);
        stdout_back();
        expect_ok(rc, &e);
        outfile_write(f, block, is_fifo ? 1 : sizeof block);
        rc = outfile_complete(f, &e);
        if (spool) {
            expect_ok(rc, &e);
            rc = outfile_publish(f, &e);
        }
        expect_err(rc, &e, RC_STOPPED,
                   is_fifo ? "fifo: its reader stopped" : "standard output: its reader stopped");
        assert_true(stop_timer_is_over(&stop));
        assert_int_equal(stop_timer_left_ms(&stop), 0);
        outfile_close(f, false);
        /* what was inherited is as it was */
        assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
        (void)close(fds[0]);
        (void)close(fds[1]);
        assert_int_equal(unlink("fifo"), 0);
        stop_timer_close(&stop);
    }
}

static void read_and_copy(void **state)
{
    (void)state;
    for (int sha = 0; sha < 2; sha++) {
        struct err e = {0};
        struct outfile *from = open_ok("a", 0);
        struct outfile *to = NULL;
        const struct outfile_cfg cfg = {.path = "a", .suffix = OUTFILE_WIDE, .want_sha256 = sha};
        expect_ok(outfile_open_cfg(&to, &cfg, &e), &e);
        put(from, "0123456789");
        char got[8];
        size_t n = 0;
        expect_ok(outfile_read(from, 4, got, 3, &n, &e), &e);
        assert_int_equal(n, 3);
        assert_memory_equal(got, "456", 3);
        expect_ok(outfile_read(from, 8, got, sizeof got, &n, &e), &e);
        assert_int_equal(n, 2);
        put(from, "ab");
        put(to, "head ");
        outfile_copy(to, from, 5, 6);
        put(to, " tail");
        assert_int_equal(outfile_bytes(to), 16);
        publish_ok(to);
        assert_string_equal(slurp("a"), "head 56789a tail");
        outfile_close(from, false);
        assert_int_not_equal(access(".a.leadpipe-part", F_OK), 0);
        assert_string_equal(slurp("a"), "head 56789a tail");
    }
}

static void copy_beyond_the_end(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *from = open_ok("a", 0);
    struct outfile *to = open_ok("b", 0);
    put(from, "123");
    outfile_copy(to, from, 1, 5);
    expect_err(outfile_complete(to, &e), &e, RC_IO, "a: is shorter");
    outfile_close(to, false);
    outfile_close(from, false);
}

static void large_and_small_writes(void **state)
{
    (void)state;
    static char block[200000];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)('a' + i % 23);
    struct outfile *f = open_ok("a", 0);
    size_t at = 0;
    for (size_t n = 1; at + n <= sizeof block; n = n * 5 % 70001 + 1) {
        outfile_write(f, block + at, n);
        at += n;
    }
    outfile_write(f, block + at, sizeof block - at);
    publish_ok(f);
    FILE *in = fopen("a", "r");
    static char got[sizeof block + 1];
    assert_int_equal(fread(got, 1, sizeof got, in), sizeof block);
    (void)fclose(in);
    assert_memory_equal(got, block, sizeof block);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(appears_when_complete),
        TEST(closed_unpublished),
        TEST(publish_needs_complete),
        TEST(removed_while_written),
        TEST(continues),
        TEST(a_name_that_cannot_be_taken),
        TEST(second_run_is_refused),
        TEST(modes),
        TEST(links),
        TEST(refused_paths),
        TEST(foreign_parts),
        TEST(unfinished_names),
        TEST(urls),
        TEST(folders),
        TEST(disk_full),
        TEST(size_limit),
        TEST(spooled_stdout),
        TEST(broken_pipe),
        TEST(stopped_readers),
        TEST(read_and_copy),
        TEST(copy_beyond_the_end),
        TEST(large_and_small_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
