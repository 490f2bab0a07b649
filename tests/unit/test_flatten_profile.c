/* A provider that nobody wrote C for: all that a profile can say. */
#include "tables_text.h"

#define SHOP                                                                                        \
    "{\"profile\":1,\"name\":\"shop\",\"servers\":[{\"name\":\"m\",\"url\":\"https://s.example\"}]" \
    ",\"path\":\"/{id}\",\"payload\":{\"root\":\"/result\",\"required\":[\"\",\"/who\"]},"          \
    "\"expiring_urls\":{\"arrays\":[\"files\"],\"members\":[\"link\"]},"                            \
    "\"tables\":["                                                                                  \
    "{\"name\":\"people\",\"each\":\"\",\"columns\":["                                              \
    "{\"name\":\"who\",\"value\":\"/who/name\"},"                                                   \
    "{\"name\":\"baskets\",\"count\":\"/baskets/*\"},"                                              \
    "{\"name\":\"priced\",\"count\":\"/baskets/*/lines/*/price\"},"                                 \
    "{\"name\":\"all\",\"value\":\"\"}],"                                                           \
    "\"objects\":[{\"path\":\"/who/home\",\"prefix\":\"home_\"},{\"path\":\"/who\"}]},"             \
    "{\"name\":\"lines\",\"each\":\"/baskets/*/lines/*\",\"columns\":["                             \
    "{\"name\":\"basket\",\"position\":\"/baskets/*\"},"                                            \
    "{\"name\":\"line\",\"position\":\"/baskets/*/lines/*\"},"                                      \
    "{\"name\":\"who\",\"value\":\"/who/name\"},"                                                   \
    "{\"name\":\"sku\",\"value\":\"/baskets/*/lines/*/sku\"},"                                      \
    "{\"name\":\"stamps\",\"count\":\"/baskets/*/lines/*/stamps/*\"}],"                             \
    "\"objects\":[{\"path\":\"/baskets/*\",\"prefix\":\"basket_\"}],"                               \
    "\"pivots\":[{\"each\":\"/baskets/*/lines/*/options/*\","                                       \
    "\"key\":\"/baskets/*/lines/*/options/*/k\",\"value\":\"/baskets/*/lines/*/options/*/v\","      \
    "\"prefix\":\"option_\"}]},"                                                                    \
    "{\"name\":\"files\",\"each\":\"/files/*\",\"columns\":["                                       \
    "{\"name\":\"link\",\"value\":\"/files/*/link\"}]},"                                            \
    "{\"name\":\"tags\",\"each\":\"/tags/*\",\"columns\":["                                         \
    "{\"name\":\"tag\",\"value\":\"/tags/*\"}]},"                                                   \
    "{\"name\":\"grid\",\"each\":\"/grid/*/*\",\"columns\":["                                       \
    "{\"name\":\"y\",\"position\":\"/grid/*\"},{\"name\":\"x\",\"position\":\"/grid/*/*\"}]}"       \
    "]}"

static const struct {
    const char *payload, *tables;
} cases[] = {
    /* a column may be the whole payload; what is on the way to "/who" needs no mention */
    {"{\"result\":{\"who\":{\"name\":\"Ann\",\"age\":7,\"home\":{\"city\":\"X\"}}}}",
     "people\n   who=\"Ann\" baskets=0 priced=0"
     " all={\"who\":{\"name\":\"Ann\",\"age\":7,\"home\":{\"city\":\"X\"}}} |"
     " age=7 home_city=\"X\"\n"},
    /* values and undocumented members of elements above; counts within a row */
    {"{\"result\":{\"baskets\":[{\"lines\":[{\"sku\":1,\"price\":2,\"stamps\":[1,2]},\"s\"],"
     "\"colour\":\"red\"},{\"lines\":[{\"price\":null,\"stamps\":7}]}],\"who\":{}}}",
     "people\n   baskets=2 priced=2"
     " all={\"baskets\":[{\"lines\":[{\"sku\":1,\"price\":2,\"stamps\":[1,2]},\"s\"],\"colour\":"
     "\"red\"},{\"lines\":[{\"price\":null,\"stamps\":7}]}],\"who\":{}}\n"
     "lines\n   basket=0 line=0 sku=1 stamps=2 | basket_colour=\"red\" price=2 stamps_2=[1,2]\n"
     "   basket=0 line=1 stamps=0 | basket_colour=\"red\" value=\"s\"\n"
     "   basket=1 line=0 stamps=0 | price=null stamps_2=7\n"},
    /* a pivot of a child table counts its keys anew in each row; its array is no table */
    {"{\"result\":{\"who\":{},\"baskets\":[{\"lines\":[{\"options\":[{\"k\":\"a\",\"v\":1},"
     "{\"k\":\"a\",\"v\":2}]},{\"options\":[{\"k\":\"a\",\"v\":3}]}]}]}}",
     "people\n   baskets=1 priced=0"
     " all={\"who\":{},\"baskets\":[{\"lines\":[{\"options\":[{\"k\":\"a\",\"v\":1},{\"k\":\"a\","
     "\"v\":2}]},{\"options\":[{\"k\":\"a\",\"v\":3}]}]}]}\n"
     "lines\n   basket=0 line=0 stamps=0 | option_a=1 option_a_2=2"
     " options=[{\"k\":\"a\",\"v\":1},{\"k\":\"a\",\"v\":2}]\n"
     "   basket=0 line=1 stamps=0 | option_a=3 options=[{\"k\":\"a\",\"v\":3}]\n"},
    /* a column may be the element itself; arrays in arrays */
    {"{\"result\":{\"who\":{},\"tags\":[\"a\",{\"b\":1}],\"grid\":[[1,2],3,[{\"z\":4}]]}}",
     "people\n   baskets=0 priced=0"
     " all={\"who\":{},\"tags\":[\"a\",{\"b\":1}],\"grid\":[[1,2],3,[{\"z\":4}]]}\n"
     "tags\n   tag=\"a\"\n   tag={\"b\":1} | b=1\n"
     "grid\n   y=0 x=0 | value=1\n   y=0 x=1 | value=2\n   y=2 x=0 | z=4\n"},
    /* the profile's own expiring URLs, also in a column that holds all */
    {"{\"result\":{\"who\":{},\"files\":[{\"link\":\"f?1\",\"url\":\"f?2\"}]}}",
     "people\n   baskets=0 priced=0 all={\"who\":{},\"files\":[{\"link\":\"f\",\"url\":\"f?2\"}]}\n"
     "files\n   link=\"f\" | url=\"f?2\"\n"},
    {"{\"result\":{\"who\":null}}",
     "failed: no_lead: the response has no object at \"/result/who\"\n"},
    {"{\"result\":[]}", "failed: no_lead: the response has no object at \"/result\"\n"},
    {"[]", "failed: no_lead: the response has no object at \"/result\"\n"},
};

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tables_fixture f;
        fixture_parse(&f, SHOP, SIGNED_URLS_STRIP);
        const char *got = tables_of(&f, cases[i].payload);
        if (strcmp(got, cases[i].tables) != 0)
            fail_msg("\n%s\n--- wanted\n%s--- got\n%s", cases[i].payload, cases[i].tables, got);
        fixture_free(&f);
    }
}

