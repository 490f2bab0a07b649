#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "sinks/csv/csv_widen.h"

static void collect(void *ctx, const void *p, size_t n)
{
    buf_add(ctx, p, n);
}

/* Feeds `in` in pieces of `step` bytes and compares. */
static void check(const struct csv_widen *how, const char *in, const char *want, size_t step)
{
    struct buf out;
    buf_init(&out, SIZE_MAX / 2);
    struct csv_widen w = *how;
    w.write = collect;
    w.ctx = &out;
    size_t len = strlen(in);
    for (size_t at = 0; at < len; at += step)
        csv_widen_feed(&w, in + at, step < len - at ? step : len - at);
    csv_widen_end(&w);
    if (strcmp(buf_cstr(&out), want) != 0)
        fail_msg("in pieces of %zu: got\n%s\nwant\n%s", step, buf_cstr(&out), want);
    assert_int_equal(w.at, how->at + len);
    buf_free(&out);
}

static void check_all(const struct csv_widen *how, const char *in, const char *want)
{
    for (size_t step = 1; step <= strlen(in); step++)
        check(how, in, want, step);
}

static void rows(void **state)
{
    (void)state;
    static const struct csv_width widths[] = {{0, 0}, {4, 1}, {24, 3}};
    const struct csv_widen how = {.delimiter = ',', .columns = 3, .widths = widths, .n_widths = 3};
    check_all(&how, "a,1\nb,\"x\ny\",\n\"\"\"\n\",\"\",\nc,1,2,3,\n",
              "a,1,,,\nb,\"x\ny\",,,\n\"\"\"\n\",\"\",,,\nc,1,2,3,\n");
}

static void rows_that_end_in_crlf(void **state)
{
    (void)state;
    static const struct csv_width widths[] = {{0, 0}, {5, 1}};
    const struct csv_widen how = {
        .delimiter = ';', .crlf = true, .columns = 2, .widths = widths, .n_widths = 2};
    check_all(&how, "a;1\r\nb;\"\r\n\"\r\nc;\"\r\"\r\n", "a;1;;\r\nb;\"\r\n\";\r\nc;\"\r\";\r\n");
}

/* What rows end with stays there, also where it came in another piece than the end of its row. */
static void rows_with_an_ending(void **state)
{
    (void)state;
    static const struct csv_width widths[] = {{0, 0}, {7, 1}, {26, 3}};
    const struct csv_widen how = {
        .delimiter = ',', .ending_bytes = 3, .columns = 3, .widths = widths, .n_widths = 3};
    check_all(&how, "a,1,ab\nb,\"xxx\nyyy\",1,ab\nc,\"\n\",1,2,3,ab\nd,1,2,3,ab\n",
              "a,1,,,,ab\nb,\"xxx\nyyy\",1,,,ab\nc,\"\n\",1,2,3,ab\nd,1,2,3,ab\n");
    static const struct csv_width two[] = {{0, 0}, {8, 1}};
    const struct csv_widen crlf = {.delimiter = ';',
                                   .crlf = true,
                                   .ending_bytes = 3,
                                   .columns = 1,
                                   .widths = two,
                                   .n_widths = 2};
    check_all(&crlf, "a;1;ab\r\nb;1;2;ab\r\n", "a;1;;ab\r\nb;1;2;ab\r\n");
    const struct csv_widen all = {
        .delimiter = ';', .ending_bytes = 3, .columns = 2, .widths = two, .n_widths = 1};
    check_all(&all, "a;ab\nb;ab\n", "a;;;ab\nb;;;ab\n");
}

static void places_count_from_the_file(void **state)
{
    (void)state;
    static const struct csv_width widths[] = {{1000, 1}, {1004, 2}};
    const struct csv_widen how = {
        .delimiter = '\t', .columns = 2, .widths = widths, .n_widths = 2, .at = 1000};
    check_all(&how, "a\t1\nb\t1\t2\n", "a\t1\t\nb\t1\t2\n");
}

static void nothing_to_do(void **state)
{
    (void)state;
    static const struct csv_width widths[] = {{0, 5}};
    const struct csv_widen how = {.delimiter = ',', .columns = 5, .widths = widths, .n_widths = 1};
    check_all(&how, "a,\"\n", "a,\"\n");
    const struct csv_widen none = {.delimiter = ',', .columns = 5};
    check_all(&none, "a\n", "a\n");
    struct csv_widen fed = how; /* rows that there were none of, under a header */
    csv_widen_feed(&fed, NULL, 0);
    assert_int_equal(fed.at, 0);
}

static void much_padding(void **state)
{
    (void)state;
    static const struct csv_width widths[] = {{0, 0}, {2, 1000}};
    static char want[1100] = "a";
    memset(want + 1, ',', 1000);
    memcpy(want + 1001, "\nb\n", 4);
    const struct csv_widen how = {
        .delimiter = ',', .columns = 1000, .widths = widths, .n_widths = 2};
    check_all(&how, "a\nb\n", want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(rows_that_end_in_crlf),
        cmocka_unit_test(rows_with_an_ending),
        cmocka_unit_test(places_count_from_the_file),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(much_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
