/* From JSON with directives and a lead to what is sent. */
#include "tables_text.h"

#include <stdio.h>

#include "core/sink.h"
#include "sinks/push/template_internal.h"

#define PROFILE                                                                                    \
    "{\"profile\":1,\"name\":\"acme\",\"servers\":[{\"name\":\"m\",\"url\":\"http://h\"}],"        \
    "\"path\":\"/{agentId}/{id}\",\"payload\":{\"root\":\"/data\"},\"tables\":[{\"name\":"         \
    "\"leads\",\"each\":\"\",\"columns\":["                                                        \
    "{\"name\":\"name\",\"value\":\"/name\"},{\"name\":\"email\",\"value\":\"/email\"},"           \
    "{\"name\":\"size\",\"value\":\"/size\",\"type\":\"integer\"},"                                \
    "{\"name\":\"ok\",\"value\":\"/ok\",\"type\":\"boolean\"},"                                    \
    "{\"name\":\"at\",\"value\":\"/at\",\"type\":\"timestamp\"},"                                  \
    "{\"name\":\"what\",\"value\":\"/what\",\"type\":\"json\"},"                                   \
    "{\"name\":\"none\",\"value\":\"/none\"}],"                                                    \
    "\"objects\":[{\"path\":\"\",\"prefix\":\"\"},{\"path\":\"/meta\",\"prefix\":\"meta_\"}],"     \
    "\"pivots\":[{\"each\":\"/list/*\",\"key\":\"/list/*/k\",\"value\":\"/list/*/v\",\"prefix\":"  \
    "\"checklist_\"}]},"                                                                           \
    "{\"name\":\"notes\",\"each\":\"/notes/*\",\"columns\":["                                      \
    "{\"name\":\"position\",\"position\":\"/notes/*\"},"                                           \
    "{\"name\":\"text\",\"value\":\"/notes/*/text\"}],"                                            \
    "\"objects\":[{\"path\":\"/notes/*\",\"prefix\":\"\"},"                                        \
    "{\"path\":\"/notes/*/by\",\"prefix\":\"by_\"}]},"                                             \
    "{\"name\":\"files\",\"each\":\"/files/*\",\"columns\":["                                      \
    "{\"name\":\"position\",\"position\":\"/files/*\"}]}]}"

#define PAYLOAD                                                                                    \
    "{\"data\":{\"name\":\" Zo\\u00eb \\ud83d\\ude00 \",\"email\":\"A@B.example\",\"size\":"       \
    "12345678901234567890123,\"ok\":true,\"at\":\"2026-01-30T23:00:00.5-05:00\",\"what\":{\"a\":"  \
    "[1.10,null]},\"empty\":\"\",\"no\":null,\"digits\":\"42\",\"truth\":\"true\",\"a/b\":{\"c\":" \
    "[7,{\"d\":\"deep\"}]},\"meta\":{\"source\":\"web\",\"x\":null},"                              \
    "\"list\":[{\"k\":\"amount\",\"v\":5000.00},{\"k\":\"state\",\"v\":\"OPEN\"},{\"k\":"          \
    "\"address\",\"v\":{\"city\":\"Oslo\"}}],"                                                     \
    "\"notes\":[{\"text\":\"one\",\"by\":{\"id\":1}},{\"text\":null,\"by\":{\"id\":2}},"           \
    "{\"text\":\"three\\n\"}],\"files\":[]}}"

#define FIELD(name, more) "{\"$field\":\"" name "\"" more "}"
#define AT(pointer, more) "{\"$payload\":\"" pointer "\"" more "}"

#define OMIT_ELEMENT ",\"null\":\"omit_element\""

struct world {
    struct tables_fixture f;
    struct lead *lead;
    struct template_input in;
    struct buf scratch[TEMPLATE_SCRATCH];
    struct arena arena;
    struct param params[2];
    unsigned needs;
    struct err err;
    struct reader r;
};

