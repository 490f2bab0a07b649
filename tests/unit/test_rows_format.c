/* The companion of a shard's manifest: what is written is read again, and what was not written is refused. */
#include "sinks/rows/rows_format.h"

#include "cmocka_all.h"

static void numbers(void **state)
{
    static const uint64_t each[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    static const struct str damaged[] = {{"", 0},
                                         {"\x80", 1},
                                         {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},
                                         {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}};
    struct buf b;
    uint64_t got = 0;
    (void)state;
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        rows_put_number(&b, each[i]);
    struct str text = buf_str(&b);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        assert_true(rows_take_number(&text, &got));
        assert_true(got == each[i]);
    }
    assert_int_equal(text.len, 0);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        text = damaged[i];
        assert_false(rows_take_number(&text, &got));
    }
    buf_free(&b);
}

static void header(void **state)
{
    const struct rows_setting settings[] = {{STR("--to"), STR("csv")}, {STR("a"), STR("")}};
    const struct rows_header h = {.profile = STR("{}"),
                                  .max_columns = 2000,
                                  .max_missing = {PORTION_SHARE, 5},
                                  .settings = settings,
                                  .n_settings = 2};
    struct rows_setting room[ROWS_SETTINGS_MAX];
    struct rows_header got;
    struct buf b;
    size_t n = 0;
    (void)state;
    buf_init(&b, 4096);
    rows_put_header(&b, &h);
    assert_int_equal(buf_rc(&b), RC_OK);
    assert_true(rows_take_head(b.data, &n));
    assert_int_equal(n, b.len - ROWS_HEAD_BYTES);
    struct str text = {b.data + ROWS_HEAD_BYTES, n};
    assert_true(rows_take_header(text, &got, room));
    assert_true(str_eq(got.profile, h.profile) && got.max_columns == 2000 && got.n_settings == 2);
    assert_true(got.max_missing.kind == PORTION_SHARE && got.max_missing.n == 5);
    assert_true(str_eq_c(got.settings[0].value, "csv") && got.settings[1].value.len == 0);
    for (size_t i = 0; i < n; i++)
        assert_false(rows_take_header((struct str){text.ptr, i}, &got, room));
    buf_clear(&b);
    struct rows_header more = h;
    more.max_missing.n = PORTION_WHOLE + 1;
    rows_put_header(&b, &more);
    assert_false(rows_take_header((struct str){b.data + ROWS_HEAD_BYTES, b.len - ROWS_HEAD_BYTES},
                                  &got, room));
    b.data[0] = 'L';
    assert_false(rows_take_head(b.data, &n));
    buf_free(&b);
}

static void leads(void **state)
{
    static const uint64_t places[] = {7, 8, 3, UINT64_MAX, 0, 1000000};
    const struct rows tables[] = {{NULL, 1}, {NULL, 0}, {NULL, 300}};
    const struct column column = {
        .name = STR("late"),
        .origin = {.scope = 2, .occurrence = 3, .key = STR("Late"), .member = STR("m")}};
    uint64_t before = 0;
    struct buf b;
    (void)state;
    buf_init(&b, 4096);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct rows_lead lead;
        struct rows_column got = {0};
        uint32_t n = 0;
        buf_clear(&b);
        rows_put_lead(&b, places[i], before, i % 2 ? NULL : tables, 3);
        if (i % 2 == 0)
            rows_put_column(&b, 2, 9, &column);
        assert_true(rows_take_lead(buf_str(&b), before, &lead));
        assert_true(lead.number == places[i]);
        assert_int_equal(lead.n_tables, i % 2 ? 0 : 3);
        for (size_t k = 0; k < lead.n_tables; k++) {
            assert_true(rows_take_rows(&lead, &n));
            assert_int_equal(n, tables[k].n_rows);
        }
        assert_int_equal(rows_take_column(&lead, &got), i % 2 == 0);
        if (i % 2 == 0) {
            assert_true(got.table == 2 && got.row == 9 && got.origin.scope == 2 &&
                        got.origin.occurrence == 3);
            assert_true(str_eq_c(got.origin.key, "Late") && str_eq_c(got.origin.member, "m") &&
                        str_eq_c(got.name, "late"));
        }
        assert_false(rows_take_column(&lead, &got));
        before = places[i];
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(header),
                                       cmocka_unit_test(leads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
