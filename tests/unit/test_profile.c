#include "core/provider/table_column.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmocka_all.h"

/* A profile in pieces, each of which a case replaces by its own. */
enum piece {
    HEAD,
    SERVERS,
    CREDENTIAL,
    PATH,
    PAYLOAD,
    ANSWERS,
    EXPIRING,
    LIST,
    LEADS,
    ITEMS,
    PIECES
};

static const char *const good[PIECES] = {
    [HEAD] = "\"profile\":1,\"name\":\"shop\",\"title\":\"The Shop\"",
    [SERVERS] = "\"servers\":[{\"name\":\"eu\",\"url\":\"https://eu.shop.example/v1/\"},"
                "{\"name\":\"us\",\"url\":\"https://us.shop.example\"}]",
    [CREDENTIAL] = "\"credential\":{\"variable\":\"SHOP_KEY\",\"header\":\"X-Key\","
                   "\"prefix\":\"Key \"}",
    [PATH] = "\"path\":\"/leads/{id}?shop={shop}\"",
    [PAYLOAD] = "\"payload\":{\"root\":\"/data\",\"required\":[\"/who\"],\"id\":\"/who/id\"}",
    [ANSWERS] = "\"answers\":{\"success\":\"/ok\",\"message\":[\"/errors/*/text\"],"
                "\"code\":[\"/code\"]}",
    [EXPIRING] = "\"expiring_urls\":{\"arrays\":[\"files\"],\"members\":[\"link\"]}",
    [LIST] = "\"list\":{\"path\":\"leads\",\"items\":\"/rows\",\"id\":\"/who/id\","
             "\"total\":\"/count\",\"pages\":{\"style\":\"page\",\"parameter\":\"p\",\"first\":0,"
             "\"size\":50,\"size_parameter\":\"n\"},\"filters\":{\"created_since\":"
             "{\"parameter\":\"since\",\"format\":\"unix\"}}}",
    [LEADS] = "{\"name\":\"leads\",\"each\":\"\",\"columns\":[{\"name\":\"id\","
              "\"value\":\"/who/id\"},{\"name\":\"orders\",\"count\":\"/baskets/*/orders/*\"}],"
              "\"objects\":[{\"path\":\"/who\",\"prefix\":\"who_\"}],"
              "\"pivots\":[{\"each\":\"/answers/*\",\"key\":\"/answers/*/q\","
              "\"value\":\"/answers/*/a\",\"prefix\":\"answer_\"}]}",
    [ITEMS] = "{\"name\":\"items\",\"each\":\"/baskets/*/orders/*\",\"columns\":["
              "{\"name\":\"basket\",\"position\":\"/baskets/*\"},"
              "{\"name\":\"sku\",\"value\":\"/baskets/*/orders/*/sku\"}],"
              "\"objects\":[{\"path\":\"/baskets/*\",\"prefix\":\"basket_\"}],"
              "\"repeats\":[{\"path\":\"/baskets/*/orders/*/code\","
              "\"of\":\"/baskets/*/orders/*/sku\"}]}",
};

static enum rc parse_with(struct profile **out, enum piece piece, const char *text, struct err *e)
{
    struct buf b;
    buf_init(&b, 1 << 24);
    for (int i = 0; i < PIECES; i++) {
        const char *part = i == (int)piece ? text : good[i];
        static const char *const before[PIECES] = {[HEAD] = "{", [LEADS] = ",\"tables\":["};
        buf_adds(&b, before[i] ? before[i] : *part ? "," : "");
        buf_adds(&b, part);
    }
    buf_adds(&b, "]}");
    enum rc rc = profile_parse(out, buf_str(&b), "my.json", e);
    buf_free(&b);
    return rc;
}

static void assert_str(struct str s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.ptr, want, s.len);
}

static void test_what_is_read(void **state)
{
    (void)state;
    struct profile *p;
    struct err e;
    if (parse_with(&p, PIECES, NULL, &e))
        fail_msg("%s", e.msg);
    assert_str(p->name, "shop");
    assert_str(p->title, "The Shop");
    assert_int_equal(p->n_servers, 2);
    assert_str(p->servers[0].url, "https://eu.shop.example/v1");
    assert_str(p->key_variable, "SHOP_KEY");
    assert_str(p->key_header, "X-Key");
    assert_str(p->key_prefix, "Key ");
    assert_int_equal(p->n_params, 1);
    assert_str(p->params[0], "shop");
    assert_str(p->root.text, "/data");
    assert_str(p->required[0].text, "/who");
    assert_str(p->own_id.text, "/who/id");
    assert_str(p->success.text, "/ok");
    assert_int_equal(p->n_messages, 1);
    assert_str(p->url_members[0], "link");
    assert_int_equal(p->n_tables, 2);
    assert_int_equal(profile_table(p, STR("items")), 1);
    assert_int_equal(profile_table(p, STR("nothing")), -1);
    assert_int_equal(p->tables[0].columns[1].kind, COLUMN_COUNT);
    /* the rows' own objects are there without being mentioned */
    assert_int_equal(p->tables[0].n_objects, 2);
    assert_str(p->tables[0].objects[1].path.text, "");
    assert_int_equal(p->tables[1].n_objects, 2);
    assert_str(p->tables[1].objects[1].path.text, "/baskets/*/orders/*");
    profile_free(p);
}