static void world_open(struct world *w, const char *payload)
{
    *w = (struct world){.needs = 0};
    fixture_parse(&w->f, PROFILE, SIGNED_URLS_KEEP);
    w->lead = lead_with_body(str_c(payload));
    if (lead_flatten(&w->f, w->lead, false, &w->err) != RC_OK)
        fail_msg("%s", w->err.msg);
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_init(&w->scratch[i], TEMPLATE_SCRATCH_BYTES_MAX);
    w->in = (struct template_input){.profile = w->f.profile,
                                    .lead = w->lead,
                                    .run_id = "r-1",
                                    .exported_at = "2026-02-01T00:00:00.000Z",
                                    .scratch = w->scratch};
    arena_init(&w->arena, (size_t)64 << 20);
    w->params[0] = (struct param){STR("team"), STR("north \"1\""), false};
    w->params[1] = (struct param){STR("none"), STR(""), false};
    w->r = (struct reader){.json = {&w->arena, "test.json", &w->err},
                           .profile = w->f.profile,
                           .params = w->params,
                           .n_params = 2,
                           .needs = &w->needs};
}

static void world_close(struct world *w)
{
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_free(&w->scratch[i]);
    arena_free(&w->arena);
    lead_free(w->lead);
    fixture_free(&w->f);
}

static enum rc compile(struct world *w, const char *json, enum template_place place,
                       const struct template **out)
{
    struct json_doc doc;
    bool has_items;
    if (json_parse(&w->arena, str_c(json), JSON_TREE, &doc, &w->err) != RC_OK)
        fail_msg("%s: %s", json, w->err.msg);
    const struct member top = {.json = doc.root};
    return template_compile(&w->r, &top, place, out, &has_items);
}

