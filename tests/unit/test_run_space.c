/* Whether there is room for a run's files, and what is said about it. */
#include "core/run/run_space.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/cmocka_all.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

struct said {
    unsigned n;
    enum finding_level level;
    char text[512];
};

static void note(void *ctx, enum finding_level level, const char *subject, const char *text)
{
    struct said *said = ctx;
    assert_string_equal(subject, "disk");
    said->n++;
    said->level = level;
    (void)snprintf(said->text, sizeof said->text, "%s", text);
}

static void expect(const struct run_space_item *item, enum finding_level level, const char *text)
{
    struct said said = {.n = 0};
    struct run_space space = {.items = {*item}, .n = 1};
    const struct findings f = {.ctx = &said, .add = note};
    run_space_report(&space, &f);
    if (said.n != 1 || said.level != level || strcmp(said.text, text) != 0)
        fail_msg("%u points, the level %d and\n%s\nand not 1, %d and\n%s", said.n, said.level,
                 said.text, level, text);
}

#define UNKNOWN                                                                                    \
    "how much a run needs there is not known (warns below 64.0 MiB, fails below 1.0 MiB)"
#define MAKE_ROOM "; make room, or write elsewhere"
#define BESIDE ", and new ones are written beside them "

static void bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes_free, bytes_then;
        enum finding_level level;
        const char *text;
    } rows[] = {
        {64 * MIB, 0, FINDING_OK, "/d: 64.0 MiB free on its file system; " UNKNOWN},
        {64 * MIB - 1, 0, FINDING_WARN,
         "/d: only 64.0 MiB free on its file system; " UNKNOWN MAKE_ROOM},
        {MIB, 0, FINDING_WARN, "/d: only 1.0 MiB free on its file system; " UNKNOWN MAKE_ROOM},
        {MIB - 512, 0, FINDING_FAIL,
         "/d: only 1023.5 KiB free on its file system; " UNKNOWN MAKE_ROOM},
        {0, 0, FINDING_FAIL, "/d: only 0 bytes free on its file system; " UNKNOWN MAKE_ROOM},
        {2 * GIB, GIB, FINDING_OK,
         "/d: 2.0 GiB free on its file system; the existing files have 1.0 GiB" BESIDE
         "(warns below 2.0 GiB, fails below 1.0 GiB)"},
        {2 * GIB - 1, GIB, FINDING_WARN,
         "/d: only 2.0 GiB free on its file system; the existing files have 1.0 GiB" BESIDE
         "(warns below 2.0 GiB, fails below 1.0 GiB)" MAKE_ROOM},
        {GIB, GIB, FINDING_WARN,
         "/d: only 1.0 GiB free on its file system; the existing files have 1.0 GiB" BESIDE
         "(warns below 2.0 GiB, fails below 1.0 GiB)" MAKE_ROOM},
        {GIB - 1, GIB, FINDING_FAIL,
         "/d: only 1024.0 MiB free on its file system; the existing files have 1.0 GiB" BESIDE
         "(warns below 2.0 GiB, fails below 1.0 GiB)" MAKE_ROOM},
        {GIB, 3 * KIB, FINDING_OK,
         "/d: 1.0 GiB free on its file system; the existing files have 3.0 KiB" BESIDE
         "(warns below 64.0 MiB, fails below 1.0 MiB)"},
        {GIB, UINT64_MAX, FINDING_FAIL,
         "/d: only 1.0 GiB free on its file system; the existing files have 16777216.0 TiB" BESIDE
         "(warns below 16777216.0 TiB, fails below 16777216.0 TiB)" MAKE_ROOM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct run_space_item item = {
            .folder = "/d", .bytes_free = rows[i].bytes_free, .bytes_then = rows[i].bytes_then};
        expect(&item, rows[i].level, rows[i].text);
    }
}

static void files(void **state)
{
    (void)state;
    struct run_space_item item = {
        .folder = "/d", .bytes_free = GIB, .counts_files = 1, .files_free = 99};
    expect(
        &item, FINDING_FAIL,
        "/d: its file system can hold only 99 more files (fails below 100); delete some, or write elsewhere");
    item.files_free = 100;
    expect(&item, FINDING_OK, "/d: 1.0 GiB free on its file system; " UNKNOWN);
    item.files_free = 0;
    item.counts_files = 0;
    expect(&item, FINDING_OK, "/d: 1.0 GiB free on its file system; " UNKNOWN);
}

/* Only a state says whose files they are. */
static void last_run(void **state)
{
    (void)state;
    struct said said = {.n = 0};
    struct run_space space = {.items = {{.folder = "/d", .bytes_free = GIB, .bytes_then = KIB}},
                              .n = 1,
                              .has_last_run = true};
    const struct findings f = {.ctx = &said, .add = note};
    run_space_report(&space, &f);
    if (!strstr(said.text, "; the files of the last run have 1.0 KiB" BESIDE))
        fail_msg("%s", said.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes), cmocka_unit_test(files),
                                       cmocka_unit_test(last_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
