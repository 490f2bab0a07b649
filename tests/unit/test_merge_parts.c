/* What leadpipe merge is made of: which shard is next, lines of lists, relative paths. */
#include <stdlib.h>

#include "core/file/relative.h"
#include "merge/list_merge.h"
#include "merge/merge_totals.h"
#include "merge/shard_heap.h"

#include "cmocka_all.h"

static void heap(void **state)
{
    struct shard_heap_item room[64];
    struct shard_heap h = {.items = room};
    uint64_t seed = 1;
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        seed = seed * 6364136223846793005U + 1;
        shard_heap_put(&h, (struct shard_heap_item){seed >> 60, i});
    }
    struct shard_heap_item last = {0, 0};
    for (size_t i = 0; i < 640; i++) { /* each ten times: as shards have leads */
        struct shard_heap_item item = h.items[0];
        if (i < 576) {
            seed = seed * 6364136223846793005U + 1;
            shard_heap_replace(&h,
                               (struct shard_heap_item){item.number + (seed >> 60), item.shard});
        } else {
            shard_heap_take(&h);
        }
        assert_true(i == 0 || item.number > last.number ||
                    (item.number == last.number && item.shard >= last.shard));
        last = item;
    }
    assert_int_equal(h.n, 0);
}

static void lines(void **state)
{
    static const struct {
        const char *line, *rest; /* NULL: it is none */
        uint64_t number;
    } each[] = {
        {"{\"id\":\"a\",\"number\":12}\n", "{\"id\":\"a\"", 12},
        {"{\"id\":\",\\\"number\\\":7}\",\"number\":0}\n", "{\"id\":\",\\\"number\\\":7}\"", 0},
        {"{\"id\":\"a\"}\n", NULL, 0},
        {"{\"id\":\"a\",\"number\":}\n", NULL, 0},
        {"{\"id\":\"a\",\"number\":12}", NULL, 0},
        {"{\"id\":\"a\",\"number\":99999999999999999999}\n", NULL, 0},
        {",\"number\":1}\n", NULL, 0},
        {"}\n", NULL, 0},
        {"", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct str rest = STR_NONE;
        uint64_t number = 0;
        bool good = list_line_take(str_c(each[i].line), &rest, &number);
        if (good != (each[i].rest != NULL) ||
            (good && (number != each[i].number || !str_eq_c(rest, each[i].rest))))
            fail_msg("%s: %d, %.*s", each[i].line, good, STR_ARG(rest));
    }
}

static void paths(void **state)
{
    static const char *const each[][3] = {
        {"/a/b/c", "/a/b", "c"},    {"/a/b/c/d", "/a/b", "c/d"}, {"/a/c", "/a/b", "../c"},
        {"/c", "/a/b", "../../c"},  {"x/m", "x", "m"},           {"./x//m", "x/.", "m"},
        {"y/../x/m", "x", "m"},     {"m", "x", "../m"},          {"/a", "/", "a"},
        {"/ab/c", "/a", "../ab/c"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct buf b;
        struct err e;
        buf_init(&b, 4096);
        assert_int_equal(relative_path(each[i][0], each[i][1], &b, &e), RC_OK);
        if (strcmp(buf_cstr(&b), each[i][2]) != 0)
            fail_msg("%s from %s: %s, not %s", each[i][0], each[i][1], buf_cstr(&b), each[i][2]);
        buf_free(&b);
    }
}

/* What a manifest says may be any number. */
static void misfits(void **state)
{
    static const struct {
        uint64_t n[2], sum; /* 0: it is refused */
    } each[] = {{{1, 2}, 3}, {{UINT64_MAX, 0}, UINT64_MAX}, {{UINT64_MAX, 1}, 0}};
    const struct str columns[] = {STR("a")};
    const struct sink_file file = {.table = "leads", .columns = columns, .n_columns = 1};
    const struct sink_result result = {.files = (struct sink_file *)(uintptr_t)&file, .n_files = 1};
    (void)state;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        struct sink_misfits found[2];
        struct shard_sink sinks[2];
        struct shard_manifest shards[2];
        for (size_t k = 0; k < 2; k++) {
            found[k] = (struct sink_misfits){.table = "leads", .column = "a", .n = each[i].n[k]};
            sinks[k] = (struct shard_sink){.misfits = &found[k], .n_misfits = 1};
            shards[k] = (struct shard_manifest){.path = "m.json", .sinks = &sinks[k], .n_sinks = 1};
        }
        const struct shard_set set = {.shards = shards, .n = 2};
        struct sink_misfits *list = NULL;
        struct err e = {.msg = ""};
        size_t n = 0;
        enum rc rc = merge_misfits(&set, 0, &result, &list, &n, &e);
        if (each[i].sum ? rc != RC_OK || n != 1 || list->n != each[i].sum : rc != RC_USAGE)
            fail_msg("row %zu: %s, \"%s\", %zu", i, rc_text(rc), e.msg, n);
        free(list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(heap), cmocka_unit_test(lines),
                                       cmocka_unit_test(paths), cmocka_unit_test(misfits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