static const struct {
    const char *item, *out; /* "!CODE TEXT": the lead fails */
} rows[] = {
    /* what depends on no lead */
    {"{}", "{}"},
    {"{\"a\":[1.50,\"\\u00e9\",null,true,{}],\"b\":{\"c\":-0}}",
     "{\"a\":[1.50,\"\u00E9\",null,true,{}],\"b\":{\"c\":-0}}"},
    {"{\"$$a\":{\"$$$b\":1},\"$$\":2,\"a$\":3}", "{\"$a\":{\"$$b\":1},\"$\":2,\"a$\":3}"},
    {"{\"a\":{\"$param\":\"team\"}}", "{\"a\":\"north \\\"1\\\"\"}"},
    {"{\"a\":{\"$param\":\"none\"}}", "{\"a\":\"\"}"},
    {"{\"a\":{\"$run\":\"run_id\"},\"b\":{\"$run\":\"exported_at\"}}",
     "{\"a\":\"r-1\",\"b\":\"2026-02-01T00:00:00.000Z\"}"},

    /* columns */
    {"{\"a\":" FIELD("provider", "") ",\"b\":" FIELD("lead_id", "") ",\"c\":" FIELD("agent_id",
                                                                                    "") "}",
     "{\"a\":\"acme\",\"b\":\"L-1\",\"c\":\"A-1\"}"},
    {"{\"a\":" FIELD("name", "") ",\"b\":" FIELD("size", "") ",\"c\":" FIELD("ok", "") "}",
     "{\"a\":\" Zo\u00EB \U0001F600 \",\"b\":12345678901234567890123,\"c\":true}"},
    {"{\"a\":" FIELD("what", "") ",\"b\":" FIELD("what", ",\"as\":\"json\"") ",\"c\":" FIELD(
         "what", ",\"as\":\"text\"") "}",
     "{\"a\":{\"a\":[1.10,null]},\"b\":{\"a\":[1.10,null]},\"c\":\"{\\\"a\\\":[1.10,null]}\"}"},
    {"{\"a\":" FIELD("checklist_amount", "") ",\"b\":" FIELD("checklist_state", "") ",\"c\":" FIELD(
         "checklist_address_city",
         "") ",\"d\":" FIELD("meta_source", "") ",\"e\":" FIELD("checklist_nobody", "") "}",
     "{\"a\":5000.00,\"b\":\"OPEN\",\"c\":\"Oslo\",\"d\":\"web\"}"},

    /* the payload */
    {"{\"a\":" AT("/a~1b/c/1/d", "") ",\"b\":" AT("/a~1b/c/0", "") ",\"c\":" AT(
         "/a~1b/c/2", "") ",\"d\":" AT("/a~1b/c", "") ",\"e\":" AT("/digits",
                                                                   "") ",\"f\":" AT("/ok", "") "}",
     "{\"a\":\"deep\",\"b\":7,\"d\":[7,{\"d\":\"deep\"}],\"e\":\"42\",\"f\":true}"},

    /* null */
    {"{\"a\":" FIELD("none", "") ",\"b\":{\"c\":" AT("/no", "") "},\"d\":[" AT("/no", "") ",1," AT(
         "/no", "") "]}",
     "{\"b\":{},\"d\":[1]}"},
    {"{\"a\":" FIELD("none", ",\"null\":\"omit\"") ",\"b\":1}", "{\"b\":1}"},
    {"{\"a\":" FIELD("none", ",\"null\":\"null\"") ",\"b\":" AT("/no", ",\"null\":null") "}",
     "{\"a\":null,\"b\":null}"},
    {"{\"a\":" FIELD("none", ",\"null\":{\"value\":\"\"}") ",\"b\":" AT(
         "/no", ",\"null\":{\"value\":{\"x\":[1.0]}}") "}",
     "{\"a\":\"\",\"b\":{\"x\":[1.0]}}"},
    {"{\"a\":" AT("/empty", ",\"null\":\"null\"") "}", "{\"a\":\"\"}"},

    /* null: with the element of an array */
    {"{\"x\":[{\"a\":" FIELD("none", OMIT_ELEMENT) ",\"b\":1},2]}", "{\"x\":[2]}"},
    {"{\"x\":[2,{\"b\":1,\"a\":" AT("/no", OMIT_ELEMENT) "}]}", "{\"x\":[2]}"},
    {"{\"x\":[{\"b\":1,\"a\":" AT("/empty", OMIT_ELEMENT) "}],\"y\":1}", "{\"x\":[],\"y\":1}"},
    {"{\"x\":[" AT("/empty", OMIT_ELEMENT) "," AT("/no", OMIT_ELEMENT) "," AT("/digits",
                                                                              OMIT_ELEMENT) "]}",
     "{\"x\":[\"42\"]}"},
    {"{\"x\":[{\"a\":" AT("/digits", OMIT_ELEMENT) ",\"b\":1},{\"a\":" AT(
         "/no", OMIT_ELEMENT) "},{\"a\":" AT("/ok", OMIT_ELEMENT) "}]}",
     "{\"x\":[{\"a\":\"42\",\"b\":1},{\"a\":true}]}"},
    {"{\"x\":[{\"a\":" AT("/no", OMIT_ELEMENT) ",\"b\":[1," AT("/digits", "") "]},3]}",
     "{\"x\":[3]}"},
    {"{\"x\":[{\"b\":[{\"c\":" AT("/no", OMIT_ELEMENT) "}],\"d\":1}]}",
     "{\"x\":[{\"b\":[],\"d\":1}]}"},
    {"{\"x\":[{\"y\":{\"z\":" AT("/no", OMIT_ELEMENT) "},\"d\":1}],\"e\":2}", "{\"x\":[],\"e\":2}"},
    {"{\"x\":{\"$rows\":{\"table\":\"notes\",\"item\":{\"t\":" FIELD("text", OMIT_ELEMENT) "}}}}",
     "{\"x\":[{\"t\":\"one\"},{\"t\":\"three\\n\"}]}"},
    {"{\"x\":[{\"a\":" AT("/no", OMIT_ELEMENT) ",\"r\":{\"$rows\":{\"table\":\"notes\",\"item\":"
                                               "{\"t\":" FIELD("text", OMIT_ELEMENT) "}}}},4]}",
     "{\"x\":[4]}"},
    {"{\"x\":[{\"a\":{\"$rows\":{\"table\":\"files\",\"item\":{},\"first\":true}" OMIT_ELEMENT
     "}},5]}",
     "{\"x\":[5]}"},
    {"{\"x\":[{\"a\":" AT("/no", OMIT_ELEMENT) ",\"b\":" FIELD("name", ",\"as\":\"number\"") "}]}",
     "!as /x/0/b: the column name is \" Zo\u00EB \U0001F600 \", which is not a number"},

    /* default */
    {"{\"a\":" FIELD("none", ",\"default\":\"d\"") ",\"b\":" FIELD("email",
                                                                   ",\"default\":\"d\"") "}",
     "{\"a\":\"d\",\"b\":\"A@B.example\"}"},
    {"{\"a\":" FIELD("none", ",\"default\":12345678901234567890") ",\"b\":" FIELD(
         "none", ",\"default\":false") ",\"c\":" FIELD("none",
                                                       ",\"default\":null,\"null\":\"null\"") "}",
     "{\"a\":12345678901234567890,\"b\":false,\"c\":null}"},
    {"{\"a\":" FIELD(
         "none",
         ",\"default\":" AT(
             "/no", ",\"default\":" FIELD(
                        "email", ",\"do\":[\"lower\"]")) ",\"do\":[\"first:3\",\"upper\"]") "}",
     "{\"a\":\"A@B\"}"},
    {"{\"a\":" FIELD("none", ",\"default\":{\"$concat\":[" FIELD(
                                 "email", "") ",\"! \"]},\"do\":[\"trim\"]") "}",
     "{\"a\":\"A@B.example!\"}"},
    {"{\"a\":" FIELD("none", ",\"default\":{\"$param\":\"team\"},\"do\":[\"upper\"]") "}",
     "{\"a\":\"NORTH \\\"1\\\"\"}"},
    {"{\"a\":" AT("/empty", ",\"default\":\"d\"") "}", "{\"a\":\"\"}"},

    /* do */
    {"{\"a\":" FIELD("name", ",\"do\":[\"trim\",\"upper\"]") "}",
     "{\"a\":\"ZO\u00CB \U0001F600\"}"},
    {"{\"a\":" FIELD("at", ",\"do\":[\"date\"]") ",\"b\":" FIELD(
         "at",
         ",\"do\":[\"epoch_ms\"]") ",\"c\":" FIELD("at",
                                                   ",\"do\":[\"epoch_s\"],\"as\":\"text\"") "}",
     "{\"a\":\"2026-01-30\",\"b\":1769832000500,\"c\":\"1769832000\"}"},
    {"{\"a\":" FIELD("size", ",\"do\":[\"first:3\"]") ",\"b\":" FIELD(
         "size",
         ",\"do\":[\"first:3\"],\"as\":\"number\"") ",\"c\":" FIELD("ok",
                                                                    ",\"do\":[\"upper\"]") "}",
     "{\"a\":\"123\",\"b\":123,\"c\":\"TRUE\"}"},
    {"{\"a\":" AT("/empty", ",\"do\":[\"trim\",\"lower\",\"e164\",\"epoch_ms\"]") "}",
     "{\"a\":\"\"}"},
    {"{\"a\":" FIELD("email", ",\"do\":[\"epoch_ms\"]") "}",
     "!do /a: the column email is \"A@B.example\", which is not a time of RFC 3339 such as "
     "2026-01-30T02:00:00Z (epoch_ms)"},
    {"{\"x\":[{\"a\":" FIELD("what", ",\"do\":[\"trim\"]") "}]}",
     "!do /x/0/a: the column what is an object, and \"do\" takes texts, numbers, true and false"},
    {"{\"a\":" AT("/size", ",\"do\":[\"e164\"]") "}",
     "!do /a: the payload's /size is the number 12345678901234567890123, which is not a phone number: "
     "digits, with blanks, - . / ( ) between them and perhaps a + before them (e164)"},

    /* as */
    {"{\"a\":" FIELD("size", ",\"as\":\"text\"") ",\"b\":" FIELD("ok", ",\"as\":\"text\"") ",\"c\":" AT("/digits", ",\"as\":\"number\"") ",\"d\":" AT(
         "/truth",
         ",\"as\":\"boolean\"") ",\"e\":" FIELD("ok",
                                                ",\"as\":\"boolean\"") ",\"f\":" FIELD("size",
                                                                                       ",\"as\":\"number\"") "}",
     "{\"a\":\"12345678901234567890123\",\"b\":\"true\",\"c\":42,\"d\":true,\"e\":true,"
     "\"f\":12345678901234567890123}"},
    {"{\"a\":" FIELD("name", ",\"as\":\"number\"") "}",
     "!as /a: the column name is \" Zo\u00EB \U0001F600 \", which is not a number"},
    {"{\"a\":" FIELD("size", ",\"as\":\"boolean\"") "}",
     "!as /a: the column size is the number 12345678901234567890123, which is not true or false"},
    {"{\"a\":" AT("/empty", ",\"as\":\"number\"") "}",
     "!as /a: the payload's /empty is \"\", which is not a number"},
    {"{\"a\":" AT("/a~1b/c", ",\"as\":\"number\"") "}",
     "!as /a: the payload's /a~1b/c is an array, which is not a number"},

    /* map */
    {"{\"a\":" FIELD("checklist_state", ",\"map\":{\"OPEN\":1,\"CLOSED\":2}") "}", "{\"a\":1}"},
    {"{\"a\":" FIELD("checklist_state",
                     ",\"do\":[\"lower\"],\"map\":{\"open\":\"yes\"},\"as\":\"text\"") "}",
     "{\"a\":\"yes\"}"},
    {"{\"a\":" FIELD("checklist_state", ",\"map\":{\"X\":1},\"else\":\"other\"") "}",
     "{\"a\":\"other\"}"},
    {"{\"a\":" FIELD("ok", ",\"map\":{\"true\":\"y\",\"false\":\"n\"}") ",\"b\":" FIELD(
         "size", ",\"map\":{\"12345678901234567890123\":7},\"as\":\"text\"") "}",
     "{\"a\":\"y\",\"b\":\"7\"}"},
    {"{\"a\":" FIELD("none", ",\"map\":{\"X\":1}") ",\"b\":" FIELD(
         "none", ",\"map\":{\"X\":1},\"else\":2") "}",
     "{}"},
    {"{\"a\":" FIELD("none", ",\"default\":\"X\",\"map\":{\"X\":1}") "}", "{\"a\":1}"},
    {"{\"a\":" AT("/empty", ",\"map\":{\"\":\"blank\"}") "}", "{\"a\":\"blank\"}"},
    {"{\"a\":" FIELD("ok", ",\"map\":{\"true\":null},\"null\":\"null\"") "}", "{\"a\":null}"},
    {"{\"a\":" FIELD("what", ",\"map\":{\"x\":1},\"else\":\"o\"") "}", "{\"a\":\"o\"}"},
    {"{\"a\":" FIELD("checklist_state", ",\"map\":{\"X\":1}") "}",
     "!map /a: the column checklist_state is \"OPEN\", which is not in \"map\", and there is no \"else\""},
    {"{\"a\":" FIELD("what", ",\"map\":{\"x\":1}") "}",
     "!map /a: the column what is an object, which is not in \"map\", and there is no \"else\""},

    /* required */
    {"{\"a\":" FIELD("email", ",\"required\":true") "}", "{\"a\":\"A@B.example\"}"},
    {"{\"a\":" FIELD("none", ",\"required\":false") "}", "{}"},
    {"{\"a\":" FIELD("ok", ",\"required\":true") "}", "{\"a\":true}"},
    {"{\"p\":{\"a~b/c\":" FIELD("none", ",\"required\":true") "}}",
     "!required /p/a~0b~1c: the column none is null, and it is required"},
    {"{\"a\":" AT("/nowhere", ",\"required\":true") "}",
     "!required /a: the payload's /nowhere is null, and it is required"},
    {"{\"a\":" AT("/empty", ",\"required\":true") "}",
     "!required /a: the payload's /empty is \"\", and it is required"},
    {"{\"a\":" FIELD("email", ",\"do\":[\"digits\"],\"required\":true") "}",
     "!required /a: the column email is \"\", and it is required"},
    {"{\"a\":" FIELD("none", ",\"default\":" AT("/no", "") ",\"required\":true") "}",
     "!required /a: the column none is null, and it is required"},
    {"{\"a\":" FIELD("ok", ",\"map\":{\"true\":null},\"required\":true") "}",
     "!required /a: the column ok is null, and it is required"},

    /* $concat */
    {"{\"a\":{\"$concat\":[" FIELD("email", "") ",\" <\"," FIELD("none", "") ",\">\"," FIELD(
         "size", "") "," FIELD("ok",
                               "") "," FIELD("what",
                                             "") ",{\"$param\":\"team\"},{\"$run\":\"run_id\"}]}}",
     "{\"a\":\"A@B.example <>12345678901234567890123true{\\\"a\\\":[1.10,null]}north \\\"1\\\"r-1\"}"},
    {"{\"a\":{\"$concat\":[" FIELD("name", ",\"do\":[\"trim\"]") ",\"/\"," FIELD(
         "email", ",\"do\":[\"upper\"]") "]}}",
     "{\"a\":\"Zo\u00EB \U0001F600/A@B.EXAMPLE\"}"},
    {"{\"a\":{\"$concat\":[" FIELD("none", "") "]}}", "{\"a\":\"\"}"},
    {"{\"a\":{\"$concat\":[\"x\"," FIELD("none", ",\"required\":true") "]}}",
     "!required /a: the column none is null, and it is required"},

    /* $rows */
    {"{\"a\":{\"$rows\":{\"table\":\"notes\",\"item\":{\"n\":" FIELD(
         "position",
         "") ",\"t\":" FIELD("text",
                             "") ",\"b\":" FIELD("by_id",
                                                 "") ",\"l\":" FIELD("lead_id",
                                                                     "") ",\"e\":" AT("/email",
                                                                                      "") "}}}}",
     "{\"a\":[{\"n\":0,\"t\":\"one\",\"b\":1,\"l\":\"L-1\",\"e\":\"A@B.example\"},"
     "{\"n\":1,\"b\":2,\"l\":\"L-1\",\"e\":\"A@B.example\"},"
     "{\"n\":2,\"t\":\"three\\n\",\"l\":\"L-1\",\"e\":\"A@B.example\"}]}"},
    {"{\"a\":{\"$rows\":{\"table\":\"notes\",\"item\":" FIELD("text", "") "}},\"z\":" FIELD("email",
                                                                                            "") "}",
     "{\"a\":[\"one\",\"three\\n\"],\"z\":\"A@B.example\"}"},
    {"{\"a\":{\"$rows\":{\"table\":\"notes\",\"item\":" FIELD("text", "") ",\"first\":true}}}",
     "{\"a\":\"one\"}"},
    {"{\"a\":{\"$rows\":{\"table\":\"files\",\"item\":{}}}}", "{\"a\":[]}"},
    {"{\"a\":{\"$rows\":{\"table\":\"files\",\"item\":{},\"first\":true}},\"b\":{\"$rows\":{\"table\":\"files\","
     "\"item\":{},\"first\":true},\"null\":{\"value\":{\"none\":1}}},\"c\":{\"$rows\":{\"table\":\"files\","
     "\"item\":{},\"first\":true},\"null\":\"null\"}}",
     "{\"b\":{\"none\":1},\"c\":null}"},
    {"{\"a\":{\"$rows\":{\"table\":\"notes\",\"item\":{\"t\":" FIELD("text",
                                                                     ",\"required\":true") "}}}}",
     "!required /a: the column text is null, and it is required"},
};

