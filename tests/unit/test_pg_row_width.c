#include "sinks/postgres/row_width.h"

#include <stdlib.h>

#include "cmocka_all.h"

/* Measured: how many text columns of one length PostgreSQL takes in a row of a table with 1,200 of them. */
static void test_measured(void **state)
{
    (void)state;
    static const struct {
        uint32_t len;
        uint32_t most;
    } rows[] = {{19, 399}, {20, 380}, {21, 362},  {22, 347},
                {23, 332}, {24, 443}, {200, 443}, {3000, 443}};
    struct extra *extras = calloc(1200, sizeof *extras);
    assert_non_null(extras);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct row row = {.extras = extras};
        for (size_t k = 0; k < 1200; k++)
            extras[k].cell = (struct cell){.kind = CELL_TEXT, .len = rows[i].len};
        while (pg_row_fits(&row, 0, 1200 - row.n_extras) && row.n_extras < 1200)
            row.n_extras++;
        uint32_t fits = row.n_extras - 1;
        if (fits > rows[i].most || fits < rows[i].most - 10)
            fail_msg("of %u bytes: %u fit, PostgreSQL takes %u", rows[i].len, fits, rows[i].most);
    }
    free(extras);
}

static void test_cells(void **state)
{
    (void)state;
    static const struct {
        struct cell cell;
        uint32_t n;
        bool fits;
    } rows[] = {
        {{.kind = CELL_NULL}, 1500, true},
        {{.kind = CELL_ABSENT}, 1500, true},
        {{.kind = CELL_TRUE}, 1200, true},
        {{.kind = CELL_FALSE}, 1400, false},
        {{.kind = CELL_NUMBER, .len = 1}, 1500, true},
        {{.kind = CELL_NUMBER, .len = 30}, 460, false},
        {{.kind = CELL_JSON}, 400, true},
        {{.kind = CELL_JSON}, 460, false},
    };
    struct extra *extras = calloc(1500, sizeof *extras);
    assert_non_null(extras);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct row row = {.extras = extras, .n_extras = rows[i].n};
        for (size_t k = 0; k < rows[i].n; k++)
            extras[k].cell = rows[i].cell;
        if (pg_row_fits(&row, 0, 0) != rows[i].fits)
            fail_msg("row %zu: %s", i, rows[i].fits ? "does not fit" : "fits");
    }
    free(extras);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
