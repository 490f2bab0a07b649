#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "folder.h"
#include "core/base/blob.h"
#include "sinks/stream.h"
#include "sinks/registry.h"

static void expect_ok(enum rc rc, const struct err *e)
{
    if (rc != RC_OK)
        fail_msg("%s: %s", rc_text(rc), e->msg);
}

/* Input that compresses neither perfectly nor not at all. */
#define CONTENT_BYTES (5 * STREAM_MEMBER_BYTES / 2)
static char content[CONTENT_BYTES];

static void content_make(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < CONTENT_BYTES; i++) {
        x = x * 1664525 + 1013904223;
        content[i] = (char)(' ' + (x >> 28) * (1 + i % 5));
    }
}

static struct stream *stream_ok(const char *path, unsigned level, struct str mark)
{
    struct err e = {0};
    struct stream *s = NULL;
    const struct stream_cfg cfg = {.path = path, .level = level, .mark = mark};
    expect_ok(stream_open(&s, &cfg, &e), &e);
    return s;
}

static void publish_ok(struct stream *s)
{
    struct err e = {0};
    expect_ok(stream_prepare(s, NULL, &e), &e);
    expect_ok(stream_publish(s, &e), &e);
    stream_close(s, false);
}

/* The raw bytes of a file; the caller frees them. */
static char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *p = malloc(4 * CONTENT_BYTES);
    assert_non_null(p);
    *n = fread(p, 1, 4 * CONTENT_BYTES, f);
    (void)fclose(f);
    return p;
}

static void same_files(const char *a, const char *b)
{
    size_t na = 0;
    size_t nb = 0;
    char *pa = slurp(a, &na);
    char *pb = slurp(b, &nb);
    if (na != nb || memcmp(pa, pb, na) != 0)
        fail_msg("%s (%zu bytes) is not %s (%zu bytes)", a, na, b, nb);
    free(pa);
    free(pb);
}

/* zlib's reader gives plain files as they are. */
static void holds(const char *path, const char *want, size_t n)
{
    gzFile f = gzopen(path, "rb");
    assert_non_null(f);
    char *got = malloc(n + 1);
    assert_non_null(got);
    size_t len = gzfread(got, 1, n + 1, f);
    assert_int_equal(len, n);
    assert_memory_equal(got, want, n);
    assert_int_equal(gzclose(f), Z_OK);
    free(got);
}

static void header_is_fixed(void **state)
{
    (void)state;
    struct stream *s = stream_ok("a.gz", 6, STR_NONE);
    stream_write(s, "x", 1);
    publish_ok(s);
    size_t n = 0;
    char *p = slurp("a.gz", &n);
    assert_memory_equal(p, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    free(p);
    holds("a.gz", "x", 1);
}

static void empty_is_a_gzip_file(void **state)
{
    (void)state;
    publish_ok(stream_ok("a.gz", 6, STR_NONE));
    size_t n = 0;
    char *p = slurp("a.gz", &n);
    assert_in_range(n, 18, 32); /* a header, a trailer, and a deflated nothing */
    free(p);
    holds("a.gz", "", 0);
    publish_ok(stream_ok("a", 0, STR_NONE));
    p = slurp("a", &n);
    assert_int_equal(n, 0);
    free(p);
}

static void cuts_into_calls_do_not_matter(void **state)
{
    (void)state;
    for (unsigned level = 0; level <= 9; level += 3) {
        struct stream *s = stream_ok("a", level, STR_NONE);
        stream_write(s, content, CONTENT_BYTES);
        publish_ok(s);
        s = stream_ok("b", level, STR_NONE);
        size_t step = 1;
        for (size_t at = 0; at < CONTENT_BYTES; step = step * 7 % 100003 + 1) {
            size_t n = step < CONTENT_BYTES - at ? step : CONTENT_BYTES - at;
            stream_write(s, content + at, n);
            at += n;
        }
        assert_int_equal(stream_bytes(s), CONTENT_BYTES);
        publish_ok(s);
        same_files("a", "b");
        holds("a", content, CONTENT_BYTES);
    }
}

/* Goes on from a mark after `at` bytes, with what came later lost, as after a crash. */
static void resume_once(unsigned level, size_t at, size_t lost)
{
    struct err e = {0};
    struct buf mark;
    buf_init(&mark, SIZE_MAX / 2);
    struct stream *s = stream_ok("b", level, STR_NONE);
    stream_watch(s, at / 2);
    stream_write(s, content, at);
    expect_ok(stream_mark(s, &mark, &e), &e);
    stream_write(s, content, lost);
    stream_close(s, true);
    s = stream_ok("b", level, buf_str(&mark));
    assert_int_equal(stream_bytes(s), at);
    stream_write(s, content + at, CONTENT_BYTES - at);
    publish_ok(s);
    same_files("a", "b");
    buf_free(&mark);
}

static void marks_leave_the_bytes_alone(void **state)
{
    (void)state;
    static const size_t at[] = {0,
                                1,
                                1000,
                                STREAM_MEMBER_BYTES - 1,
                                STREAM_MEMBER_BYTES,
                                STREAM_MEMBER_BYTES + 1,
                                CONTENT_BYTES};
    for (unsigned level = 0; level <= 1; level++) {
        struct stream *s = stream_ok("a", level, STR_NONE);
        stream_write(s, content, CONTENT_BYTES);
        publish_ok(s);
        for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
            resume_once(level, at[i], 0);
            resume_once(level, at[i], CONTENT_BYTES);
        }
    }
}