static void test_rows(void **state)
{
    (void)state;
    struct world w;
    struct buf got;
    world_open(&w, PAYLOAD);
    buf_init(&got, 1 << 20);
    for (size_t round = 0; round < 3; round++) {
        w.in.scratch = round == 2 ? NULL : w.scratch; /* what was found last time is found again */
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const struct template *t;
            struct template_fault fault;
            if (compile(&w, rows[i].item, IN_ITEM, &t) != RC_OK)
                fail_msg("%s: %s", rows[i].item, w.err.msg);
            for (int again = 0; again < 2; again++) {
                buf_clear(&got);
                enum rc rc = template_write(t, &w.in, &got, &fault);
                if (rc == RC_USAGE) {
                    buf_clear(&got);
                    buf_addf(&got, "!%s %s", fault.code, fault.text);
                } else {
                    assert_int_equal(rc, RC_OK);
                }
                if (strcmp(buf_cstr(&got), rows[i].out) != 0)
                    fail_msg("%s:\n%s, not\n%s", rows[i].item, buf_cstr(&got), rows[i].out);
            }
        }
    }
    buf_free(&got);
    world_close(&w);
}

/* Columns of other leads stand at other places, or are not there. */
static void test_columns_move(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "{\"data\":{\"list\":[{\"k\":\"a\",\"v\":1},{\"k\":\"b\",\"v\":2}]}}",
        "{\"data\":{\"list\":[{\"k\":\"b\",\"v\":2},{\"k\":\"c\",\"v\":1}]}}",
        "{\"data\":{\"list\":[{\"k\":\"a\",\"v\":1}]}}",
        "{\"data\":{}}",
        "{\"data\":{\"meta\":{\"q\":1},\"list\":[{\"k\":\"a\",\"v\":1},{\"k\":\"b\",\"v\":3}]}}",
    };
    static const char *const wanted[] = {"{\"b\":2}", "{\"b\":2}", "{}", "{}", "{\"b\":3}"};
    struct world w;
    const struct template *t;
    world_open(&w, PAYLOAD);
    assert_int_equal(compile(&w, "{\"b\":" FIELD("checklist_b", "") "}", IN_ITEM, &t), RC_OK);
    for (size_t i = 0; i < 2 * sizeof payloads / sizeof *payloads; i++) {
        size_t which = i % (sizeof payloads / sizeof *payloads);
        struct lead *lead = lead_with_body(str_c(payloads[which]));
        struct template_fault fault;
        struct buf got;
        buf_init(&got, 1 << 16);
        assert_int_equal(lead_flatten(&w.f, lead, false, &w.err), RC_OK);
        w.in.lead = lead;
        assert_int_equal(template_write(t, &w.in, &got, &fault), RC_OK);
        assert_string_equal(buf_cstr(&got), wanted[which]);
        buf_free(&got);
        lead_free(lead);
    }
    world_close(&w);
}