/* Members may repeat parameters in any table, also as members of other objects. */
#define AGENTS                                                                                          \
    "{\"profile\":1,\"name\":\"a\",\"servers\":[{\"name\":\"m\",\"url\":\"http://h\"}],"                \
    "\"path\":\"/{zone}/{id}?a={agentId}\",\"tables\":["                                                \
    "{\"name\":\"t\",\"each\":\"\",\"columns\":[],\"objects\":[{\"path\":\"/in\",\"prefix\":\"in_\"}]," \
    "\"repeats\":[{\"path\":\"/in/agent\",\"param\":\"agentId\"},"                                      \
    "{\"path\":\"/Zone\",\"param\":\"zone\"},{\"path\":\"/twin\",\"of\":\"/Zone\"}]},"                  \
    "{\"name\":\"c\",\"each\":\"/c/*\",\"columns\":[],"                                                 \
    "\"repeats\":[{\"path\":\"/c/*/agent_id\",\"param\":\"agentId\"}]}]}"

static void test_repeated_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *tables;
    } rows[] = {
        {"{\"in\":{\"agent\":\"A-1\"},\"Zone\":\"A-1\",\"twin\":\"A-1\",\"c\":[{\"agent_id\":\"A-1\"}]}",
         "t\n  \nc\n  \n"},
        {"{\"in\":{\"agent\":\"A-2\"},\"Zone\":1,\"twin\":2,\"c\":[{\"agent_id\":\"x\"},{\"agent_id\":"
         "\"A-1\"},\"A-1\"]}",
         "t\n   | in_agent=\"A-2\" zone_2=1 twin=2\n"
         "c\n   | agent_id_2=\"x\"\n  \n   | value=\"A-1\"\n"},
        {"{\"zone\":\"A-1\",\"agent_id\":\"A-1\",\"provider\":1,\"leadId\":2}",
         "t\n   | zone_2=\"A-1\" agent_id_2=\"A-1\" provider_2=1 lead_id_2=2\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tables_fixture f;
        fixture_parse(&f, AGENTS, SIGNED_URLS_STRIP);
        const char *got = tables_of(&f, rows[i].payload);
        if (strcmp(got, rows[i].tables) != 0)
            fail_msg("\n%s\n--- wanted\n%s--- got\n%s", rows[i].payload, rows[i].tables, got);
        fixture_free(&f);
    }
}

/* The first table of a profile that asks for nothing has its row whatever comes. */
static void test_payload_that_is_no_object(void **state)
{
    (void)state;
    struct tables_fixture f;
    fixture_parse(
        &f,
        "{\"profile\":1,\"name\":\"a\",\"servers\":[{\"name\":\"m\",\"url\":\"http://h\"}],"
        "\"path\":\"/{id}\",\"payload\":{\"required\":[]},\"tables\":[{\"name\":\"t\","
        "\"each\":\"\",\"columns\":[]}]}",
        SIGNED_URLS_STRIP);
    assert_string_equal(tables_of(&f, "[1]"), "t\n   | value=[1]\n");
    assert_string_equal(tables_of(&f, "\"x\""), "t\n   | value=\"x\"\n");
    assert_string_equal(tables_of(&f, "{}"), "t\n  \n");
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_repeated_parameters),
        cmocka_unit_test(test_payload_that_is_no_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