static void test_what_may_be_absent(void **state)
{
    (void)state;
    struct profile *p;
    struct err e;
    const char *least = "{\"profile\":1,\"name\":\"a\",\"servers\":[{\"name\":\"m\",\"url\":"
                        "\"http://h\"}],\"path\":\"/{id}\",\"tables\":[{\"name\":\"t\",\"each\":"
                        "\"\",\"columns\":[]}]}";
    if (profile_parse(&p, str_c(least), "my.json", &e))
        fail_msg("%s", e.msg);
    assert_str(p->title, "a");
    assert_int_equal(p->key_header.len, 0);
    assert_int_equal(p->n_required, 1); /* the payload itself must be an object */
    assert_int_equal(p->required[0].n_steps, 0);
    profile_free(p);
}

/* Types are those that are written; a position and a count are integers, all else is text. */
static void test_types(void **state)
{
    (void)state;
    static const char leads[] = "{\"name\":\"leads\",\"each\":\"\",\"columns\":["
                                "{\"name\":\"a\",\"value\":\"/a\"},"
                                "{\"name\":\"b\",\"value\":\"/b\",\"type\":\"text\"},"
                                "{\"name\":\"c\",\"value\":\"/c\",\"type\":\"integer\"},"
                                "{\"name\":\"d\",\"type\":\"number\",\"value\":\"/d\"},"
                                "{\"type\":\"boolean\",\"name\":\"e\",\"value\":\"/e\"},"
                                "{\"name\":\"f\",\"value\":\"/f\",\"type\":\"timestamp\"},"
                                "{\"name\":\"g\",\"value\":\"/g\",\"type\":\"timestamp-s\"},"
                                "{\"name\":\"h\",\"value\":\"/h\",\"type\":\"timestamp-ms\"},"
                                "{\"name\":\"i\",\"value\":\"/i\",\"type\":\"json\"},"
                                "{\"name\":\"j\",\"count\":\"/j/*\"},"
                                "{\"name\":\"k\",\"count\":\"/k/*\",\"type\":\"integer\"}]}";
    static const char *const want[] = {"text",    "text",      "integer",     "number",
                                       "boolean", "timestamp", "timestamp-s", "timestamp-ms",
                                       "json",    "integer",   "integer"};
    struct profile *p;
    struct err e;
    if (parse_with(&p, LEADS, leads, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(p->tables[0].n_columns, sizeof want / sizeof *want);
    for (size_t i = 0; i < p->tables[0].n_columns; i++) {
        const struct column_spec *c = &p->tables[0].columns[i];
        if (strcmp(column_type_text(c->type), want[i]) != 0)
            fail_msg("%s: got %s, want %s", c->name.ptr, column_type_text(c->type), want[i]);
    }
    const struct column_spec *items =
        p->tables[1].columns; /* a position, and a value without type */
    assert_int_equal(items[0].type, TYPE_INTEGER);
    assert_int_equal(items[1].type, TYPE_TEXT);
    assert_true(table_has_key(&p->tables[0]));
    assert_false(table_has_key(&p->tables[1])); /* it has no position of its own element */
    profile_free(p);
}

/* The columns that rows begin with, by the URL's path. */
static const struct {
    const char *path, *columns;
} key_columns[] = {
    {"/{id}", "provider,lead_id"},
    {"/{shop}/{id}?a={agentId}&again={shop}", "provider,lead_id,shop,agent_id"},
    {"/{id}/{leadId}/{Provider}/{lead_id}", "provider,lead_id,lead_id_2,provider_2,lead_id_3"},
    {"/{id}/{agentID}/{agent_id_2}/{agentId}", "provider,lead_id,agent_id,agent_id_2,agent_id_3"},
    {"/{id}/{_}/{x_9}/{HTMLBody}", "provider,lead_id,field,x_9,html_body"},
};

static void test_key_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key_columns / sizeof *key_columns; i++) {
        struct profile *p;
        struct err e;
        struct buf path, got;
        buf_init(&path, 1 << 10);
        buf_init(&got, 1 << 10);
        buf_addf(&path, "\"path\":\"%s\"", key_columns[i].path);
        if (parse_with(&p, PATH, buf_cstr(&path), &e))
            fail_msg("%s", e.msg);
        for (size_t k = 0; k < table_columns(p, &p->tables[1]); k++) {
            const struct table_column column = table_column(p, &p->tables[1], k);
            assert_int_equal(column.spec == NULL, k < p->n_key_columns);
            assert_int_equal(column.is_key, k <= p->n_key_columns); /* and the basket's position */
            buf_addf(&got, "%s%s", k ? "," : "", column.name.ptr);
        }
        buf_clear(&path);
        buf_addf(&path, "%s,basket,sku", key_columns[i].columns);
        assert_string_equal(buf_cstr(&got), buf_cstr(&path));
        buf_free(&path);
        buf_free(&got);
        profile_free(p);
    }
}

