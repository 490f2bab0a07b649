#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sinks/registry.h"

/* A registry of its own: one sink with options of every type. */
struct fake_opts {
    bool flag;
    int choice;
    int64_t count, level, wait_ms;
    double rate_per_s;
    const char *text;
    struct text_list list;
};

#define AT(type, member) OPTION_AT(struct fake_opts, type, member)

static const struct option_spec fake_specs[] = {
    {.name = "flag", AT(FLAG, flag)},
    {.name = "choice", AT(CHOICE, choice), .choices = "red|green|blue", .default_text = "green"},
    {.name = "count", AT(NUMBER, count), .min = 1, .max = 100, .default_text = "7"},
    {.name = "level", AT(NUMBER, level), .max = 9, .choices = "auto", .default_text = "auto"},
    {.name = "wait", AT(DURATION, wait_ms), .min = 10, .max = 60000, .default_text = "2s"},
    {.name = "rate", AT(RATE, rate_per_s)},
    {.name = "text", AT(TEXT, text)},
    {.name = "list", AT(LIST, list)},
    {.name = NULL},
};
static const struct sink_ops fake = {
    .name = "fake", .opts = fake_specs, .opts_size = sizeof(struct fake_opts)};
static const struct sink_ops bare = {.name = "bare"};
const struct sink_ops *const sink_registry[] = {&fake, &bare, NULL};

const char *sink_left_out(struct str name)
{
    return str_eq_c(name, "rare") ? "LEADPIPE_RARE" : NULL;
}

const struct sink_ops *sink_by_name(struct str name)
{
    for (size_t i = 0; sink_registry[i]; i++)
        if (str_eq_c(name, sink_registry[i]->name))
            return sink_registry[i];
    return NULL;
}

static struct sink_spec parse_ok(const char *text)
{
    struct err e = {0};
    struct sink_spec s = {0};
    if (sink_spec_parse(&s, text, &e) != RC_OK)
        fail_msg("%s: %s", text, e.msg);
    assert_string_equal(s.text, text);
    return s;
}

static void defaults(void **state)
{
    (void)state;
    struct sink_spec s = parse_ok("fake:out");
    const struct fake_opts *o = s.opts;
    assert_ptr_equal(s.ops, &fake);
    assert_string_equal(s.target, "out");
    assert_false(o->flag);
    assert_int_equal(o->choice, 1);
    assert_int_equal(o->count, 7);
    assert_int_equal(o->level, OPTION_AUTO);
    assert_int_equal(o->wait_ms, 2000);
    assert_true(o->rate_per_s >= 0 && o->rate_per_s <= 0);
    assert_null(o->text);
    assert_int_equal(o->list.n, 0);
    sink_spec_free(&s);
    assert_null(s.opts);
    sink_spec_free(&s);
    s = parse_ok("bare:-");
    assert_string_equal(s.target, "-");
    sink_spec_free(&s);
}

static void values(void **state)
{
    (void)state;
    struct sink_spec s =
        parse_ok("fake,flag,choice=blue,count=100,level=0,wait=500ms,rate=30/m,"
                 "text=a\\,b\\\\c\\d: e,list=X-One: 1,list=\\,,list=three:C:/x,y=z");
    const struct fake_opts *o = s.opts;
    assert_string_equal(s.target, "C:/x,y=z");
    assert_true(o->flag);
    assert_int_equal(o->choice, 2);
    assert_int_equal(o->count, 100);
    assert_int_equal(o->level, 0);
    assert_int_equal(o->wait_ms, 500);
    assert_true(o->rate_per_s > 0.49 && o->rate_per_s < 0.51);
    assert_string_equal(o->text, "a,b\\c\\d: e");
    assert_int_equal(o->list.n, 3);
    assert_string_equal(o->list.items[0], "X-One: 1");
    assert_string_equal(o->list.items[1], ",");
    assert_string_equal(o->list.items[2], "three");
    sink_spec_free(&s);
}

/* The colons of an http or https URL belong to the value, and no others. */
static void values_that_are_urls(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *text, *target;
    } rows[] = {
        {"fake,text=http://h:t", "http://h", "t"},
        {"fake,text=http://h:80:t", "http://h:80", "t"},
        {"fake,text=https://h:8443/a/b:t", "https://h:8443/a/b", "t"},
        {"fake,text=https://h/a:t", "https://h/a", "t"},
        {"fake,text=https://h/a:80", "https://h/a", "80"},
        {"fake,text=http://[::1]:8080/x:t", "http://[::1]:8080/x", "t"},
        {"fake,text=http://[::1]:t", "http://[::1]", "t"},
        {"fake,text=http://h:80,flag:t", "http://h:80", "t"},
        {"fake,flag,text=http://127.0.0.1:80:s3://b/k", "http://127.0.0.1:80", "s3://b/k"},
        {"fake,text=http://h:80a", "http://h", "80a"},
        {"fake,text=http://:t", "http://", "t"},
        {"fake,text=ftp://h:t", "ftp", "//h:t"},
        {"fake,text=x:http://h:80/p", "x", "http://h:80/p"},
        {"fake,text=http:/h:t", "http", "/h:t"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink_spec s = parse_ok(rows[i].spec);
        const struct fake_opts *o = s.opts;
        if (strcmp(o->text, rows[i].text) != 0 || strcmp(s.target, rows[i].target) != 0)
            fail_msg("%s: got \"%s\" and \"%s\", want \"%s\" and \"%s\"", rows[i].spec, o->text,
                     s.target, rows[i].text, rows[i].target);
        sink_spec_free(&s);
    }
}

