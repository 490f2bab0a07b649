#include "core/json/member.h"

#include "cmocka_all.h"

enum read { OBJECT, LIST, TEXT, SOME_TEXT, CHOICE, WHOLE, BOOLEAN, POINTER };

static enum rc read_as(const struct member_reader *r, const struct member *at, enum read how)
{
    struct str text;
    struct json_pointer pointer;
    unsigned choice;
    uint64_t whole;
    size_t n;
    bool boolean;
    switch (how) {
    case OBJECT:
        return member_object(r, at, "name url");
    case LIST:
        return member_list(r, at, 1, 2, &n);
    case TEXT:
        return member_text(r, at, 4, &text);
    case SOME_TEXT:
        return member_some_text(r, at, 4, &text);
    case CHOICE:
        return member_choice(r, at, "red green", &choice);
    case WHOLE:
        return member_whole(r, at, 2, 9, &whole);
    case BOOLEAN:
        return member_boolean(r, at, &boolean);
    case POINTER:
        break;
    }
    return member_pointer(r, at, &pointer);
}

/* Of /a of a document. */
static void test_kinds(void **state)
{
    (void)state;
    const struct {
        const char *json;
        enum read how;
        const char *want; /* NULL: it is taken */
    } rows[] = {
        {"{\"a\":{\"name\":1}}", OBJECT, NULL},
        {"{}", OBJECT, "f: /a: is missing (allowed: an object)"},
        {"[]", OBJECT, "f: /a: is missing (allowed: an object)"},
        {"{\"a\":[]}", OBJECT, "f: /a: must be an object"},
        {"{\"a\":{\"nam\":1}}", OBJECT,
         "f: /a/nam: unknown member \"nam\"; did you mean \"name\"? (allowed: name, url)"},
        {"{\"a\":{\"x/~\\n\":1}}", OBJECT,
         "f: /a/x~1~0?: unknown member \"x/~?\" (allowed: name, url)"},
        {"{\"a\":[1,2]}", LIST, NULL},
        {"{\"a\":[]}", LIST, "f: /a: must have 1 to 2 elements, not 0"},
        {"{\"a\":[1,2,3]}", LIST, "f: /a: must have 1 to 2 elements, not 3"},
        {"{\"a\":\"\"}", TEXT, NULL},
        {"{\"a\":\"abcde\"}", TEXT, "f: /a: must have at most 4 bytes"},
        {"{\"a\":\"a\\tb\"}", TEXT, "f: /a: must have no control characters"},
        {"{\"a\":1}", TEXT, "f: /a: must be a text"},
        {"{\"a\":\"abcd\"}", SOME_TEXT, NULL},
        {"{\"a\":\"\"}", SOME_TEXT, "f: /a: must not be empty"},
        {"{}", SOME_TEXT, "f: /a: is missing (allowed: a text)"},
        {"{\"a\":\"green\"}", CHOICE, NULL},
        {"{\"a\":\"gren\"}", CHOICE,
         "f: /a: unknown value \"gren\"; did you mean \"green\"? (allowed: red, green)"},
        {"{\"a\":true}", CHOICE, "f: /a: must be one of the texts red green"},
        {"{\"a\":2}", WHOLE, NULL},
        {"{\"a\":10}", WHOLE, "f: /a: must be a whole number from 2 to 9, not 10"},
        {"{\"a\":2.5}", WHOLE, "f: /a: must be a whole number from 2 to 9, not 2.5"},
        {"{\"a\":\"2\"}", WHOLE, "f: /a: must be a whole number"},
        {"{\"a\":false}", BOOLEAN, NULL},
        {"{\"a\":0}", BOOLEAN, "f: /a: must be true or false"},
        {"{\"a\":\"/x/0\"}", POINTER, NULL},
        {"{\"a\":\"x\"}", POINTER, "f: /a: is not a JSON pointer: it "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct json_doc doc;
        struct err e = {.rc = RC_OK};
        const struct member_reader r = {&arena, "f", &e};
        arena_init(&arena, 1 << 20);
        assert_int_equal(json_parse(&arena, str_c(rows[i].json), JSON_TREE, &doc, &e), RC_OK);
        const struct member top = {.json = doc.root};
        const struct member at = member_of(&top, "a");
        enum rc rc = read_as(&r, &at, rows[i].how);
        const char *want = rows[i].want;
        if (want ? rc != RC_USAGE || strncmp(e.msg, want, strlen(want)) != 0 : rc != RC_OK)
            fail_msg("%s: got %s \"%s\", want \"%s\"", rows[i].json, rc_text(rc), e.msg,
                     want ? want : "no error");
        arena_free(&arena);
    }
}

static void test_way(void **state)
{
    (void)state;
    struct arena arena;
    struct json_doc doc;
    struct err e;
    struct buf way;
    arena_init(&arena, 1 << 20);
    buf_init(&way, 100);
    assert_int_equal(
        json_parse(&arena, STR("{\"list\":[{\"x\":1},{\"y\":2}]}"), JSON_TREE, &doc, &e), RC_OK);
    const struct member top = {.json = doc.root};
    const struct member list = member_of(&top, "list");
    struct member element = member_first(&list);
    member_next(&element);
    const struct member y = member_first(&element);
    member_write_way(&way, &y, NULL);
    assert_string_equal(buf_cstr(&way), "/list/1/y");
    buf_clear(&way);
    member_write_way(&way, &y, &list);
    assert_string_equal(buf_cstr(&way), "/1/y");
    member_next(&element);
    assert_null(element.json);
    buf_free(&way);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