/* The types of the built-in profiles, by the names of their columns: what is not named is text. */
static const struct {
    const char *provider, *ending, *type;
} typed_names[] = {
    {"omni", "_at", "timestamp"},
    {"omni", "did_opt_out", "boolean"},
    {"omni", "is_test", "boolean"},
    {"omni", "is_required", "boolean"},
    {"omni", "_count", "integer"},
    {"omni", "position", "integer"},
    {"omni", "size", "integer"},
    {"omni", "conditions", "json"},
    {"omni", "validation_rules", "json"},
    {"omni", "item_override", "json"},
    {"omni", "value", "json"},
    {"omni", "metadata", "json"},
    {"omni", "lead_checklist_item_document", "json"},
    {"omni", "input", "json"},
    {"omni", "output", "json"},
    {"omni", "error", "json"},
    {"convocore", "created_at", "timestamp"},
    {"convocore", "ts", "integer"},
    {"convocore", "timestamp", "integer"},
    {"convocore", "position", "integer"},
    {"convocore", "completed", "boolean"},
    {"convocore", "responded", "boolean"},
    {"convocore", "first_engaged", "boolean"},
    {"convocore", "second_engaged", "boolean"},
    {"convocore", "metadata", "json"},
};

/* NULL: it is none of a provider whose types are listed. */
static const char *type_by_name(const char *provider, struct str name)
{
    bool is_listed = false;
    for (size_t i = 0; i < sizeof typed_names / sizeof *typed_names; i++) {
        struct str ending = str_c(typed_names[i].ending);
        if (strcmp(typed_names[i].provider, provider) == 0 && name.len >= ending.len &&
            memcmp(name.ptr + name.len - ending.len, ending.ptr, ending.len) == 0)
            return typed_names[i].type;
        is_listed |= strcmp(typed_names[i].provider, provider) == 0;
    }
    return is_listed ? "text" : NULL;
}

static void test_types_of_builtins(void **state)
{
    (void)state;
    size_t n_typed = 0;
    for (size_t i = 0; profile_builtin(i); i++) {
        struct profile *p = NULL;
        assert_int_equal(profile_load(&p, profile_builtin(i)->name, NULL), RC_OK);
        for (size_t t = 0; t < p->n_tables; t++) {
            for (size_t c = 0; c < p->tables[t].n_columns; c++) {
                const struct column_spec *column = &p->tables[t].columns[c];
                const char *want = type_by_name(p->name.ptr, column->name);
                const char *got = column_type_text(column->type);
                if (want && strcmp(got, want) != 0)
                    fail_msg("%s.%s: got %s, want %s", p->tables[t].name.ptr, column->name.ptr, got,
                             want);
                n_typed += want && column->type != TYPE_TEXT;
            }
        }
        profile_free(p);
    }
    assert_true(n_typed >= 59); /* those of the profiles that there were first */
}

#define COLUMN(text) "{\"name\":\"leads\",\"each\":\"\",\"columns\":[" text "]}"
#define CHILD(text) "{\"name\":\"items\",\"each\":\"/a/*\"," text "}"