static void damaged_marks(void **state)
{
    (void)state;
    static const char *const marks[] = {
        "",
        "1",
        "0:0:0:0",
        "0:1:2:0:",
        "1:0:0:0:0:0:0:x",
        "2:0:0:0:0:0:",
        "1:0:0:0:9:9:0:",
        "0:0:0:0:x",
        "1:5:0:0:0:0:4:eJwLzkjNyckHAAWMAfU=",
        "1:0:0:0:0:0:99999999999:eJwDAAAAAAE=",
        "1:18446744073709551615:0:0:0:0:1:====",
    };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct err e = {0};
        struct stream *s = NULL;
        const struct stream_cfg cfg = {
            .path = "a", .level = marks[i][0] == '0' ? 0 : 1, .mark = str_c(marks[i])};
        enum rc rc = stream_open(&s, &cfg, &e);
        if (rc != RC_SYNTAX || !strstr(e.msg, "damaged"))
            fail_msg("mark \"%s\": %s \"%s\"", marks[i], rc_text(rc), e.msg);
    }
}

static enum rc collect(void *ctx, const char *p, size_t n, struct err *e)
{
    (void)e;
    buf_add(ctx, p, n);
    return RC_OK;
}

static enum rc refuse(void *ctx, const char *p, size_t n, struct err *e)
{
    (void)ctx;
    (void)p;
    (void)n;
    return err_set(e, RC_LIMIT, "enough");
}

/* The beginning is replaced, the end is copied as it is. */
static void copied_ends(void **state)
{
    (void)state;
    static const struct {
        size_t watched, written_before, cut;
    } rows[] = {
        {0, 0, 0},
        {10, 0, STREAM_MEMBER_BYTES},
        {STREAM_MEMBER_BYTES, 5, STREAM_MEMBER_BYTES},
        {STREAM_MEMBER_BYTES, STREAM_MEMBER_BYTES, STREAM_MEMBER_BYTES},
        {STREAM_MEMBER_BYTES + 1, STREAM_MEMBER_BYTES + 1, 2 * STREAM_MEMBER_BYTES},
        {2 * STREAM_MEMBER_BYTES + 1, 7, CONTENT_BYTES},
        {CONTENT_BYTES, CONTENT_BYTES, CONTENT_BYTES},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        unsigned level = i % 2 ? 1 : 0;
        size_t before = rows[i / 2].written_before;
        struct stream *from = stream_ok("from", level, STR_NONE);
        stream_write(from, content, before);
        stream_watch(from, rows[i / 2].watched);
        stream_write(from, content + before, CONTENT_BYTES - before);
        stream_end_member(from);
        struct stream_cut cut = stream_cut(from);
        assert_int_equal(cut.bytes, level ? rows[i / 2].cut : rows[i / 2].watched);

        struct buf beginning;
        buf_init(&beginning, SIZE_MAX / 2);
        expect_ok(stream_replay(from, cut, collect, &beginning, &e), &e);
        assert_int_equal(beginning.len, cut.bytes);
        assert_true(cut.bytes == 0 || memcmp(beginning.data, content, cut.bytes) == 0);

        struct stream *to = stream_ok("to", level, STR_NONE);
        stream_write(to, beginning.data, beginning.len);
        stream_append(to, from, cut);
        assert_int_equal(stream_bytes(to), CONTENT_BYTES);
        publish_ok(to);
        holds("to", content, CONTENT_BYTES);
        if (cut.bytes > 0)
            assert_int_equal(stream_replay(from, cut, refuse, NULL, &e), RC_LIMIT);
        stream_close(from, false);
        buf_free(&beginning);
    }
}