static void test_around(void **state)
{
    (void)state;
    static const struct {
        const char *body, *before, *behind;
    } bodies[] = {
        {"{\"$items\":true}", "[", "]"},
        {"{\"a\":1,\"inputs\":{\"$items\":true},\"b\":{\"$run\":\"run_id\"}}",
         "{\"a\":1,\"inputs\":[", "],\"b\":\"r-1\"}"},
        {"[{\"x\":{\"$param\":\"team\"}},{\"$items\":true},[]]", "[{\"x\":\"north \\\"1\\\"\"},[",
         "],[]]"},
        {"{\"x\":{\"y\":[{\"$items\":true}]}}", "{\"x\":{\"y\":[[", "]]}}"},
    };
    struct world w;
    world_open(&w, PAYLOAD);
    w.in.lead = NULL;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const struct template *t;
        struct template_fault fault;
        struct buf before, behind;
        buf_init(&before, 1 << 16);
        buf_init(&behind, 1 << 16);
        if (compile(&w, bodies[i].body, IN_BODY, &t) != RC_OK)
            fail_msg("%s: %s", bodies[i].body, w.err.msg);
        assert_int_equal(template_write_around(t, &w.in, &before, &behind, &fault), RC_OK);
        assert_string_equal(buf_cstr(&before), bodies[i].before);
        assert_string_equal(buf_cstr(&behind), bodies[i].behind);
        buf_free(&before);
        buf_free(&behind);
    }
    world_close(&w);
}