static const struct {
    enum piece piece;
    const char *text, *refusal;
} refusals[] = {
    {HEAD, "\"profile\":2,\"name\":\"a\"", "/profile: must be 1"},
    {HEAD, "\"profile\":\"1\",\"name\":\"a\"", "/profile: must be 1"},
    {HEAD, "\"name\":\"a\"", "/profile: is missing"},
    {HEAD, "\"profile\":1", "/name: is missing"},
    {HEAD, "\"profile\":1,\"name\":\"\"", "/name: must be one or more of"},
    {HEAD, "\"profile\":1,\"name\":\"A b\"", "/name: must be one or more of"},
    {HEAD, "\"profile\":1,\"name\":3", "/name: must be a text"},
    {HEAD, "\"profile\":1,\"name\":\"a\",\"colour\":1",
     "/colour: unknown member \"colour\" (allowed: profile, "},
    {HEAD, "\"profile\":1,\"name\":\"a\",\"title\":\"a\\nb\"", "/title: must have no control"},
    {SERVERS, "", "/servers: is missing (allowed: an array)"},
    {SERVERS, "\"servers\":{}", "/servers: must be an array"},
    {SERVERS, "\"servers\":[]", "/servers: must have 1 to "},
    {SERVERS, "\"servers\":[{\"name\":\"a\"}]", "/servers/0/url: is missing"},
    {SERVERS, "\"servers\":[{\"name\":\"a\",\"url\":\"h/v1\"}]", "/servers/0/url: must begin with"},
    {SERVERS, "\"servers\":[{\"name\":\"a\",\"url\":\"http://u:p@h\"}]",
     "/servers/0/url: must have no user"},
    {SERVERS, "\"servers\":[{\"name\":\"a\",\"url\":\"http://h?x\"}]",
     "/servers/0/url: must have no query"},
    {SERVERS, "\"servers\":[{\"name\":\"a\",\"url\":\"http://h\",\"x\":1}]",
     "/servers/0/x: unknown member \"x\" (allowed: name, url)"},
    {SERVERS,
     "\"servers\":[{\"name\":\"a\",\"url\":\"http://h\"},{\"name\":\"a\",\"url\":\"http://i\"}]",
     "/servers/1/name: another server has this name"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"a b\",\"header\":\"x\"}",
     "/credential/variable: must be one or more of"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"1A\",\"header\":\"x\"}",
     "/credential/variable: must not begin with a digit"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"x y\"}",
     "/credential/header: must be one or more of"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"x:\"}",
     "/credential/header: must be one or more of"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"HOST\"}",
     "/credential/header: is a header that a profile cannot set; HOST is taken from the URL"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"content-length\"}",
     "/credential/header: is a header that a profile cannot set; content-length says where"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"TE\"}",
     "/credential/header: is a header that a profile cannot set"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"Keep-Alive\"}",
     "/credential/header: is a header that a profile cannot set"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"Upgrade\"}",
     "/credential/header: is a header that a profile cannot set"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"Proxy-Authorization\"}",
     "/credential/header: is a header that a profile cannot set"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"Content-Encoding\"}",
     "/credential/header: is a header that a profile cannot set"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"Content-Type\"}",
     "/credential/header: is a header that a profile cannot set"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"x\",\"prefix\":\"a\\r\\nb: c\"}",
     "/credential/prefix: must have no control"},
    {CREDENTIAL, "\"credential\":{\"variable\":\"A\",\"header\":\"x\",\"prefix\":\"\xC3\xA9\"}",
     "/credential/prefix: must be ASCII"},
    {PATH, "", "/path: is missing"},
    {PATH, "\"path\":\"/leads\"", "/path: must contain {id}"},
    {PATH, "\"path\":\"/leads/{id\"", "/path: braces must be in pairs"},
    {PATH, "\"path\":\"/{i d}/{id}\"", "/path: braces must be in pairs"},
    {PAYLOAD, "\"payload\":{\"root\":\"data\"}",
     "/payload/root: a path must be empty or begin with"},
    {PAYLOAD, "\"payload\":{\"root\":\"/a/*\"}", "/payload/root: must not contain \"*\""},
    {PAYLOAD, "\"payload\":{\"required\":\"/a\"}", "/payload/required: must be an array"},
    {PAYLOAD, "\"payload\":{\"required\":[\"/a/*\"]}",
     "/payload/required/0: must not contain \"*\""},
    {PAYLOAD, "\"payload\":{\"id\":\"/a~\"}", "/payload/id: in a name, write ~0"},
    {ANSWERS, "\"answers\":{\"message\":[1]}", "/answers/message/0: must be a text"},
    {ANSWERS, "\"answers\":{\"code\":[\"x\"]}", "/answers/code/0: a path must be empty or"},
    {EXPIRING, "\"expiring_urls\":{\"arrays\":[\"a\"]}", "/expiring_urls: must have both"},
    {LEADS, "{\"name\":\"leads\",\"each\":\"/a/*\",\"columns\":[]}",
     "/tables/0/each: must be \"\": the first table has one row per lead"},
    {LEADS, "{\"each\":\"\",\"columns\":[]}", "/tables/0/name: is missing"},
    {LEADS, "{\"name\":\"Leads\",\"each\":\"\",\"columns\":[]}",
     "/tables/0/name: \"Leads\" is not a snake_case name"},
    {LEADS, "{\"name\":\"../x\",\"each\":\"\",\"columns\":[]}",
     "/tables/0/name: \"../x\" is not a snake_case name"},
    {LEADS, "{\"name\":\"_2\",\"each\":\"\",\"columns\":[]}",
     "/tables/0/name: \"_2\" is not a snake_case name"},
    {LEADS, "{\"name\":\"leads\",\"columns\":[]}", "/tables/0/each: is missing"},
    {LEADS, "{\"name\":\"leads\",\"each\":\"\"}", "/tables/0/columns: is missing"},
    {LEADS, COLUMN("{\"name\":\"Id\",\"value\":\"/id\"}"),
     "/tables/0/columns/0/name: \"Id\" is not a snake_case name"},
    {LEADS, COLUMN("{\"name\":\"lead_id\",\"value\":\"/id\"}"),
     "/tables/0/columns/0/name: \"lead_id\" is a column of every table"},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\"},{\"name\":\"a\",\"value\":\"/b\"}"),
     "/tables/0/columns/1/name: another column of this table has this name"},
    {LEADS, COLUMN("{\"name\":\"a\"}"), "/tables/0/columns/0: must have one of \"value\""},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"count\":\"/a/*\"}"),
     "/tables/0/columns/0: must have one of \"value\""},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a/*\"}"),
     "/tables/0/columns/0/value: does not lie on \"\""},
    {LEADS, COLUMN("{\"name\":\"a\",\"position\":\"/a/*\"}"),
     "/tables/0/columns/0/position: must be an initial part of \"\""},
    {LEADS, COLUMN("{\"name\":\"a\",\"count\":\"/a\"}"),
     "/tables/0/columns/0/count: must extend \"\""},
    {LEADS, COLUMN("{\"name\":\"items\",\"value\":\"/a\"}"),
     "/tables/1/name: is the name of a column of \"leads\""},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"type\":\"int\"}"),
     "/tables/0/columns/0/type: must be text, integer, number, boolean, timestamp, timestamp-s, "
     "timestamp-ms or json"},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"type\":\"Text\"}"),
     "/tables/0/columns/0/type: must be text, "},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"type\":\"\"}"),
     "/tables/0/columns/0/type: must be text, "},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"type\":5}"),
     "/tables/0/columns/0/type: must be a text"},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"type\":null}"),
     "/tables/0/columns/0/type: must be a text"},
    {LEADS, COLUMN("{\"name\":\"a\",\"value\":\"/a\",\"types\":\"text\"}"),
     "/tables/0/columns/0/types: unknown member \"types\"; did you mean \"type\"? (allowed: name, value, position, count, type"},
    {LEADS, COLUMN("{\"name\":\"a\",\"count\":\"/a/*\",\"type\":\"number\"}"),
     "/tables/0/columns/0/type: must be integer: only a \"value\" can have another type"},
    {ITEMS, CHILD("\"columns\":[{\"name\":\"x\",\"position\":\"/a/*\",\"type\":\"text\"}]"),
     "/tables/1/columns/0/type: must be integer: only a \"value\" can have another type"},
    {ITEMS, "{\"name\":\"leads\",\"each\":\"/a/*\",\"columns\":[]}",
     "/tables/1/name: another table has this name"},
    {ITEMS, "{\"name\":\"items\",\"each\":\"/a\",\"columns\":[]}",
     "/tables/1/each: must end in \"*\""},
    {ITEMS, CHILD("\"columns\":[{\"name\":\"x\",\"value\":\"/b/*/x\"}]"),
     "/tables/1/columns/0/value: does not lie on \"/a/*\""},
    {ITEMS, CHILD("\"columns\":[{\"name\":\"x\",\"position\":\"/a/*/b/*\"}]"),
     "/tables/1/columns/0/position: must be an initial part of \"/a/*\""},
    {ITEMS, CHILD("\"columns\":[{\"name\":\"x\",\"count\":\"/a/*\"}]"),
     "/tables/1/columns/0/count: must extend \"/a/*\""},
    {ITEMS, CHILD("\"columns\":[],\"objects\":[{\"path\":\"/who\",\"prefix\":\"\"}]"),
     "/tables/1/objects: the members of \"/who\" are columns of \"leads\" already"},
    {ITEMS, CHILD("\"columns\":[],\"objects\":[{\"path\":\"/a/*\"},{\"path\":\"/a/*\"}]"),
     "/tables/1/objects/1/path: is listed twice"},
    {ITEMS, CHILD("\"columns\":[],\"objects\":[{\"path\":\"/a/*\",\"prefix\":\"x\"}]"),
     "/tables/1/objects/0/prefix: must be empty or snake_case"},
    {ITEMS, CHILD("\"columns\":[],\"objects\":[{\"path\":\"/b/*\",\"prefix\":\"\"}]"),
     "/tables/1/objects/0/path: does not lie on \"/a/*\""},
    {ITEMS,
     CHILD("\"columns\":[],\"pivots\":[{\"each\":\"/b/*\",\"key\":\"/b/*/k\",\"value\":\"/b/*/v\","
           "\"prefix\":\"\"}]"),
     "/tables/1/pivots/0/each: must extend \"/a/*\""},
    {ITEMS,
     CHILD("\"columns\":[],\"pivots\":[{\"each\":\"/a/*/b/*\",\"key\":\"/a/*/k\",\"value\":"
           "\"/a/*/b/*/v\",\"prefix\":\"\"}]"),
     "/tables/1/pivots/0/key: must be in an element of \"/a/*/b/*\""},
    {ITEMS,
     CHILD("\"columns\":[],\"pivots\":[{\"each\":\"/a/*/b/*/c\",\"key\":\"/a/*/k\",\"value\":"
           "\"/a/*/b/*/v\",\"prefix\":\"\"}]"),
     "/tables/1/pivots/0/each: must end in \"*\""},
    {ITEMS, CHILD("\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b/c\",\"of\":\"/a/*/d\"}]"),
     "/tables/1/repeats/0/path: must be a member of one of the table's \"objects\""},
    {ITEMS, CHILD("\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b\",\"of\":\"/a/*/b\"}]"),
     "/tables/1/repeats/0/of: must be another member"},
    {ITEMS, CHILD("\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b\"}]"),
     "/tables/1/repeats/0/of: is missing"},
    {ITEMS,
     CHILD(
         "\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b\",\"of\":\"/a/*/c\",\"param\":\"shop\"}]"),
     "/tables/1/repeats/0: must not have both \"of\" and \"param\""},
    {ITEMS, CHILD("\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b\",\"param\":\"id\"}]"),
     "/tables/1/repeats/0/param: must be one of the names in braces of \"path\", other than id"},
    {ITEMS, CHILD("\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b\",\"param\":7}]"),
     "/tables/1/repeats/0/param: must be"},
    {ITEMS,
     CHILD("\"columns\":[],\"repeats\":[{\"path\":\"/a/*/b\",\"param\":\"shop\"},"
           "{\"path\":\"/a/*/b\",\"of\":\"/a/*/c\"}]"),
     "/tables/1/repeats/1/path: is listed twice"},
    {ITEMS, CHILD("\"columns\":[{\"name\":\"lead_id\",\"value\":\"/a/*/b\"}]"),
     "/tables/1/columns/0/name: \"lead_id\" is a column of every table already"},
    {ITEMS, CHILD("\"columns\":[{\"name\":\"shop\",\"value\":\"/a/*/b\"}]"),
     "/tables/1/columns/0/name: \"shop\" is a column of every table already: it holds the parameter "
     "\"shop\"; a member that repeats it goes into \"repeats\""},
    {ITEMS, "{\"name\":\"shop\",\"each\":\"/a/*\",\"columns\":[]}",
     "/tables/1/name: \"shop\" is a column of every table already"},
    {ITEMS,
     "{\"name\":\"items\",\"each\":\"/a/*\",\"columns\":[]},{\"name\":\"more\",\"each\":"
     "\"/a/*\",\"columns\":[]}",
     "/tables/2/each: is the rows of \"items\" already"},
    {LIST, "\"list\":[]", "/list: must be an object"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"colour\":1}",
     "/list/colour: unknown member \"colour\" (allowed: path, items"},
    {LIST, "\"list\":{\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: is missing"},
    {LIST,
     "\"list\":{\"path\":\"\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: must not be empty"},
    {LIST,
     "\"list\":{\"path\":\"/l/{id}\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: must not contain {id}"},
    {LIST,
     "\"list\":{\"path\":\"/l/{\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: braces must be in pairs"},
    {LIST,
     "\"list\":{\"path\":\"/../l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: must have no . or .."},
    {LIST,
     "\"list\":{\"path\":\"/l#x\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: contains a character"},
    {LIST,
     "\"list\":{\"path\":\"/l/{agent}\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/path: {agent} is no parameter of the profile's"},
    {LIST, "\"list\":{\"path\":\"/l\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/items: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i/*\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"}}",
     "/list/items: must not contain \"*\""},
    {LIST, "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"pages\":{\"style\":\"link\"}}",
     "/list/id: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"id\",\"pages\":{\"style\":\"link\"}}",
     "/list/id: "},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/a/*\",\"pages\":{\"style\":\"link\"}}",
     "/list/id: must not contain \"*\""},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"params\":[]}",
     "/list/params: must be an object"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"params\":{\"agent\":\"/a\"}}",
     "/list/params/agent: is no parameter"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"params\":{\"shop\":\"/s/*\"}}",
     "/list/params/shop: must not contain \"*\""},
    {LIST,
     "\"list\":{\"path\":\"/{shop}\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"params\":{\"shop\":\"/s\"}}",
     "/list/params/shop: is in the list's"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"total\":7}",
     "/list/total: must be a text"},
    {LIST, "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\"}",
     "/list/pages: must be an object"},
    {LIST, "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{}}",
     "/list/pages/style: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"offset\"}}",
     "/list/pages/style: must be page, cursor, token or link"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"page\"}}",
     "/list/pages/parameter: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"page\",\"parameter\":\"a b\"}}",
     "/list/pages/parameter: must be one or more of"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"page\",\"parameter\":\"p\",\"next\":\"/n\"}}",
     "/list/pages/next: unknown member"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"page\",\"parameter\":\"p\",\"first\":2}}",
     "/list/pages/first: must be a whole number from 0 to 1"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"page\",\"parameter\":\"p\",\"first\":\"1\"}}",
     "/list/pages/first: must be a whole number"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"token\",\"parameter\":\"t\"}}",
     "/list/pages/next: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"token\",\"parameter\":\"t\",\"next\":\"/n/*\"}}",
     "/list/pages/next: must not contain \"*\""},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"token\",\"parameter\":\"t\",\"next\":\"/n\",\"first\":0}}",
     "/list/pages/first: unknown member"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"cursor\",\"parameter\":\"t\"}}",
     "/list/pages/next: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\",\"parameter\":\"t\"}}",
     "/list/pages/parameter: unknown member"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\",\"size\":0}}",
     "/list/pages/size: must be a whole number from 1 to"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\",\"size\":1.5}}",
     "/list/pages/size: must be a whole number from 1 to"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\",\"size\":1000001}}",
     "/list/pages/size: must be a whole number from 1 to"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\",\"size_parameter\":\"n\"}}",
     "/list/pages/size_parameter: needs \"size\""},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"page\",\"parameter\":\"n\",\"size\":1,\"size_parameter\":\"n\"}}",
     "/list: the query parameter \"n\" is used for two"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"filters\":[]}",
     "/list/filters: must be an object"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"filters\":{\"updated_since\":{\"parameter\":\"s\"}}}",
     "/list/filters/updated_since: unknown member"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"filters\":{\"created_since\":\"s\"}}",
     "/list/filters/created_since: must be an object"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"filters\":{\"created_since\":{}}}",
     "/list/filters/created_since/parameter: is missing"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"filters\":{\"created_until\":{\"parameter\":\"s\",\"format\":\"iso\"}}}",
     "/list/filters/created_until/format: must be rfc3339"},
    {LIST,
     "\"list\":{\"path\":\"/l\",\"items\":\"/i\",\"id\":\"/id\",\"pages\":{\"style\":\"link\"},\"filters\":{\"created_since\":{\"parameter\":\"s\"},\"created_until\":{\"parameter\":\"s\"}}}",
     "/list: the query parameter \"s\" is used for two"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct profile *p = NULL;
        struct err e = {.msg = "accepted"};
        enum rc rc = parse_with(&p, refusals[i].piece, refusals[i].text, &e);
        char want[256];
        (void)snprintf(want, sizeof want, "my.json: %s", refusals[i].refusal);
        if (rc != RC_USAGE || strncmp(e.msg, want, strlen(want)) != 0)
            fail_msg("%s\n  wanted: %s\n  got:    %s", refusals[i].text, want, e.msg);
        assert_null(p);
    }
}

/* What the profile says of its list, and the URLs that follow from it. */
static void test_list(void **state)
{
    (void)state;
    struct profile *p = NULL;
    struct err e;
    assert_int_equal(parse_with(&p, PIECES, "", &e), RC_OK);
    const struct list_spec *l = p->list;
    assert_non_null(l);
    assert_str(l->items.text, "/rows");
    assert_str(l->id.text, "/who/id");
    assert_str(l->total.text, "/count");
    assert_null(l->next.text.ptr);
    assert_null(l->params[0].text.ptr);
    assert_false(l->in_url[0]);
    assert_int_equal(l->style, LIST_PAGE);
    assert_str(l->name, "p");
    assert_int_equal(l->first, 0);
    assert_int_equal(l->size, 50);
    assert_str(l->size_name, "n");
    assert_str(l->since.name, "since");
    assert_int_equal(l->since.format, LIST_TIME_UNIX);
    assert_null(l->until.name.ptr);
    profile_free(p);

    static const struct {
        const char *path, *base_url, *want;
    } urls[] = {
        {"leads", "https://h.example/v1", "https://h.example/v1/leads"},
        {"leads", "https://h.example/v1/", "https://h.example/v1/leads"},
        {"leads", "https://h.example", "https://h.example/leads"},
        {"/v0/leads", "https://h.example/v1/x", "https://h.example/v0/leads"},
        {"/leads", "http://[::1]:80", "http://[::1]:80/leads"},
        {"a/{shop}/l?x=1", "https://h.example/v1", "https://h.example/v1/a/s%2F1/l?x=1"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct buf text, url;
        buf_init(&text, 4096);
        buf_init(&url, 4096);
        buf_addf(
            &text,
            "\"list\":{\"path\":\"%s\",\"items\":\"\",\"id\":\"\",\"pages\":{\"style\":\"link\"}}",
            urls[i].path);
        assert_int_equal(parse_with(&p, LIST, buf_cstr(&text), &e), RC_OK);
        const struct str shop = STR("s/1"), dots = STR("..");
        assert_int_equal(profile_list_url(p, str_c(urls[i].base_url), &shop, &url, &e), RC_OK);
        assert_string_equal(buf_cstr(&url), urls[i].want);
        buf_clear(&url);
        assert_int_equal(profile_list_url(p, str_c(urls[i].base_url), &dots, &url, &e),
                         p->list->in_url[0] ? RC_SYNTAX : RC_OK);
        buf_free(&text);
        buf_free(&url);
        profile_free(p);
    }
    assert_int_equal(parse_with(&p, LIST, "", &e), RC_OK);
    assert_null(p->list);
    profile_free(p);
}

static void test_builtin_lists(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum list_style style;
        uint64_t size;
        bool has_filters;
        const char *url;
    } lists[] = {
        {"omni", LIST_TOKEN, 500, true, "https://h.example/api/v0/analytics"},
        {"convocore", LIST_PAGE, 100, false, "https://h.example/v3/agents/A/leads"},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct profile *p = NULL;
        struct buf url;
        const struct str agent = STR("A");
        buf_init(&url, 4096);
        assert_int_equal(profile_load(&p, lists[i].name, NULL), RC_OK);
        assert_int_equal(p->list->style, lists[i].style);
        assert_int_equal(p->list->size, lists[i].size);
        assert_int_equal(p->list->since.name.ptr != NULL, lists[i].has_filters);
        assert_int_equal(profile_list_url(p, STR("https://h.example/v3"), &agent, &url, NULL),
                         RC_OK);
        assert_string_equal(buf_cstr(&url), lists[i].url);
        buf_free(&url);
        profile_free(p);
    }
}

