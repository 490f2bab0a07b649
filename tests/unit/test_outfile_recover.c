#include "core/file/outfile_recover.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file/outfile.h"
#include "core/file/renames.h"
#include "state_world.h"

#define PART ".a.leadpipe-part"
#define WIDE ".a.leadpipe-wide"

/* A run that was cut off: complete files under their unfinished names, and what the state has of them. */
static struct buf text;

static struct outfile *prepare(const char *path, enum outfile_suffix suffix, const char *content)
{
    struct err e = {0};
    struct outfile *f = NULL;
    const struct outfile_cfg cfg = {.path = path, .suffix = suffix};
    if (outfile_open_cfg(&f, &cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
    outfile_write(f, content, strlen(content));
    if (outfile_prepare(f, &text, &e) != RC_OK)
        fail_msg("%s", e.msg);
    return f;
}

static void cut_off(const char *path, enum outfile_suffix suffix, const char *content)
{
    outfile_close(prepare(path, suffix, content), false); /* stays, as it was prepared */
}

static enum rc recover(struct str paths, bool takes_back, bool only_check, struct err *e)
{
    const struct outfile_recovery r = {.subject = "csv:a",
                                       .advice = "think again",
                                       .paths = paths,
                                       .text = buf_str(&text),
                                       .takes_back = takes_back,
                                       .only_check = only_check};
    return outfile_recover(&r, e);
}

static void expect_file(const char *path, const char *want)
{
    if (!want) {
        assert_int_not_equal(access(path, F_OK), 0);
        return;
    }
    struct bytes got = slurp(path);
    if (got.n != strlen(want) || memcmp(got.ptr, want, got.n) != 0)
        fail_msg("%s: got \"%.*s\", want \"%s\"", path, (int)got.n, (const char *)got.ptr, want);
    free(got.ptr);
}

static void expect_refused(struct str paths, enum rc want, const char *word)
{
    for (int check = 1; check >= 0; check--) {
        struct err e = {0};
        enum rc rc = recover(paths, false, check, &e);
        if (rc != want || !strstr(e.msg, word))
            fail_msg("got %s \"%s\", want %s \"%s\"", rc_text(rc), e.msg, rc_text(want), word);
    }
}

static int enter(void **state)
{
    buf_init(&text, 1 << 20);
    return folder_enter(state);
}

static int leave(void **state)
{
    buf_free(&text);
    return folder_leave(state);
}

#define ONE ((struct str){"a", 2})
#define TWO ((struct str){"a\0b", 4})

/* ---- what is done ----------------------------------------------------------------------------- */

/* In all the states that a run can be cut off in, and again afterwards. */
static void names_are_given(void **state)
{
    (void)state;
    for (int done = 0; done < 3; done++) {
        struct err e = {0};
        buf_clear(&text);
        spit("a", "old", 3);
        cut_off("a", OUTFILE_PART, "one");
        cut_off("b", OUTFILE_PART, "two");
        if (done > 0)
            assert_int_equal(rename(PART, "a"), 0);
        if (done > 1)
            assert_int_equal(rename(".b.leadpipe-part", "b"), 0);
        assert_int_equal(recover(TWO, false, true, &e), RC_OK);
        expect_file(PART, done > 0 ? NULL : "one");
        for (int again = 0; again < 2; again++) {
            assert_int_equal(recover(TWO, false, false, &e), RC_OK);
            expect_file("a", "one");
            expect_file("b", "two");
            expect_file(PART, NULL);
            expect_file(".b.leadpipe-part", NULL);
        }
    }
}

/* The whole once more: what was written first goes away. */
static void the_wide_one_takes_the_name(void **state)
{
    (void)state;
    for (int takes_back = 0; takes_back < 2; takes_back++) {
        struct err e = {0};
        buf_clear(&text);
        spit("a", "old", 3);
        cut_off("a", OUTFILE_WIDE, "wide");
        spit(PART, "narrow", 6);
        renames_put_removal(&text, PART);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(recover(ONE, takes_back, true, &e), RC_OK);
            assert_int_equal(recover(ONE, takes_back, false, &e), RC_OK);
            expect_file("a", takes_back ? "old" : "wide");
            expect_file(PART, NULL);
            expect_file(WIDE, NULL);
        }
    }
}

static void all_is_taken_back(void **state)
{
    (void)state;
    struct err e = {0};
    spit("a", "old", 3);
    cut_off("a", OUTFILE_PART, "one");
    cut_off("b", OUTFILE_PART, "two");
    assert_int_equal(recover(TWO, true, true, &e), RC_OK);
    expect_file(PART, "one");
    for (int again = 0; again < 2; again++) {
        assert_int_equal(recover(TWO, true, false, &e), RC_OK);
        expect_file("a", "old");
        expect_file("b", NULL);
        expect_file(PART, NULL);
        expect_file(".b.leadpipe-part", NULL);
    }
}

static void nothing_to_do(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(recover(STR(""), false, false, &e), RC_OK);
}

/* ---- what is refused -------------------------------------------------------------------------- */

static void other_files(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *word;
    } rows[] = {
        {".c.leadpipe-part", "c", "/c, which this command does not write; think again"},
        {"c", "a", "/a, which this command does not write"},
        {PART, "c", "/c, which this command does not write"},
        {WIDE, "a", "/a, which this command does not write"}, /* twice */
        {PART, "", "which this command does not write"},      /* only a wide one has it removed */
        {"c", "", "which this command does not write"},
        {"/nonexistent/" PART, "/nonexistent/a", "/nonexistent/a, which this command does not"},
    };
    cut_off("a", OUTFILE_PART, "one");
    spit("c", "precious", 8);
    size_t len = text.len;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        text.len = len;
        if (*rows[i].to)
            renames_put(&text, rows[i].from, rows[i].to, (struct file_signature){8, 1});
        else
            renames_put_removal(&text, rows[i].from);
        expect_refused(ONE, RC_USAGE, rows[i].word);
        expect_file(PART, "one");
        expect_file("c", "precious");
        expect_file("a", NULL);
    }
    text.len = len;
    expect_refused(TWO, RC_USAGE, "csv:a: the unfinished run did not write b; think again");
    buf_adds(&text, "x");
    expect_refused(ONE, RC_SYNTAX, "csv:a: ");
    expect_file(PART, "one");
}

