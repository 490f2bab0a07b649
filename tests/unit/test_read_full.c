#include "core/base/read_full.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"

/* A pipe gives what one write has put, a piece at a time: reading goes on until the end. */
static void test_pieces(void **state)
{
    (void)state;
    int ends[2];
    char got[16] = {0};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abcdef", 6), 6);
    assert_int_equal(read_full(ends[0], got, 4), 4);
    assert_memory_equal(got, "abcd", 4);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(read_full(ends[0], got, sizeof got), 2); /* fewer: the end */
    assert_memory_equal(got, "ef", 2);
    assert_int_equal(read_full(ends[0], got, sizeof got), 0);
    assert_int_equal(close(ends[0]), 0);
}

static void test_offsets(void **state)
{
    (void)state;
    static const struct {
        off_t at;
        size_t n;
        const char *want;
    } rows[] = {{0, 3, "012"}, {3, 3, "345"}, {8, 3, "89"}, {10, 3, ""}, {99, 3, ""}, {0, 0, ""}};
    FILE *f = tmpfile();
    assert_non_null(f);
    int fd = fileno(f);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[4] = {0};
        assert_int_equal(pread_full(fd, got, rows[i].n, rows[i].at), strlen(rows[i].want));
        assert_string_equal(got, rows[i].want);
    }
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 10); /* the position stays */
    assert_int_equal(fclose(f), 0);
}

static void test_errors(void **state)
{
    (void)state;
    char got[4];
    int ends[2];
    errno = 0;
    assert_int_equal(read_full(-1, got, sizeof got), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(pipe(ends), 0);
    errno = 0;
    assert_int_equal(pread_full(ends[0], got, sizeof got, 0), -1); /* a pipe has no offsets */
    assert_int_equal(errno, ESPIPE);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