static void test_texts_that_are_no_profile(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "{", "[]", "null", "\"a\"", "{\"profile\":1,}", "{\"profile\":1,\"name\":\"\\ud800\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct profile *p = NULL;
        struct err e;
        assert_int_equal(profile_parse(&p, str_c(wrong[i]), "my.json", &e), RC_USAGE);
        assert_memory_equal(e.msg, "my.json: ", 9);
    }
    static char large[PROFILE_BYTES_MAX + 1];
    memset(large, ' ', sizeof large);
    struct profile *p = NULL;
    assert_int_equal(profile_parse(&p, (struct str){large, sizeof large}, "my.json", NULL),
                     RC_USAGE);
}

static void add_numbered(struct buf *b, const char *pattern, size_t n)
{
    for (; *pattern; pattern++) {
        if (*pattern == '#')
            buf_addf(b, "%zu", n);
        else
            buf_addc(b, *pattern);
    }
}

/* Lists at their limits, and one beyond. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        enum piece piece;
        const char *before, *each, *after; /* each: "#" is the number */
        size_t max;
    } cases[] = {
        {LEADS, "{\"name\":\"leads\",\"each\":\"\",\"columns\":[",
         "{\"name\":\"c#\",\"value\":\"/c#\"}", "]}", PROFILE_COLUMNS_MAX},
        {ITEMS, "", "{\"name\":\"t#\",\"each\":\"/t#/*\",\"columns\":[]}", "",
         PROFILE_TABLES_MAX - 1},
        {PATH, "\"path\":\"/{id}", "/{p#}{p#}", "\"", PROFILE_PARAMS_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t over = 0; over < 2; over++) {
            struct buf b;
            buf_init(&b, 1 << 20);
            buf_adds(&b, cases[i].before);
            for (size_t n = 0; n < cases[i].max + over; n++) {
                buf_adds(&b, n && cases[i].piece != PATH ? "," : "");
                add_numbered(&b, cases[i].each, n);
            }
            buf_adds(&b, cases[i].after);
            struct profile *p = NULL;
            struct err e = {.msg = ""};
            enum rc rc = parse_with(&p, cases[i].piece, buf_cstr(&b), &e);
            if (rc != (over ? RC_USAGE : RC_OK))
                fail_msg("case %zu + %zu: %s %s", i, over, rc_text(rc), e.msg);
            profile_free(p);
            buf_free(&b);
        }
    }
}