static void not_what_was_completed(void **state)
{
    (void)state;
    cut_off("a", OUTFILE_PART, "one");
    spit(PART, "own", 3);
    expect_refused(ONE, RC_USAGE, "is not the file that the unfinished run completed");
    expect_file(PART, "own");
    assert_int_equal(unlink(PART), 0);
    expect_refused(ONE, RC_USAGE, "was completed by the unfinished run, but is gone");
    spit("a", "own", 3);
    expect_refused(ONE, RC_USAGE, "is not the file that the unfinished run completed");
    expect_file("a", "own");
}

/* Neither renamed nor removed while another run has it locked. */
static void another_run_has_it(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = prepare("a", OUTFILE_PART, "one");
    assert_int_equal(recover(ONE, false, false, &e), RC_BUSY);
    assert_int_equal(recover(ONE, true, false, &e), RC_OK); /* it is the other one's by now */
    expect_file(PART, "one");
    outfile_close(f, false);
    assert_int_equal(recover(ONE, false, false, &e), RC_OK);
    expect_file("a", "one");
}

/* ---- without a text --------------------------------------------------------------------------- */

static void abort_takes_back(void **state)
{
    (void)state;
    struct err e = {0};
    for (int prepared = 0; prepared < 2; prepared++) {
        struct outfile *f = NULL;
        if (prepared)
            f = prepare("a", OUTFILE_PART, "one");
        else
            assert_int_equal(outfile_open(&f, "a", 0, false, &e), RC_OK);
        outfile_write(f, "x", prepared ? 0 : 1);
        assert_int_equal(outfile_abort(f, &e), RC_OK);
        expect_file(PART, NULL);
        spit(PART, "another run's", 13);
        assert_int_equal(outfile_abort(f, &e), RC_OK); /* once */
        outfile_close(f, false);
        expect_file(PART, "another run's");
        assert_int_equal(unlink(PART), 0);
    }
    struct outfile *f = prepare("a", OUTFILE_PART, "one");
    assert_int_equal(outfile_publish(f, &e), RC_OK);
    assert_int_equal(outfile_abort(f, &e), RC_OK);
    outfile_close(f, false);
    expect_file("a", "one");
}

/* What has come in its place is somebody else's. */
static void abort_leaves_what_is_not_its_own(void **state)
{
    (void)state;
    struct err e = {0};
    struct outfile *f = prepare("a", OUTFILE_PART, "one");
    assert_int_equal(unlink(PART), 0);
    spit(PART, "theirs", 6);
    assert_int_equal(outfile_abort(f, &e), RC_OK);
    outfile_close(f, false);
    expect_file(PART, "theirs");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_are_given),
        TEST(the_wide_one_takes_the_name),
        TEST(all_is_taken_back),
        TEST(nothing_to_do),
        TEST(other_files),
        TEST(not_what_was_completed),
        TEST(another_run_has_it),
        TEST(abort_takes_back),
        TEST(abort_leaves_what_is_not_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
