#include "core/provider/path.h"

#include "core/json/json.h"

#include "cmocka_all.h"

static struct arena memory;

static int set_up(void **state)
{
    (void)state;
    arena_init(&memory, (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(&memory);
    return 0;
}

static struct path path_of(const char *text)
{
    struct path p;
    struct err e;
    if (path_parse(&p, &memory, str_c(text), &e))
        fail_msg("%s: %s", text, e.msg);
    return p;
}

static void test_steps(void **state)
{
    (void)state;
    struct path p = path_of("/a~1b/*/~01/");
    assert_int_equal(p.n_steps, 4);
    assert_int_equal(p.n_stars, 1);
    assert_string_equal(p.steps[0].name.ptr, "a/b");
    assert_true(path_step_is_star(&p.steps[1]));
    assert_string_equal(p.steps[2].name.ptr, "~1");
    assert_string_equal(p.steps[3].name.ptr, "");
    assert_string_equal(p.text.ptr, "/a~1b/*/~01/");
    assert_int_equal(path_of("").n_steps, 0);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const wrong[] = {"a", "a/b", "/a~", "/a~2", "/~~", "*"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct path p;
        assert_int_equal(path_parse(&p, &memory, str_c(wrong[i]), NULL), RC_SYNTAX);
    }
    char deep[2 * PATH_STEPS_MAX + 3];
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = i % 2 ? 'a' : '/';
    struct path p;
    assert_int_equal(path_parse(&p, &memory, (struct str){deep, 2 * PATH_STEPS_MAX}, NULL), RC_OK);
    assert_int_equal(path_parse(&p, &memory, (struct str){deep, sizeof deep - 1}, NULL), RC_SYNTAX);
}

static void test_where_paths_lie(void **state)
{
    (void)state;
    static const struct {
        const char *path, *each;
        bool lies_on, begins_with;
    } cases[] = {
        {"", "/a/*", true, false},
        {"/x/y", "/a/*", true, false},
        {"/a/*", "/a/*", true, true},
        {"/a/*/b", "/a/*", true, true},
        {"/a/*/b", "/a/*/c/*", true, false},
        {"/a/*/c/*/d", "/a/*/c/*", true, true},
        {"/a/*/b/*", "/a/*/c/*", false, false},
        {"/a/*/c/*", "/a/*", false, true},
        {"/b/*", "/a/*", false, false},
        {"/a/*/b", "/a/b", false, false},
        {"/a/*", "", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct path p = path_of(cases[i].path), each = path_of(cases[i].each);
        if (path_lies_on(&p, &each) != cases[i].lies_on ||
            path_begins_with(&p, &each) != cases[i].begins_with)
            fail_msg("\"%s\" and \"%s\"", cases[i].path, cases[i].each);
    }
}

static void test_finding(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value; /* NULL: nothing there */
    } cases[] = {
        {"", "{\"a\":{\"b\":[[1],2]},\"A\":null,\"e\":[]}"},
        {"/a/b", "[[1],2]"},
        {"/a/b/*", "[1]"},
        {"/a/b/*/*", "1"},
        {"/A", "null"},
        {"/A/b", NULL},
        {"/a/*", NULL},
        {"/a/b/c", NULL},
        {"/e/*", NULL},
    };
    struct json_doc doc;
    assert_int_equal(json_parse(&memory, str_c(cases[0].value), JSON_TREE, &doc, NULL), RC_OK);
    struct buf b;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct path p = path_of(cases[i].path);
        const cJSON *v = path_find(&p, doc.root);
        if (!cases[i].value) {
            assert_null(v);
            continue;
        }
        assert_non_null(v);
        buf_clear(&b);
        json_write(&b, v);
        assert_string_equal(buf_cstr(&b), cases[i].value);
    }
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_where_paths_lie),
        cmocka_unit_test(test_finding),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