static void test_builtins(void **state)
{
    (void)state;
    static const char *const names[] = {"convocore", "omni"};
    size_t n = 0;
    const struct builtin *b;
    for (size_t i = 0; (b = profile_builtin(i)); i++) {
        struct profile *p = NULL;
        struct err e;
        assert_true(i == 0 || strcmp(profile_builtin(i - 1)->name, b->name) < 0);
        if (profile_load(&p, b->name, &e))
            fail_msg("%s", e.msg);
        assert_str(p->name, b->name); /* the file is called as the provider */
        profile_free(p);
        n += n < 2 && strcmp(b->name, names[n]) == 0;
    }
    assert_int_equal(n, 2);
}

static void test_loading(void **state)
{
    (void)state;
    struct profile *p = NULL;
    struct err e;
    assert_int_equal(profile_load(&p, "nobody", &e), RC_USAGE);
    for (size_t i = 0; profile_builtin(i); i++)
        assert_non_null(strstr(e.msg, profile_builtin(i)->name));
    assert_int_equal(profile_load(&p, "/nowhere/my.json", &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "/nowhere/my.json: No such file"));
    assert_int_equal(profile_load(&p, "/", &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "/: Is a directory"));

    char path[] = "/tmp/leadpipe-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const struct builtin *omni = profile_builtin(0);
    for (size_t i = 0; strcmp(omni->name, "omni") != 0; i++)
        omni = profile_builtin(i);
    assert_int_equal(write(fd, omni->text, omni->len), (ssize_t)omni->len);
    assert_int_equal(profile_load(&p, path, &e), RC_OK);
    assert_str(p->name, "omni");
    profile_free(p);
    p = NULL;
    assert_int_equal(ftruncate(fd, PROFILE_BYTES_MAX + 1), 0);
    assert_int_equal(profile_load(&p, path, &e), RC_USAGE);
    assert_non_null(strstr(e.msg, "at most 1048576 bytes"));
    assert_null(p);
    (void)close(fd);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_read),
        cmocka_unit_test(test_what_may_be_absent),
        cmocka_unit_test(test_key_columns),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_builtin_lists),
        cmocka_unit_test(test_texts_that_are_no_profile),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_builtins),
        cmocka_unit_test(test_loading),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_types_of_builtins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
