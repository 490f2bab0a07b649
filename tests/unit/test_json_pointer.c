/* JSON pointers: RFC 6901. */
#include "cmocka_all.h"

#include "core/json/json_pointer.h"

/* The document of RFC 6901, section 5, and some more. */
#define DOCUMENT                                                                                   \
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,\"i\\\\j\":5,"      \
    "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9,\"0\":{\"1\":[[\"x\"]]},\"null\":null}"

static const struct {
    const char *pointer, *value; /* NULL: there is none */
} finds[] = {
    {"", DOCUMENT},
    {"/foo", "[\"bar\",\"baz\"]"},
    {"/foo/0", "\"bar\""},
    {"/foo/1", "\"baz\""},
    {"/", "0"},
    {"/a~1b", "1"},
    {"/c%d", "2"},
    {"/e^f", "3"},
    {"/g|h", "4"},
    {"/i\\j", "5"},
    {"/k\"l", "6"},
    {"/ ", "7"},
    {"/m~0n", "8"},
    {"/~01", "9"},
    {"/0/1/0/0", "\"x\""},
    {"/null", "null"},
    {"/null/x", NULL},
    {"/foo/2", NULL},
    {"/foo/-", NULL},
    {"/foo/00", NULL},
    {"/foo/01", NULL},
    {"/foo/+1", NULL},
    {"/foo/", NULL},
    {"/foo/0x0", NULL},
    {"/foo/18446744073709551616", NULL},
    {"/foo/0/0", NULL},
    {"/Foo", NULL},
    {"/a", NULL},
    {"//", NULL},
};

static void test_find(void **state)
{
    (void)state;
    struct arena a;
    struct json_doc doc;
    arena_init(&a, 1 << 20);
    assert_int_equal(json_parse(&a, STR(DOCUMENT), JSON_TREE, &doc, NULL), RC_OK);
    for (size_t i = 0; i < sizeof finds / sizeof *finds; i++) {
        struct json_pointer p;
        struct err e = {.msg = ""};
        struct buf got;
        buf_init(&got, 1 << 16);
        if (json_pointer_parse(&p, &a, str_c(finds[i].pointer), &e) != RC_OK)
            fail_msg("%s: %s", finds[i].pointer, e.msg);
        assert_string_equal(p.text.ptr, finds[i].pointer);
        const cJSON *value = json_pointer_find(&p, doc.root);
        if (value)
            json_write(&got, value);
        if (!value != !finds[i].value || (value && strcmp(buf_cstr(&got), finds[i].value) != 0))
            fail_msg("\"%s\": %s, not %s", finds[i].pointer, value ? buf_cstr(&got) : "(none)",
                     finds[i].value ? finds[i].value : "(none)");
        buf_free(&got);
    }
    struct json_pointer none;
    assert_int_equal(json_pointer_parse(&none, &a, STR("/x"), NULL), RC_OK);
    assert_null(json_pointer_find(&none, NULL));
    arena_free(&a);
}

static const struct {
    const char *pointer, *text;
} refusals[] = {
    {"foo", "must be empty or begin with a slash"},
    {"#/foo", "must be empty or begin with a slash"},
    {"/a~", "must have only ~0 and ~1 after a ~"},
    {"/a~2", "must have only ~0 and ~1 after a ~"},
    {"/~/b", "must have only ~0 and ~1 after a ~"},
    {"/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3",
     "must have at most 32 steps"},
};

static void test_refuse(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct json_pointer p;
        struct err e = {.msg = ""};
        assert_int_equal(json_pointer_parse(&p, &a, str_c(refusals[i].pointer), &e), RC_SYNTAX);
        assert_string_equal(e.msg, refusals[i].text);
    }
    struct err e;
    struct json_pointer p;
    assert_int_equal(json_pointer_parse(&p, &a, (struct str){"/a\0b", 4}, &e), RC_SYNTAX);
    assert_string_equal(e.msg, "must have no NUL");
    arena_free(&a);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct arena a;
    struct json_pointer p;
    struct err e;
    arena_init(&a, 1);
    assert_int_equal(json_pointer_parse(&p, &a, STR("/a/b"), &e), RC_NOMEM);
    arena_free(&a);
}

/* A name that comes more than once is found, wherever it is. */
static void test_repeated(void **state)
{
    (void)state;
    static const struct {
        const char *json, *name;
    } rows[] = {
        {"{\"a\":1,\"b\":[{\"a\":2}]}", NULL},
        {"{\"a\":1,\"a\":2}", "a"},
        {"[{\"x\":{\"b\":1,\"c\":2,\"b\":1}}]", "b"},
        {"{\"\\u0061\":1,\"a\":1}", "a"},
        {"{\"a\":1,\"A\":1}", NULL},
        {"{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"10\":0,\"11\":0,"
         "\"12\":0,\"13\":0,\"14\":0,\"15\":0,\"16\":0,\"17\":0,\"18\":0,\"19\":0,\"20\":0,\"21\":0,"
         "\"22\":0,\"23\":0,\"24\":0,\"25\":0,\"26\":0,\"27\":0,\"28\":0,\"29\":0,\"30\":0,\"31\":0,"
         "\"32\":0,\"33\":0,\"34\":0,\"35\":0,\"36\":0,\"7\":1}",
         "7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct json_doc doc;
        arena_init(&a, 1 << 20);
        assert_int_equal(json_parse(&a, str_c(rows[i].json), JSON_TREE, &doc, NULL), RC_OK);
        if (!doc.repeated != !rows[i].name)
            fail_msg("%s: %s", rows[i].json, doc.repeated ? doc.repeated->string : "(none)");
        if (doc.repeated)
            assert_string_equal(doc.repeated->string, rows[i].name);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