static void long_list(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, SIZE_MAX / 2);
    buf_adds(&text, "fake");
    for (int i = 0; i < 1000; i++)
        buf_addf(&text, ",list=item %d", i);
    buf_adds(&text, ":t");
    struct sink_spec s = parse_ok(buf_cstr(&text));
    const struct fake_opts *o = s.opts;
    assert_int_equal(o->list.n, 1000);
    assert_string_equal(o->list.items[999], "item 999");
    assert_string_equal(o->list.items[512], "item 512");
    sink_spec_free(&s);
    buf_free(&text);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "unknown sink \"\"; the sinks are: fake, bare"},
        {"rare:x", "this build has no rare sink: rebuild with -DLEADPIPE_RARE=ON"},
        {"fkae:x", "unknown sink \"fkae\"; the sinks are: fake, bare"},
        {"fake", "fake: missing target"},
        {"fake:", "fake: missing target"},
        {"fake,flag", "fake: missing target"},
        {"fake,list=a: b", "fake: missing target"},
        {"fake,:x", "fake: a comma must be followed by an option; write KIND["},
        {"fake,", "fake: a comma must be followed by an option; write KIND["},
        {"fake,flag,:x", "fake: a comma must be followed by an option; write KIND["},
        {"fake,,flag:x", "fake: a comma must be followed by an option; write KIND["},
        {"fake,=1:x", "fake: a comma must be followed by an option; write KIND["},
        {"bare,:x", "bare: a comma must be followed by an option; write KIND["},
        {"fake,colour=red:x",
         "fake: unknown option \"colour\"; the options are: flag, choice, count, "
         "level, wait, rate, text, list"},
        {"fake,tetx=a:x", "fake: unknown option \"tetx\"; did you mean text?"},
        {"fake,ch=red:x", "fake: unknown option \"ch\"; did you mean choice?"},
        {"bare,x:y", "bare: unknown option \"x\"; it has no options"},
        {"fake,flag=yes:x", "fake: flag: takes no value"},
        {"fake,choice:x", "fake: choice: missing value: red|green|blue"},
        {"fake,choice=pink:x", "fake: choice: \"pink\" is not one of red|green|blue"},
        {"fake,choice=re:x", "fake: choice: \"re\" is not one of red|green|blue"},
        {"fake,choice=:x", "fake: choice: \"\" is not one of red|green|blue"},
        {"fake,count=0:x", "fake: count: \"0\" is not a whole number from 1 to 100"},
        {"fake,count=101:x", "fake: count: \"101\" is not a whole number from 1 to 100"},
        {"fake,count=auto:x", "fake: count: \"auto\" is not a whole number from 1 to 100"},
        {"fake,level=10:x", "fake: level: \"10\" is not auto or a whole number from 0 to 9"},
        {"fake,level=-1:x", "fake: level: \"-1\" is not auto or a whole number from 0 to 9"},
        {"fake,wait=5:x", "fake: wait: \"5\" is not a duration such as 500ms, 30s, 5m, 2h or 7d"},
        {"fake,wait=2m:x", "fake: wait: \"2m\" is not between 10ms and 1m"},
        {"fake,rate=0:x", "fake: rate: \"0\" is not a rate such as 10, 10/s or 600/m"},
        {"fake,text=:x", "fake: text: TEXT must not be empty"},
        {"fake,list=:x", "fake: list: TEXT must not be empty"},
        {"fake,count=1,count=2:x", "fake: count: given more than once; it is not repeatable"},
        {"fake,flag,flag:x", "fake: flag: given more than once; it is not repeatable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        struct sink_spec s = {0};
        enum rc rc = sink_spec_parse(&s, rows[i].text, &e);
        if (rc != RC_USAGE || strncmp(e.msg, rows[i].want, strlen(rows[i].want)) != 0)
            fail_msg("\"%s\": got %s \"%s\", want \"%s\"", rows[i].text, rc_text(rc), e.msg,
                     rows[i].want);
        assert_null(s.ops);
    }
}

static void labels(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"fake,list=secret:out/", "fake:out/"},
        {"fake:-", "fake:-"},
        {"fake:a?b@c", "fake:a?b@c"},
        {"fake:https://h.example/hook", "fake:https://h.example/hook"},
        {"fake:https://me:pw@h.example/hook?key=1#x", "fake:https://h.example/hook"},
        {"fake:https://h.example?key=@x", "fake:https://h.example"},
        {"fake:https://h.example/@x", "fake:https://h.example/@x"},
        {"fake:https://a@b@c", "fake:https://c"},
        {"fake:https://", "fake:https://"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink_spec s = parse_ok(rows[i].text);
        assert_string_equal(s.label, rows[i].want);
        sink_spec_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
        cmocka_unit_test(values_that_are_urls),
        cmocka_unit_test(long_list),
        cmocka_unit_test(refusals),
        cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
