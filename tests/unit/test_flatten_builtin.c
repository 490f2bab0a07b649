/* The built-in profiles: the tables of whole answers, and every rule that their shapes make. */
#include "tables_text.h"

struct shape {
    const char *payload, *tables;
};

/* Cases share the run's schema only with themselves. */
static void check_each_alone(const char *profile, enum signed_urls urls, const struct shape *cases,
                             size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct tables_fixture f;
        fixture_load(&f, profile, urls);
        const char *got = tables_of(&f, cases[i].payload);
        if (strcmp(got, cases[i].tables) != 0)
            fail_msg("\n%s\n--- wanted\n%s--- got\n%s", cases[i].payload, cases[i].tables, got);
        fixture_free(&f);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CHECK(cases, urls) check_each_alone("omni", urls, cases, COUNT(cases))

#define COUNTS(items, documents, logs, matching)                                                   \
    "checklist_item_count=" #items " document_count=" #documents " action_log_count=" #logs        \
    " matching_lead_count=" #matching

static const struct shape whole[] = {{
    "{\"lead\":{\"id\":\"L-1\",\"activitySummary\":null,\"assigneeType\":\"HUMAN_AGENT\","
    "\"businessName\":\"Harbour Freight\",\"createdAt\":\"2026-02-01T08:00:00.000Z\","
    "\"deletedAt\":null,\"didOptOut\":false,\"email\":\"ann@example.com\","
    "\"emailVerifiedAt\":\"2026-02-01T08:01:00.000Z\",\"externalLeadId\":null,"
    "\"externalPortalLink\":null,\"firstName\":\"Ann\",\"isTest\":false,\"lastName\":\"Lee\","
    "\"phoneNumber\":\"+15550100\",\"phoneVerifiedAt\":null,\"source\":\"api\","
    "\"submittedAt\":null,\"updatedAt\":\"2026-02-01T09:00:00.000Z\",\"website\":null,"
    "\"workspaceId\":\"ws-7\",\"tags\":[\"hot\",\"new\"],\"optOutAt\":null},"
    "\"status\":\"IN_PROGRESS\","
    "\"checklistItems\":[{\"id\":\"g-1\",\"name\":\"Business\",\"conditions\":null,\"colour\":"
    "\"blue\",\"items\":[{\"id\":\"i-1\",\"checklistItemId\":\"c-1\",\"value\":\"Harbour Freight\","
    "\"status\":\"COMPLETED\",\"itemOverride\":null,\"note\":\"n\",\"checklistItem\":{\"id\":"
    "\"c-1\",\"code\":\"business_name\",\"label\":\"Business Name\",\"fieldType\":\"TEXT\","
    "\"isRequired\":true,\"conditions\":null,\"order\":1}},"
    "{\"id\":\"i-2\",\"checklistItemId\":\"c-2\",\"value\":{\"street\":\"1 Quay\",\"postalCode\":"
    "\"99\"},\"status\":\"TODO\",\"itemOverride\":null,\"checklistItem\":{\"id\":\"c-2\",\"code\":"
    "\"address\",\"label\":\"Address\",\"fieldType\":\"ADDRESS\",\"isRequired\":false,"
    "\"conditions\":[],\"validationRules\":{\"min\":1}},\"documents\":[{\"id\":\"d-1\","
    "\"filename\":\"a.pdf\",\"mimeType\":\"application/pdf\",\"size\":1234,\"signedUrl\":"
    "\"https://s3/a?sig=1\",\"createdAt\":\"2026\",\"metadata\":{\"Matched checklist items\":[]},"
    "\"pages\":3}]}]}],"
    "\"documents\":[{\"id\":\"d-1\",\"filename\":\"a.pdf\",\"mimeType\":\"application/pdf\","
    "\"size\":1234,\"signedUrl\":\"https://s3/a?sig=1\",\"metadata\":null,"
    "\"leadChecklistItemDocument\":[{\"id\":\"x\"}]}],"
    "\"actionLogs\":[{\"id\":\"a-1\",\"type\":\"MESSAGE\",\"status\":\"COMPLETED\",\"summary\":"
    "\"s\",\"input\":{\"a\":1},\"output\":null,\"error\":null,\"parentActionId\":null,"
    "\"scheduledAt\":null,\"createdAt\":\"2026\",\"completedAt\":\"2026\",\"tool\":{\"id\":\"t-1\","
    "\"name\":\"mail\",\"description\":\"d\",\"version\":2},\"messages\":[{\"id\":\"m-1\","
    "\"channel\":\"EMAIL\",\"direction\":\"OUT\",\"subject\":\"Hi\",\"body\":\"<p>x\\n</p>\","
    "\"documents\":[{\"id\":\"d-2\",\"filename\":\"b\",\"mimeType\":\"m\",\"size\":0,"
    "\"signedUrl\":\"https://s3/b\"}]}]},{\"id\":\"a-2\",\"tool\":null}],"
    "\"matchingLeads\":[{\"id\":\"L-2\",\"score\":0.75}],"
    "\"lastAction\":{\"id\":\"a-1\",\"type\":\"MESSAGE\",\"status\":\"COMPLETED\",\"summary\":\"s\","
    "\"createdAt\":\"2026\",\"tools\":[]},\"nextFollowUp\":null,\"nextDraft\":null,"
    "\"region\":\"EU\"}",

    "leads\n"
    "   status=\"IN_PROGRESS\" id=\"L-1\" activity_summary=null assignee_type=\"HUMAN_AGENT\""
    " business_name=\"Harbour Freight\" created_at=\"2026-02-01T08:00:00.000Z\" deleted_at=null"
    " did_opt_out=false email=\"ann@example.com\" email_verified_at=\"2026-02-01T08:01:00.000Z\""
    " external_lead_id=null external_portal_link=null first_name=\"Ann\" is_test=false"
    " last_name=\"Lee\" phone_number=\"+15550100\" phone_verified_at=null source=\"api\""
    " submitted_at=null updated_at=\"2026-02-01T09:00:00.000Z\" website=null workspace_id=\"ws-7\""
    " checklist_item_count=2 document_count=1 action_log_count=2 matching_lead_count=1"
    " last_action_id=\"a-1\" last_action_type=\"MESSAGE\" last_action_status=\"COMPLETED\""
    " last_action_summary=\"s\" last_action_created_at=\"2026\" |"
    " checklist_business_name=\"Harbour Freight\" checklist_address_street=\"1 Quay\""
    " checklist_address_postal_code=\"99\" tags=[\"hot\",\"new\"] opt_out_at=null"
    " last_action_tools=[] region=\"EU\"\n"
    "checklist_items\n"
    "   group_position=0 group_id=\"g-1\" group_name=\"Business\" group_conditions=null position=0"
    " id=\"i-1\" checklist_item_id=\"c-1\" code=\"business_name\" label=\"Business Name\""
    " field_type=\"TEXT\" is_required=true value=\"Harbour Freight\" status=\"COMPLETED\""
    " item_override=null conditions=null | group_colour=\"blue\" note=\"n\""
    " checklist_item_order=1\n"
    "   group_position=0 group_id=\"g-1\" group_name=\"Business\" group_conditions=null position=1"
    " id=\"i-2\" checklist_item_id=\"c-2\" code=\"address\" label=\"Address\""
    " field_type=\"ADDRESS\" is_required=false value={\"street\":\"1 Quay\",\"postalCode\":\"99\"}"
    " status=\"TODO\" item_override=null conditions=[] validation_rules={\"min\":1} |"
    " group_colour=\"blue\"\n"
    "checklist_item_documents\n"
    "   lead_checklist_item_id=\"i-2\" group_position=0 item_position=1 position=0 id=\"d-1\""
    " filename=\"a.pdf\" mime_type=\"application/pdf\" size=1234 signed_url=\"https://s3/a\""
    " created_at=\"2026\" metadata={\"Matched checklist items\":[]} | pages=3\n"
    "documents\n"
    "   position=0 id=\"d-1\" filename=\"a.pdf\" mime_type=\"application/pdf\" size=1234"
    " signed_url=\"https://s3/a\" metadata=null lead_checklist_item_document=[{\"id\":\"x\"}]\n"
    "action_logs\n"
    "   position=0 id=\"a-1\" type=\"MESSAGE\" status=\"COMPLETED\" summary=\"s\" input={\"a\":1}"
    " output=null error=null parent_action_id=null scheduled_at=null created_at=\"2026\""
    " completed_at=\"2026\" tool_id=\"t-1\" tool_name=\"mail\" tool_description=\"d\" |"
    " tool_version=2\n"
    "   position=1 id=\"a-2\"\n"
    "action_log_messages\n"
    "   action_log_id=\"a-1\" action_log_position=0 position=0 id=\"m-1\" channel=\"EMAIL\""
    " direction=\"OUT\" subject=\"Hi\" body=\"<p>x\\n</p>\"\n"
    "action_log_message_documents\n"
    "   action_log_id=\"a-1\" action_log_position=0 message_id=\"m-1\" message_position=0"
    " position=0 id=\"d-2\" filename=\"b\" mime_type=\"m\" size=0 signed_url=\"https://s3/b\"\n"
    "matching_leads\n"
    "   position=0 id=\"L-2\" | score=0.75\n",
}};

static void test_whole_answer(void **state)
{
    (void)state;
    CHECK(whole, SIGNED_URLS_STRIP);
}

#define ITEM(code, value) "{\"value\":" value ",\"checklistItem\":{\"code\":" code "}}"
#define ITEMS(items) "{\"lead\":{},\"checklistItems\":[{\"items\":[" items "]}]}"

/* Only the undocumented columns of the row of leads. */
static void check_checklist(const char *payload, const char *columns)
{
    struct tables_fixture f;
    fixture_load(&f, "omni", SIGNED_URLS_STRIP);
    const char *got = tables_of(&f, payload);
    const char *end = strstr(got, "\nchecklist_items"), *bar = strstr(got, " |");
    struct str extras = STR("");
    if (bar && end && bar < end)
        extras = (struct str){bar, (size_t)(end - bar)};
    if (!str_eq_c(extras, columns))
        fail_msg("\n%s\n--- wanted\n%s\n--- got\n%s", payload, columns, got);
    fixture_free(&f);
}

static void test_checklist_columns(void **state)
{
    (void)state;
    static const struct shape cases[] = {
        {ITEMS(ITEM("\"a\"", "1") "," ITEM("\"b\"", "null")), " | checklist_a=1 checklist_b=null"},
        {ITEMS(ITEM("\"a\"", "1") "," ITEM("\"a\"", "2") "," ITEM("\"a\"", "3")),
         " | checklist_a=1 checklist_a_2=2 checklist_a_3=3"},
        /* an item without a value still is the code's first */
        {ITEMS("{\"checklistItem\":{\"code\":\"a\"}}," ITEM("\"a\"", "2")), " | checklist_a_2=2"},
        {ITEMS(ITEM("\"2nd owner\"", "1")), " | checklist_2nd_owner=1"},
        {ITEMS(ITEM("\"homeAddress\"", "{\"Zip Code\":1,\"city\":null}")),
         " | checklist_home_address_zip_code=1 checklist_home_address_city=null"},
        {ITEMS(ITEM("\"a\"", "{\"x\":1}") "," ITEM("\"a\"", "{\"x\":2}")),
         " | checklist_a_x=1 checklist_a_2_x=2"},
        {ITEMS(ITEM("\"a\"", "{}")), " | checklist_a={}"},
        {ITEMS(ITEM("\"a\"", "[]")), " | checklist_a=[]"},
        {ITEMS(ITEM("\"a\"", "{\"x\":[]}")), " | checklist_a={\"x\":[]}"},
        {ITEMS(ITEM("\"\"", "1") "," ITEM("7", "1") "," ITEM("null", "1") "," ITEM("[]", "1")), ""},
        {ITEMS("{\"value\":1,\"checklistItem\":null},{\"value\":1}"), ""},
        /* other codes with the same name, and a code that looks like a second one */
        {ITEMS(ITEM("\"a\"", "1") "," ITEM("\"A\"", "2")), " | checklist_a=1 checklist_a_2=2"},
        {ITEMS(ITEM("\"a\"", "1") "," ITEM("\"a\"", "2") "," ITEM("\"a_2\"", "3")),
         " | checklist_a=1 checklist_a_2=2 checklist_a_2_2=3"},
        {ITEMS(ITEM("\"item_count\"", "1")), " | checklist_item_count_2=1"},
        {ITEMS(ITEM("\"items\"", "1")), " | checklist_items_2=1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_checklist(cases[i].payload, cases[i].tables);
}

#define NO_COUNTS "leads\n   " COUNTS(0, 0, 0, 0)

static const struct shape shapes[] = {
    {"{\"lead\":{}}", NO_COUNTS "\n"},
    {"{\"lead\":{},\"checklistItems\":null,\"documents\":null,\"actionLogs\":null,"
     "\"matchingLeads\":null,\"lastAction\":null}",
     NO_COUNTS "\n"},
    /* names that are taken */
    {"{\"lead\":{\"first_name\":\"x\",\"documents\":[1],\"lead_id\":2,\"Provider\":3,\"a-b\":4,"
     "\"a_b\":5,\"a_b_2\":6,\"\":7,\"9\":8},\"id\":9,\"aB\":10}",
     NO_COUNTS " | first_name_2=\"x\" documents_2=[1] lead_id_2=2 provider_2=3 a_b=4 a_b_2=5"
               " a_b_2_2=6 field=7 _9=8 id_2=9 a_b_3=10\n"},
    /* a member that has a table but is no array; an object that is none */
    {"{\"lead\":{},\"documents\":\"d\",\"matchingLeads\":{\"a\":1},\"lastAction\":\"l\","
     "\"nextDraft\":[1],\"checklistItems\":0}",
     NO_COUNTS " | documents_2=\"d\" matching_leads_2={\"a\":1} last_action=\"l\" next_draft=[1]"
               " checklist_items_2=0\n"},
    /* groups that are none; groups without items */
    {"{\"lead\":{},\"checklistItems\":[null,1,{\"id\":1,\"colour\":2},{\"items\":{\"a\":1}},"
     "{\"items\":[]},[{\"items\":[1]}]]}",
     NO_COUNTS "\n"},
    /* elements that are no objects */
    {"{\"lead\":{},\"documents\":[\"x\",null,[1]],\"matchingLeads\":[true],"
     "\"checklistItems\":[{\"items\":[\"v\",null]}]}",
     "leads\n   " COUNTS(2, 3, 0,
                         1) "\n"
                            "checklist_items\n   group_position=0 position=0 value=\"v\"\n"
                            "   group_position=0 position=1 value=null\n"
                            "documents\n   position=0 | value=\"x\"\n   position=1 | value=null\n"
                            "   position=2 | value=[1]\n"
                            "matching_leads\n   position=0 | value=true\n"},
    /* below them */
    {"{\"lead\":{},\"actionLogs\":[{\"tool\":\"t\",\"messages\":\"m\"},{\"tool\":{},\"messages\":"
     "null},{\"messages\":[{\"documents\":{\"a\":1}}]}]}",
     "leads\n   " COUNTS(
         0, 0, 3,
         0) "\n"
            "action_logs\n   position=0 | tool=\"t\" messages=\"m\"\n   position=1\n   position=2\n"
            "action_log_messages\n   action_log_position=2 position=0 | documents={\"a\":1}\n"},
    {"{\"lead\":{},\"checklistItems\":[{\"items\":[{\"checklistItem\":\"c\",\"documents\":1,"
     "\"code\":\"x\"}]}]}",
     "leads\n   " COUNTS(
         1, 0, 0,
         0) "\n"
            "checklist_items\n   group_position=0 position=0 | checklist_item=\"c\" documents=1"
            " code_2=\"x\"\n"},
    /* checklistItem.id only where it differs */
    {"{\"lead\":{},\"checklistItems\":[{\"items\":[{\"checklistItem\":{\"id\":\"a\"},"
     "\"checklistItemId\":\"a\"},{\"checklistItem\":{\"id\":\"a\"},\"checklistItemId\":\"b\"},"
     "{\"checklistItem\":{\"id\":1},\"checklistItemId\":\"1\"},{\"checklistItem\":{\"id\":\"a\"}}]"
     "}]}",
     "leads\n   " COUNTS(
         4, 0, 0,
         0) "\n"
            "checklist_items\n   group_position=0 position=0 checklist_item_id=\"a\"\n"
            "   group_position=0 position=1 checklist_item_id=\"b\" | checklist_item_id_2=\"a\"\n"
            "   group_position=0 position=2 checklist_item_id=\"1\" | checklist_item_id_2=1\n"
            "   group_position=0 position=3 | checklist_item_id_2=\"a\"\n"},
    /* parents' keys, wherever the member stands */
    {"{\"lead\":{},\"checklistItems\":[{},{\"items\":[0,{\"documents\":[{},{}],\"id\":\"i\"}]}]}",
     "leads\n   " COUNTS(
         2, 0, 0,
         0) "\n"
            "checklist_items\n   group_position=1 position=0 value=0\n"
            "   group_position=1 position=1 id=\"i\"\n"
            "checklist_item_documents\n"
            "   lead_checklist_item_id=\"i\" group_position=1 item_position=1 position=0\n"
            "   lead_checklist_item_id=\"i\" group_position=1 item_position=1 position=1\n"},
    /* numbers as they came, the last of two members */
    {"{\"lead\":{\"id\":1,\"id\":12345678901234567890.10,\"x\":-0,\"y\":1E400}}",
     "leads\n   id=12345678901234567890.10 " COUNTS(0, 0, 0, 0) " | x=-0 y=1E400\n"},
};

static void test_shapes(void **state)
{
    (void)state;
    CHECK(shapes, SIGNED_URLS_STRIP);
}

#define URLS                                                                                       \
    "{\"lead\":{\"url\":\"u?1\",\"documents\":[{\"url\":\"u?2\",\"n\":{\"url\":\"u?3\"}}]},"       \
    "\"documents\":[{\"signedUrl\":\"s?4\",\"url\":\"u?5\",\"link\":\"l?6\",\"metadata\":"         \
    "{\"url\":\"m?7\",\"documents\":[{\"signedUrl\":\"s?8\",\"a\":[1,2]},\"x?9\"]}},"              \
    "{\"signedUrl\":null,\"url\":{\"a\":\"b?\"}}]}"

/* What is no string, no member of a document, or not called so, stays. */
static void test_expiring_urls(void **state)
{
    (void)state;
    static const struct shape strip[] = {
        {URLS,
         "leads\n   " COUNTS(
             0, 2, 0,
             0) " | url=\"u?1\""
                " documents_2=[{\"url\":\"u\",\"n\":{\"url\":"
                "\"u?3\"}}]\n"
                "documents\n   position=0 signed_url=\"s\" metadata={\"url\":\"m?7\",\"documents\":"
                "[{\"signedUrl\":\"s\",\"a\":[1,2]},\"x?9\"]} | url=\"u\" link=\"l?6\"\n"
                "   position=1 signed_url=null | url={\"a\":\"b?\"}\n"},
    };
    static const struct shape drop[] = {
        {URLS,
         "leads\n   " COUNTS(
             0, 2, 0,
             0) " | url=\"u?1\""
                " documents_2=[{\"url\":null,\"n\":{\"url\":"
                "\"u?3\"}}]\n"
                "documents\n   position=0 signed_url=null metadata={\"url\":\"m?7\",\"documents\":"
                "[{\"signedUrl\":null,\"a\":[1,2]},\"x?9\"]} | url=null link=\"l?6\"\n"
                "   position=1 signed_url=null | url={\"a\":\"b?\"}\n"},
    };
    static const struct shape keep[] = {
        {URLS, "leads\n   " COUNTS(
                   0, 2, 0,
                   0) " | url=\"u?1\""
                      " documents_2=[{\"url\":\"u?2\",\"n\":{\"url\":"
                      "\"u?3\"}}]\n"
                      "documents\n   position=0 signed_url=\"s?4\" metadata={\"url\":\"m?7\","
                      "\"documents\":[{\"signedUrl\":\"s?8\",\"a\":[1,2]},\"x?9\"]} | url=\"u?5\""
                      " link=\"l?6\"\n"
                      "   position=1 signed_url=null | url={\"a\":\"b?\"}\n"},
    };
    CHECK(strip, SIGNED_URLS_STRIP);
    CHECK(drop, SIGNED_URLS_DROP);
    CHECK(keep, SIGNED_URLS_KEEP);
}

static const struct shape convocore[] = {
    {"{\"success\":true,\"message\":\"ok\",\"data\":{\"id\":\"L-1\",\"agentId\":7,\"convoId\":"
     "\"c\",\"user_id\":\"u\",\"userId\":\"other\",\"name\":null,\"email\":\"a@example.com\","
     "\"phone\":null,\"ts\":1769738400,\"created_at\":\"2026\",\"hotScore\":9.50,\"metaData\":"
     "{\"source\":\"web\",\"company\":\"C\",\"address\":null,\"notes\":\"n\",\"linkedIn\":\"l\"},"
     "\"crmActivities\":[{\"id\":\"a\",\"title\":\"t\",\"date\":\"d\",\"dueDate\":null,"
     "\"completed\":true,\"responded\":false,\"firstEngaged\":null,\"secondEngaged\":null,"
     "\"note\":\"n\",\"notesHistory\":[{\"text\":\"x\",\"agentId\":\"g\",\"agentName\":\"G\","
     "\"timestamp\":1},\"lone\"],\"metadata\":{\"k\":1},\"extra\":1}]}}",
     "leads\n   id=\"L-1\" convo_id=\"c\" user_id=\"u\" name=null"
     " email=\"a@example.com\" phone=null ts=1769738400 created_at=\"2026\""
     " meta_data_source=\"web\" meta_data_company=\"C\" meta_data_address=null"
     " meta_data_notes=\"n\" | agent_id_2=7 user_id_2=\"other\" hot_score=9.50 meta_data_linked_in=\"l\"\n"
     "crm_activities\n   position=0 id=\"a\" title=\"t\" date=\"d\" due_date=null completed=true"
     " responded=false first_engaged=null second_engaged=null note=\"n\" metadata={\"k\":1} |"
     " extra=1\n"
     "crm_activity_notes\n"
     "   crm_activity_id=\"a\" crm_activity_position=0 position=0 text=\"x\" note_agent_id=\"g\""
     " note_agent_name=\"G\" timestamp=1\n"
     "   crm_activity_id=\"a\" crm_activity_position=0 position=1 | value=\"lone\"\n"},
    /* the parameter's value, as a text or a number, has no column of its own; another one has */
    {"{\"data\":{\"agentId\":\"A-1\"}}", "leads\n  \n"},
    {"{\"data\":{\"agentId\":\"A-2\"}}", "leads\n   | agent_id_2=\"A-2\"\n"},
    {"{\"data\":{\"agentId\":null}}", "leads\n   | agent_id_2=null\n"},
    {"{\"data\":{\"agentId\":[\"A-1\"]}}", "leads\n   | agent_id_2=[\"A-1\"]\n"},
    {"{\"data\":{\"agentId\":\"A-1\\u0000\"}}", "leads\n   | agent_id_2=\"A-1\xEF\xBF\xBD\"\n"},
    {"{\"data\":{\"agent_id\":\"A-1\",\"agentId\":\"A-1\"}}", "leads\n   | agent_id_2=\"A-1\"\n"},
    {"{\"data\":{\"agent_id\":\"A-1\",\"agentId\":\"x\"}}",
     "leads\n   | agent_id_2=\"A-1\" agent_id_3=\"x\"\n"},
    {"{\"data\":{\"metaData\":[1],\"meta_data_source\":2,\"crmActivities\":\"none\"}}",
     "leads\n   | meta_data=[1] meta_data_source_2=2 crm_activities_2=\"none\"\n"},
    {"{\"data\":{}}", "leads\n  \n"},
};

static void test_convocore(void **state)
{
    (void)state;
    check_each_alone("convocore", SIGNED_URLS_STRIP, convocore, COUNT(convocore));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answer), cmocka_unit_test(test_checklist_columns),
        cmocka_unit_test(test_shapes),       cmocka_unit_test(test_expiring_urls),
        cmocka_unit_test(test_convocore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
