/* Texts from outside in HTML, and figures. */
#include "monitor/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"

#include "cmocka_all.h"

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        size_t max;
        const char *want;
    } rows[] = {
        {NULL, 10, ""},
        {"", 10, ""},
        {"plain", 10, "plain"},
        {"<script>alert(1)</script>", 99, "&lt;script&gt;alert(1)&lt;/script&gt;"},
        {"\" onload='x' &amp;", 99, "&quot; onload=&#39;x&#39; &amp;amp;"},
        {"a\nb\tc\x1b[31m\x7f", 99, "a\\nb\\tc\\x1b[31m\\x7f"},
        {"\xe2\x80\xaegnp.exe\xe2\x80\xac", 99, "\\u202egnp.exe\\u202c"}, /* right to left */
        {"\xe2\x81\xa6x\xe2\x81\xa9", 99, "\\u2066x\\u2069"},             /* isolates */
        {"a\xe2\x80\x8b\xef\xbb\xbf", 99, "a\\u200b\\ufeff"},
        {"\xc2\x85\xe2\x80\xa8", 99, "\\u0085\\u2028"},
        {"bad \xff\xc3(", 99, "bad \\xff\\xc3("},
        {"\xef\xbf\xbf\xef\xb7\x90.", 99, "\xef\xbf\xbd\xef\xbf\xbd."}, /* no characters */
        {"12345", 5, "12345"},
        {"123456", 5, "12345..."},
        {"1\xe2\x82\xac", 3, "1..."}, /* not in the middle of a character */
        {"<<<<", 2, "&lt;&lt;..."},   /* nor of a reference */
        {"]]>--><!--", 99, "]]&gt;--&gt;&lt;!--"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        struct page p = {&b, NULL};
        buf_init(&b, 1 << 16);
        page_text(&p, rows[i].given, rows[i].max);
        if (buf_rc(&b) != RC_OK || strcmp(buf_cstr(&b), rows[i].want) != 0)
            fail_msg("row %zu: got %s, want %s", i, buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
}

/* A secret that would be cut is redacted before that. */
static void secrets(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        size_t max;
        const char *want;
    } rows[] = {
        {"key s3cr3t-k3y-value here", 99, "key *** here"},
        {"key s3cr3t-k3y-value here", 10, "key *** he..."},
        {"s3cr3t-k3y-value", 99, "***"},
        {"it ends with s3cr", 99, "it ends with s3cr"},
        {"a line\n", 99, "a line\\n"},
        {"<s3cr3t-k3y-value>", 99, "&lt;***&gt;"},
    };
    struct secrets *s = NULL;
    assert_int_equal(secrets_new(&s), RC_OK);
    assert_int_equal(secrets_add(s, STR("s3cr3t-k3y-value")), RC_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        struct page p = {&b, s};
        buf_init(&b, 1 << 16);
        page_text(&p, rows[i].given, rows[i].max);
        assert_string_equal(buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
    secrets_free(s);
}

/* Any bytes: no markup, no control characters, valid UTF-8. */
static void any_bytes(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 11);
    for (int round = 0; round < 2000; round++) {
        char text[64];
        size_t n = rng_below(&rng, sizeof text);
        struct buf b;
        struct page p = {&b, NULL};
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(1 + rng_below(&rng, 255));
        text[n] = '\0';
        buf_init(&b, 1 << 16);
        page_text(&p, text, rng_below(&rng, 80));
        const char *got = buf_cstr(&b);
        assert_true(utf8_valid(got, b.len) && !strpbrk(got, "<>\"'"));
        for (size_t i = 0; i < b.len; i++)
            assert_true((unsigned char)got[i] >= 0x20 && got[i] != 0x7f);
        buf_free(&b);
    }
}

static void put_seconds(struct page *p, double value)
{
    page_seconds(p, value);
}

static void put_rate(struct page *p, double value)
{
    page_rate(p, value);
}

static void put_count(struct page *p, double value)
{
    page_count(p, (uint64_t)value);
}

static void put_leads(struct page *p, double value)
{
    page_counted(p, (uint64_t)value, "lead", "leads");
}

static void put_share(struct page *p, double value)
{
    char text[16];
    page_raw(p, page_share(text, value, 3, 100));
}

static void figures(void **state)
{
    (void)state;
    static const struct {
        void (*put)(struct page *p, double value);
        double value;
        const char *want;
    } rows[] = {
        {put_seconds, 0, "0.00 s"},
        {put_seconds, -1, "0.00 s"},
        {put_seconds, 1.234, "1.23 s"},
        {put_seconds, 59.9, "59.9 s"},
        {put_seconds, 59.96, "1 min 0 s"},
        {put_seconds, 3599.4, "59 min 59 s"},
        {put_seconds, 3600, "1 h 0 min"},
        {put_seconds, 90061, "25 h 1 min"},
        {put_rate, 0, "0"},
        {put_rate, 0.0417, "0.042"},
        {put_rate, 9.5, "9.5"},
        {put_rate, 12.3, "12"},
        {put_rate, 12500, "12,500"},
        {put_count, 0, "0"},
        {put_count, 999, "999"},
        {put_count, 1000, "1,000"},
        {put_count, 1234567, "1,234,567"},
        {put_leads, 1, "1 lead"},
        {put_leads, 2000, "2,000 leads"},
        {put_share, 0, "0"},
        {put_share, 1, "33.33"},
        {put_share, 1.5, "50"},
        {put_share, 3, "100"},
        {put_share, 4, "100"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b;
        struct page p = {&b, NULL};
        buf_init(&b, 1 << 10);
        rows[i].put(&p, rows[i].value);
        if (strcmp(buf_cstr(&b), rows[i].want) != 0)
            fail_msg("row %zu, %g: got %s, want %s", i, rows[i].value, buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(secrets),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
