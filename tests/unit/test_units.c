#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/units.h"
#include "core/sink.h"

#define BAD UINT64_MAX

struct unit_row {
    const char *text;
    uint64_t want;
};

static void check(const char *what, const struct unit_row *r, bool ok, uint64_t got)
{
    if (ok != (r->want != BAD) || (ok && got != r->want))
        fail_msg("%s \"%s\": got %d %llu, want %llu", what, r->text, ok, (unsigned long long)got,
                 (unsigned long long)r->want);
}

static void durations(void **state)
{
    (void)state;
    static const struct unit_row rows[] = {
        {"500ms", 500},
        {"30s", 30000},
        {"5m", 300000},
        {"2h", 7200000},
        {"0s", 0},
        {"007s", 7000},
        {"", BAD},
        {"s", BAD},
        {"30", BAD},
        {"-1s", BAD},
        {"+1s", BAD},
        {" 1s", BAD},
        {"1s ", BAD},
        {"30d", 2592000000},
        {"1w", BAD},
        {"1D", BAD},
        {"1.5s", BAD},
        {"1sm", BAD},
        {"1 s", BAD},
        {"9223372036854775807ms", INT64_MAX},
        {"1S", BAD},
        {"9223372036854775808ms", BAD},
        {"3000000h", 10800000000000},
        {"9223372036854775807h", BAD},
        {"106751991167d", 9223372036828800000},
        {"106751991168d", BAD},
        {"99999999999999999999999s", BAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -7;
        bool ok = units_duration(str_c(rows[i].text), &ms);
        check("duration", &rows[i], ok, (uint64_t)ms);
        if (!ok)
            assert_int_equal(ms, -7);
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct unit_row rows[] = {
        {"0", 0},        {"123", 123},   {"64K", 65536},        {"32M", 33554432},
        {"1G", 1 << 30}, {"1k", 1024},   {"2m", 2097152},       {"1g", 1 << 30},
        {"K", BAD},      {"", BAD},      {"1KB", BAD},          {"1T", BAD},
        {"0x10", BAD},   {"1_000", BAD}, {"99999999999G", BAD}, {"1.5M", BAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t got = 0;
        bool ok = units_size(str_c(rows[i].text), &got);
        check("size", &rows[i], ok, got);
    }
}

static void counts(void **state)
{
    (void)state;
    static const struct unit_row rows[] = {
        {"0", 0},    {"4096", 4096}, {"18446744073709551614", UINT64_MAX - 1},
        {"", BAD},   {"1K", BAD},    {"18446744073709551616", BAD},
        {"-1", BAD}, {"12a", BAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t got = 0;
        bool ok = units_uint(str_c(rows[i].text), &got);
        check("count", &rows[i], ok, got);
    }
}

static void percents(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t want;
    } rows[] = {
        {"0%", true, 0},         {"1%", true, 10000},
        {"100%", true, 1000000}, {"12.5%", true, 125000},
        {"0.0001%", true, 1},    {"99.9999%", true, 999999},
        {"007%", true, 70000},   {"100.0000%", true, 1000000},
        {"100.0001%", false, 0}, {"101%", false, 0},
        {"0.00001%", false, 0},  {"5", false, 0},
        {"%", false, 0},         {".5%", false, 0},
        {"5.%", false, 0},       {"-1%", false, 0},
        {"+1%", false, 0},       {"5 %", false, 0},
        {" 5%", false, 0},       {"5%%", false, 0},
        {"1e1%", false, 0},      {"18446744073709551616%", false, 0},
        {"", false, 0},          {"1,5%", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t got = 77;
        bool ok = units_percent(str_c(rows[i].text), &got);
        if (ok != rows[i].ok || got != (ok ? rows[i].want : 77))
            fail_msg("percent \"%s\": got %d %ju, want %d %ju", rows[i].text, ok, (uintmax_t)got,
                     rows[i].ok, (uintmax_t)rows[i].want);
    }
}

static void portions(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* "": any */
        uint64_t whole, want;
    } rows[] = {
        {"", 40, UINT64_MAX},
        {"7", 40, 7},
        {"7", 0, 7},
        {"0", 40, 0},
        {"12%", 40, 4},
        {"0%", 40, 0},
        {"100%", 40, 40},
        {"100%", 0, 0},
        {"99.9999%", 1000000, 999999},
        {"50%", UINT64_MAX, UINT64_MAX / 2},
        {"100%", UINT64_MAX, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct portion p = {.kind = PORTION_ANY};
        assert_int_equal(units_portion(str_c(rows[i].text), &p), rows[i].text[0] != '\0');
        uint64_t got = portion_of(&p, rows[i].whole);
        if (got != rows[i].want)
            fail_msg("portion \"%s\" of %ju: got %ju, want %ju", rows[i].text,
                     (uintmax_t)rows[i].whole, (uintmax_t)got, (uintmax_t)rows[i].want);
    }
}

/* One row: --max-gone, how many leads a table holds, and how many of them may go. */
static void gone_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t held, want;
    } rows[] = {
        {"", 0, 100},      {"", 999, 100},   {"", 1000, 100},       {"", 1010, 101},
        {"", 50000, 5000}, {"5%", 1000, 50}, {"0", 1000, 0},        {"0%", 1000, 0},
        {"3", 2, 3},       {"100%", 7, 7},   {"150", 1000000, 150},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct portion p = {.kind = PORTION_ANY};
        (void)units_portion(str_c(rows[i].text), &p);
        check("gone", &(struct unit_row){rows[i].text, rows[i].want}, true,
              sink_gone_allowed(&p, rows[i].held));
    }
}

static void rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double want; /* 0: refused */
    } rows[] = {
        {"10", 10},     {"10/s", 10}, {"600/m", 10}, {"30/m", 0.5}, {"0.5/s", 0.5},
        {"2.25", 2.25}, {"0", 0},     {"0/s", 0},    {"", 0},       {"/s", 0},
        {"10/h", 0},    {"-1", 0},    {"1e3", 0},    {"inf", 0},    {"nan", 0},
        {"1.", 0},      {".5", 0},    {"1.x", 0},    {"10 /s", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double got = 0;
        bool ok = units_rate(str_c(rows[i].text), &got);
        double off = got - rows[i].want;
        if (ok != (rows[i].want > 0) || off > 1e-9 || off < -1e-9)
            fail_msg("rate \"%s\": got %d %g, want %g", rows[i].text, ok, got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),    cmocka_unit_test(sizes), cmocka_unit_test(counts),
        cmocka_unit_test(percents),     cmocka_unit_test(rates), cmocka_unit_test(portions),
        cmocka_unit_test(gone_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