static void damage_shows(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf got;
    buf_init(&got, SIZE_MAX / 2);
    struct stream *s = stream_ok("a", 1, STR_NONE);
    stream_write(s, content, CONTENT_BYTES);
    stream_end_member(s);
    struct buf mark;
    buf_init(&mark, SIZE_MAX / 2);
    expect_ok(stream_mark(s, &mark, &e), &e);
    FILE *f = fopen(".a.leadpipe-part", "r+");
    assert_non_null(f);
    (void)fseek(f, 100, SEEK_SET);
    (void)fputs("wrong", f);
    (void)fclose(f);
    assert_int_equal(stream_replay(s, stream_cut(s), collect, &got, &e), RC_IO);
    assert_non_null(strstr(e.msg, "does not contain"));
    stream_close(s, false);
    buf_free(&got);
    buf_free(&mark);
}

static void disk_full(void **state)
{
    (void)state;
    struct err e = {0};
    struct stream *s = stream_ok("/dev/full", 1, STR_NONE);
    stream_write(s, content, CONTENT_BYTES);
    assert_int_equal(stream_rc(s, &e), RC_IO);
    stream_write(s, content, CONTENT_BYTES);
    assert_int_equal(stream_prepare(s, NULL, &e), RC_IO);
    assert_string_equal(e.msg, "/dev/full: No space left on device");
    stream_close(s, false);
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(stream_level(OPTION_AUTO, "a.csv"), 0);
    assert_int_equal(stream_level(OPTION_AUTO, "a.csv.gz"), 6);
    assert_int_equal(stream_level(9, "a.csv.gz"), 9);
    assert_int_equal(stream_level(0, "a.csv.gz"), 0);
    assert_int_equal(stream_level(OPTION_AUTO, "-"), 0);
    assert_false(stream_is_gz(".gz"));
    assert_false(stream_is_gz(""));
}

static void blobs(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 1000, CONTENT_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf text;
        struct buf back;
        buf_init(&text, SIZE_MAX / 2);
        buf_init(&back, CONTENT_BYTES + 3);
        buf_adds(&back, "ab");
        blob_put(&text, content, sizes[i]);
        for (size_t k = 0; k < text.len; k++)
            assert_true(text.data[k] > ' ' && text.data[k] < 127);
        assert_int_equal(blob_take(buf_str(&text), &back), RC_OK);
        assert_int_equal(back.len, 2 + sizes[i]);
        assert_memory_equal(back.data + 2, content, sizes[i]);
        buf_free(&back);
        buf_init(&back, sizes[i]);
        assert_int_equal(blob_take(buf_str(&text), &back), RC_LIMIT);
        assert_int_equal(back.len, 0);
        buf_free(&text);
        buf_free(&back);
    }
}

int main(void)
{
    content_make();
#define TEST(f) cmocka_unit_test_setup_teardown(f, folder_enter, folder_leave)
    const struct CMUnitTest tests[] = {
        TEST(header_is_fixed),
        TEST(empty_is_a_gzip_file),
        TEST(cuts_into_calls_do_not_matter),
        TEST(marks_leave_the_bytes_alone),
        TEST(damaged_marks),
        TEST(copied_ends),
        TEST(damage_shows),
        TEST(disk_full),
        TEST(levels),
        TEST(blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