/* A fault is one line of UTF-8 whatever the lead has. */
static void test_fault_is_one_line(void **state)
{
    (void)state;
    struct world w;
    const struct template *t;
    struct template_fault fault;
    struct buf got;
    world_open(
        &w,
        "{\"data\":{\"email\":\"a\\n\\u001b[31m\\u202e\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00"
        "\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"}}");
    buf_init(&got, 1 << 16);
    assert_int_equal(compile(&w, "{\"a\":" FIELD("email", ",\"as\":\"number\"") "}", IN_ITEM, &t),
                     RC_OK);
    assert_int_equal(template_write(t, &w.in, &got, &fault), RC_USAGE);
    assert_string_equal(fault.text,
                        "/a: the column email is \"a\\n\\x1b[31m\\u202e\U0001F600\U0001F600"
                        "\U0001F600...\", which is not a number");
    buf_free(&got);
    world_close(&w);
}

static void test_needs(void **state)
{
    (void)state;
    static const struct {
        const char *item;
        unsigned needs;
    } items[] = {
        {"{\"a\":1}", 0},
        {"{\"a\":" FIELD("lead_id", "") "}", 0},
        {"{\"a\":" FIELD("email", "") "}", SINK_WANTS_ROWS},
        {"{\"a\":" FIELD("checklist_x", "") "}", SINK_WANTS_ROWS},
        {"{\"a\":" AT("/x", "") "}", SINK_WANTS_TREE},
        {"{\"a\":{\"$rows\":{\"table\":\"notes\",\"item\":{}}}}", SINK_WANTS_ROWS},
        {"{\"a\":" FIELD("lead_id", ",\"default\":" AT("/x", "")) "}", SINK_WANTS_TREE},
    };
    struct world w;
    world_open(&w, PAYLOAD);
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        const struct template *t;
        w.needs = 0;
        assert_int_equal(compile(&w, items[i].item, IN_ITEM, &t), RC_OK);
        assert_int_equal(w.needs, items[i].needs);
    }
    world_close(&w);
}

/* What is too large for the buffer is that, and nothing else. */
static void test_limit(void **state)
{
    (void)state;
    struct world w;
    const struct template *t;
    struct template_fault fault;
    world_open(&w, PAYLOAD);
    assert_int_equal(compile(&w, "{\"a\":" FIELD("email", "") "}", IN_ITEM, &t), RC_OK);
    for (size_t max = 0; max < 25; max++) {
        struct buf got;
        buf_init(&got, max);
        enum rc rc = template_write(t, &w.in, &got, &fault);
        assert_int_equal(rc, max < strlen("{\"a\":\"A@B.example\"}") ? RC_LIMIT : RC_OK);
        buf_free(&got);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),   cmocka_unit_test(test_columns_move),
        cmocka_unit_test(test_around), cmocka_unit_test(test_fault_is_one_line),
        cmocka_unit_test(test_needs),  cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
