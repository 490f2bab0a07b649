/* Destinations: what is read of them, and every way to get one wrong. */
#include "tables_text.h"

#include <stdio.h>

#include "core/sink.h"
#include "sinks/push/destination.h"

/* ---- the built-in ones ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *params[4];
} builtins[] = {
    {"close-lead", {NULL}},
    {"dynamics-lead", {"host=acme.crm.dynamics.com", "tenant=t-1", NULL}},
    {"hubspot-companies", {"id_property=leadpipe_id", NULL}},
    {"hubspot-contacts", {NULL}},
    {"pipedrive-person", {NULL}},
    {"salesforce-lead", {"domain=acme.my.salesforce.com", NULL}},
    {"slack", {NULL}},
    {"zoho-leads", {"accounts=accounts.zoho.eu", NULL}},
};

#define N_BUILTINS (sizeof builtins / sizeof *builtins)

static struct text_list params_of(const char *const *items)
{
    struct text_list list = {.items = (const char **)(uintptr_t)items};
    while (items[list.n])
        list.n++;
    return list;
}

static struct destination *load(const char *name, const struct profile *p,
                                const char *const *params)
{
    struct destination *d = NULL;
    struct err e = {.msg = ""};
    struct text_list list = params_of(params);
    if (destination_load(&d, name, p, &list, &e) != RC_OK)
        fail_msg("%s", e.msg);
    return d;
}

/* Of each provider a lead with everything, and one with nothing but its ID. */
static const struct {
    const char *provider, *payload;
} leads[] = {
    {"omni",
     "{\"status\":\"COMPLETED\",\"lead\":{\"id\":\"L-1\",\"firstName\":\"Zo\\u00eb\",\"lastName\":\"O'Hara\","
     "\"email\":\" Zoe@Example.com\",\"phoneNumber\":\"+1 (678) 231-9992\",\"businessName\":\"Acme\","
     "\"website\":\"https://acme.example\",\"activitySummary\":\"talked\"}}"},
    {"omni", "{\"lead\":{\"id\":\"L-1\",\"lastName\":\"\",\"email\":null}}"},
    {"convocore",
     "{\"success\":true,\"data\":{\"id\":\"L-1\",\"name\":\"Zo\\u00eb O'Hara\",\"email\":\"Zoe@Example.com \","
     "\"phone\":\"+16782319992\",\"metaData\":{\"company\":\"Acme\",\"address\":\"1 Rd\",\"notes\":\"talked\"}}}"},
    {"convocore", "{\"success\":true,\"data\":{\"id\":\"L-1\"}}"},
};

/* By destination and lead; "!": the code of the fault. */
static const char *const wanted[N_BUILTINS][4] = {
    {
        "{\"name\":\"Acme\",\"url\":\"https://acme.example\",\"description\":\"talked\",\"contacts\":[{\"name\":"
        "\"Zo\u00EB O'Hara\",\"emails\":[{\"type\":\"office\",\"email\":\"Zoe@Example.com\"}],\"phones\":[{\"type\":"
        "\"office\",\"phone\":\"+1 (678) 231-9992\"}]}]}",
        "!required",
        "{\"name\":\"Acme\",\"description\":\"talked\",\"contacts\":[{\"name\":\"Zo\u00EB O'Hara\",\"emails\":[{"
        "\"type\":\"office\",\"email\":\"Zoe@Example.com\"}],\"phones\":[{\"type\":\"office\",\"phone\":"
        "\"+16782319992\"}]}]}",
        "!required",
    },
    {
        "{\"subject\":\"Lead L-1\",\"firstname\":\"Zo\u00EB\",\"lastname\":\"O'Hara\",\"companyname\":\"Acme\","
        "\"emailaddress1\":\"Zoe@Example.com\",\"telephone1\":\"+1 (678) 231-9992\",\"websiteurl\":"
        "\"https://acme.example\",\"description\":\"talked\"}",
        "!required",
        "{\"subject\":\"Lead L-1\",\"lastname\":\"Zo\u00EB O'Hara\",\"companyname\":\"Acme\",\"emailaddress1\":"
        "\"Zoe@Example.com\",\"telephone1\":\"+16782319992\",\"description\":\"talked\"}",
        "!required",
    },
    {
        "{\"id\":\"L-1\",\"idProperty\":\"leadpipe_id\",\"objectWriteTraceId\":\"L-1\",\"properties\":{\"name\":"
        "\"Acme\",\"phone\":\"+1 (678) 231-9992\",\"website\":\"https://acme.example\",\"description\":\"talked\"}}",
        "!required",
        "{\"id\":\"L-1\",\"idProperty\":\"leadpipe_id\",\"objectWriteTraceId\":\"L-1\",\"properties\":{\"name\":"
        "\"Acme\",\"phone\":\"+16782319992\",\"address\":\"1 Rd\",\"description\":\"talked\"}}",
        "!required",
    },
    {
        "{\"id\":\"zoe@example.com\",\"idProperty\":\"email\",\"objectWriteTraceId\":\"L-1\",\"properties\":{"
        "\"email\":\"zoe@example.com\",\"firstname\":\"Zo\u00EB\",\"lastname\":\"O'Hara\",\"phone\":"
        "\"+1 (678) 231-9992\",\"company\":\"Acme\",\"website\":\"https://acme.example\"}}",
        "!required",
        "{\"id\":\"zoe@example.com\",\"idProperty\":\"email\",\"objectWriteTraceId\":\"L-1\",\"properties\":{"
        "\"email\":\"zoe@example.com\",\"firstname\":\"Zo\u00EB O'Hara\",\"phone\":\"+16782319992\",\"company\":"
        "\"Acme\"}}",
        "!required",
    },
    {
        "{\"name\":\"Zo\u00EB O'Hara\",\"emails\":[{\"value\":\"Zoe@Example.com\",\"primary\":true,\"label\":"
        "\"work\"}],\"phones\":[{\"value\":\"+1 (678) 231-9992\",\"primary\":true,\"label\":\"work\"}]}",
        "!required",
        "{\"name\":\"Zo\u00EB O'Hara\",\"emails\":[{\"value\":\"Zoe@Example.com\",\"primary\":true,\"label\":"
        "\"work\"}],\"phones\":[{\"value\":\"+16782319992\",\"primary\":true,\"label\":\"work\"}]}",
        "!required",
    },
    {
        "{\"attributes\":{\"type\":\"Lead\"},\"Leadpipe_Id__c\":\"L-1\",\"FirstName\":\"Zo\u00EB\",\"LastName\":"
        "\"O'Hara\",\"Company\":\"Acme\",\"Email\":\"Zoe@Example.com\",\"Phone\":\"+1 (678) 231-9992\",\"Website\":"
        "\"https://acme.example\",\"Description\":\"talked\"}",
        "!required",
        "{\"attributes\":{\"type\":\"Lead\"},\"Leadpipe_Id__c\":\"L-1\",\"LastName\":\"Zo\u00EB O'Hara\","
        "\"Company\":\"Acme\",\"Email\":\"Zoe@Example.com\",\"Phone\":\"+16782319992\",\"Description\":\"talked\"}",
        "!required",
    },
    {
        "{\"text\":\"New lead\",\"blocks\":[{\"type\":\"section\",\"text\":{\"type\":\"plain_text\",\"emoji\":false,"
        "\"text\":\"New lead L-1: Zo\u00EB O'Hara\\nZoe@Example.com\\n+1 (678) 231-9992\"}}]}",
        "{\"text\":\"New lead\",\"blocks\":[{\"type\":\"section\",\"text\":{\"type\":\"plain_text\",\"emoji\":false,"
        "\"text\":\"New lead L-1:  \\n\\n\"}}]}",
        "{\"text\":\"New lead\",\"blocks\":[{\"type\":\"section\",\"text\":{\"type\":\"plain_text\",\"emoji\":false,"
        "\"text\":\"New lead L-1: Zo\u00EB O'Hara \\nZoe@Example.com\\n+16782319992\"}}]}",
        "{\"text\":\"New lead\",\"blocks\":[{\"type\":\"section\",\"text\":{\"type\":\"plain_text\",\"emoji\":false,"
        "\"text\":\"New lead L-1:  \\n\\n\"}}]}",
    },
    {
        "{\"Email\":\"zoe@example.com\",\"First_Name\":\"Zo\u00EB\",\"Last_Name\":\"O'Hara\",\"Company\":\"Acme\","
        "\"Phone\":\"+1 (678) 231-9992\",\"Website\":\"https://acme.example\",\"Description\":\"talked\"}",
        "!required",
        "{\"Email\":\"zoe@example.com\",\"Last_Name\":\"Zo\u00EB O'Hara\",\"Company\":\"Acme\",\"Phone\":"
        "\"+16782319992\",\"Description\":\"talked\"}",
        "!required",
    },
};

static void check_item(const struct destination *d, const struct template_input *in,
                       const char *want)
{
    struct template_fault fault = {.code = ""};
    struct buf got;
    buf_init(&got, 1 << 20);
    enum rc rc = template_write(d->item, in, &got, &fault);
    if (rc == RC_USAGE) {
        buf_clear(&got);
        buf_addf(&got, "!%s", fault.code);
    }
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%s:\n%s (%s), not\n%s", d->name, buf_cstr(&got), fault.text, want);
    buf_free(&got);
}

/* Each loads for both providers, and writes what their leads have. */
static void test_builtins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        struct tables_fixture f;
        struct err e = {.msg = ""};
        fixture_load(&f, leads[i].provider, SIGNED_URLS_KEEP);
        struct lead *lead = lead_with_body(str_c(leads[i].payload));
        if (lead_flatten(&f, lead, false, &e) != RC_OK)
            fail_msg("%s", e.msg);
        const struct template_input in = {.profile = f.profile,
                                          .lead = lead,
                                          .run_id = "r-1",
                                          .exported_at = "2026-02-01T00:00:00Z"};
        for (size_t b = 0; b < N_BUILTINS; b++) {
            struct destination *d = load(builtins[b].name, f.profile, builtins[b].params);
            assert_string_equal(d->name, builtins[b].name);
            assert_true(strlen(d->about) > 20);
            assert_true(d->max_bytes <= DESTINATION_BODY_MAX);
            check_item(d, &in, wanted[b][i]);
            destination_free(d);
        }
        lead_free(lead);
        fixture_free(&f);
    }
    for (size_t b = 0; b < N_BUILTINS; b++)
        assert_string_equal(destination_builtin(b)->name, builtins[b].name);
    assert_null(destination_builtin(N_BUILTINS));
}

/* ---- what is read --------------------------------------------------------------------------- */

#define EXAMPLE                                                                                     \
    "{\"destination\":1,\"about\":\"HubSpot contacts, by e-mail\",\"method\":\"POST\","             \
    "\"url\":\"https://api.hubapi.com/crm/v3/objects/{kind}/batch/upsert?x={kind}\","               \
    "\"headers\":{\"X-Kind\":\"a {kind}\",\"Content-Type\":\"application/vnd.api+json\"},"          \
    "\"auth\":{\"bearer_env\":\"HUBSPOT_TOKEN\"},"                                                  \
    "\"batch\":{\"max_items\":100,\"max_bytes\":\"2M\",\"unique_by\":\"/id\"},"                     \
    "\"body\":{\"inputs\":{\"$items\":true}},\"item\":{"                                            \
    "\"id\":{\"$field\":\"email\",\"do\":[\"trim\",\"lower\"],\"required\":true},"                  \
    "\"idProperty\":\"email\",\"objectWriteTraceId\":{\"$field\":\"lead_id\"},\"properties\":{"     \
    "\"firstname\":{\"$field\":\"first_name\",\"null\":\"omit\"},"                                  \
    "\"phone\":{\"$field\":\"phone_number\",\"null\":{\"value\":\"\"}},"                            \
    "\"amount\":{\"$field\":\"checklist_amount\",\"as\":\"text\"},"                                 \
    "\"submitted\":{\"$field\":\"submitted_at\",\"do\":[\"epoch_ms\"],\"as\":\"text\"},"            \
    "\"lifecyclestage\":{\"$field\":\"status\",\"map\":{\"COMPLETED\":\"opportunity\"},\"else\":"   \
    "\"lead\"}}},\"limits\":{\"rate\":\"9/s\",\"concurrency\":4,\"gate\":[[403,\"LIMIT\"],[503]]}," \
    "\"answer\":{\"ok\":[200,201,207],\"results\":{\"at\":\"/results\",\"match\":"                  \
    "\"/objectWriteTraceId\"},\"errors\":{\"at\":\"/errors\",\"match\":{\"entry\":"                 \
    "\"/context/id/0\",\"item\":\"/id\"},\"message\":\"/message\",\"code\":\"/category\"},"         \
    "\"unaccounted\":\"failed\",\"retry_if\":[\"LOCKED\"],\"bisect_on\":[400,409,413,422]}}"

static struct profile *omni(void)
{
    struct profile *p = NULL;
    assert_int_equal(profile_load(&p, "omni", NULL), RC_OK);
    return p;
}

static struct destination *parse(const char *json, const struct profile *p,
                                 const char *const *params)
{
    struct destination *d = NULL;
    struct err e = {.msg = ""};
    struct text_list list = params_of(params);
    if (destination_parse(&d, str_c(json), "test.json", p, &list, &e) != RC_OK)
        fail_msg("%s", e.msg);
    return d;
}

static const char *const kind[] = {"kind=contacts", NULL};

static void test_example(void **state)
{
    (void)state;
    struct profile *p = omni();
    struct destination *d = parse(EXAMPLE, p, kind);
    assert_string_equal(d->name, "test.json");
    assert_string_equal(d->about, "HubSpot contacts, by e-mail");
    assert_int_equal(d->method, HTTP_POST);
    assert_int_equal(d->auth.kind, AUTH_BEARER);
    assert_string_equal(d->auth.scheme, "Bearer");
    assert_string_equal(d->auth.token.env, "HUBSPOT_TOKEN");
    assert_null(d->auth.token.file);
    assert_int_equal(d->max_items, 100);
    assert_int_equal(d->max_bytes, 2 << 20);
    assert_true(d->has_unique_by);
    assert_string_equal(d->unique_by.text.ptr, "/id");
    assert_int_equal(d->n_headers, 2);
    assert_string_equal(d->headers[0].name, "X-Kind");
    assert_true(d->rate_per_s > 8.99 && d->rate_per_s < 9.01);
    assert_int_equal(d->concurrency, 4);
    assert_int_equal(d->n_gate, 2);
    assert_int_equal(d->gate[0].status, 403);
    assert_true(str_eq_c(d->gate[0].code, "LIMIT"));
    assert_int_equal(d->gate[1].status, 503);
    assert_null(d->gate[1].code.ptr);
    assert_int_equal(d->needs, SINK_WANTS_ROWS);
    const struct answer_rules *a = &d->answer;
    assert_int_equal(a->n_ok, 3);
    assert_int_equal(a->ok[2], 207);
    assert_true(a->results.is_given && !a->results.by_position && !a->results.has_success);
    assert_string_equal(a->results.entry.text.ptr, "/objectWriteTraceId");
    assert_string_equal(a->results.item.text.ptr, "/objectWriteTraceId");
    assert_true(a->errors.is_given && a->errors.has_code && a->errors.has_message);
    assert_string_equal(a->errors.entry.text.ptr, "/context/id/0");
    assert_string_equal(a->errors.item.text.ptr, "/id");
    assert_int_equal(a->n_retry_if, 1);
    assert_true(str_eq_c(a->retry_if[0], "LOCKED"));
    assert_int_equal(a->n_bisect_on, 4);
    assert_int_equal(a->bisect_on[3], 422);
    assert_true(!a->unaccounted_ok && !a->has_code && !a->has_message);
    destination_free(d);
    profile_free(p);
}

#define ITEM "\"item\":{\"id\":{\"$field\":\"lead_id\"}}"
#define ANSWER "\"answer\":{\"ok\":[200],\"unaccounted\":\"ok\"}"
#define BEGIN "{\"destination\":1,\"method\":\"POST\","
#define URL "\"url\":\"https://h/x\","
#define REST ITEM "," ANSWER "}"

static void test_auth(void **state)
{
    (void)state;
    struct profile *p = omni();
    const char *const none[] = {NULL};
    struct destination *d =
        parse(BEGIN URL "\"auth\":{\"header\":\"X-Key\",\"file\":\"/run/key\"}," REST, p, none);
    assert_int_equal(d->auth.kind, AUTH_HEADER);
    assert_string_equal(d->auth.header, "X-Key");
    assert_string_equal(d->auth.token.file, "/run/key");
    destination_free(d);
    d = parse(BEGIN URL "\"auth\":{\"basic\":{\"user_env\":\"U\",\"password_file\":\"p\"}}," REST,
              p, none);
    assert_int_equal(d->auth.kind, AUTH_BASIC);
    assert_string_equal(d->auth.user.env, "U");
    assert_string_equal(d->auth.password.file, "p");
    destination_free(d);
    d = parse(BEGIN "\"url_file\":\"u\"," REST, p, none);
    assert_int_equal(d->auth.kind, AUTH_NONE);
    assert_string_equal(d->url_place.file, "u");
    assert_int_equal(d->url.n_parts, 0);
    destination_free(d);
    d = parse(BEGIN URL "\"auth\":{\"scheme\":\"Zoho-oauthtoken\",\"bearer_file\":\"b\"}," REST, p,
              none);
    assert_string_equal(d->auth.scheme, "Zoho-oauthtoken");
    assert_string_equal(d->auth.token.file, "b");
    destination_free(d);
    const char *const org[] = {"org=a.b", NULL};
    d = parse(BEGIN
              "\"url\":\"{base}/x/{lead_id}\",\"auth\":{\"oauth2\":{\"grant\":\"refresh_token\","
              "\"token_url\":\"https://{org}/t?a=1\",\"id_env\":\"I\",\"secret_file\":\"s\","
              "\"refresh_env\":\"R\",\"scope\":\"https://{org}/.default\",\"take\":[\"base\"],"
              "\"renew_on\":[[401,\"OLD\"]]}}," REST,
              p, org);
    assert_int_equal(d->auth.kind, AUTH_OAUTH2);
    assert_int_equal(d->auth.grant, GRANT_REFRESH_TOKEN);
    assert_string_equal(d->auth.scheme, "Bearer");
    assert_string_equal(d->auth.scope, "https://a.b/.default");
    assert_string_equal(d->auth.id.env, "I");
    assert_string_equal(d->auth.secret.file, "s");
    assert_string_equal(d->auth.refresh.env, "R");
    assert_int_equal(d->auth.n_take, 1);
    assert_int_equal(d->auth.n_renew_on, 1);
    assert_true(d->url.has_taken && d->url.has_field);
    assert_true(!d->auth.token_url.has_taken && d->auth.token_url.n_parts == 3);
    destination_free(d);
    profile_free(p);
}

/* ---- texts with names in braces ------------------------------------------------------------- */

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *param, *taken, *email;                  /* email: JSON */
        enum { IN_URL, BESIDE_COLUMN, BESIDE_TAKEN } place; /* the last two: headers */
        const char *text;                                   /* "!": the fault */
    } rows[] = {
        {"p=a b", "https://i.example/", "\"x@y\"", IN_URL, "https://i.example/a%20b/x%40y?k=x%40y"},
        {"p=a b", "https://i.example", "5", IN_URL, "https://i.example/a%20b/5?k=5"},
        {"p=/?#", "https://i.example", "\"\xC3\xA9\"", IN_URL,
         "https://i.example/%2F%3F%23/%C3%A9?k=%C3%A9"},
        {"p=a", "https://i.example", "\"..\"", IN_URL,
         "!url the URL would have . or .. as a segment of its path"},
        {"p=a", "https://i.example", "null", IN_URL,
         "!url /url: the column email is null, and the URL needs it"},
        {"p=a", "https://i.example", "\"\"", IN_URL,
         "!url /url: the column email is empty, and the URL needs it"},
        {"p=a", "", "\"x\"", IN_URL, "!url the token's answer is empty, and the URL needs it"},
        {"p=a b", "t t", "\"x@y \xC3\xA9\"", BESIDE_COLUMN, "a b/x@y \xC3\xA9"},
        {"p=a b", "t t", "\"x@y \xC3\xA9\"", BESIDE_TAKEN, "a b/t t"},
        {"p=a", "", "\"\"", BESIDE_COLUMN, "a/"},
        {"p=a", "", "\"\"", BESIDE_TAKEN, "a/"},
        {"p=a", "t", "\"x\\ny\"", BESIDE_COLUMN,
         "!header /headers/X-A: the column email has a character that no header may have"},
        {"p=a", "t\r\nX: y", "\"x\"", BESIDE_TAKEN,
         "!header the token's answer has a character that no header may have"},
        {"p=a", "t", "null", BESIDE_COLUMN,
         "!header /headers/X-A: the column email is null, and the header needs it"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tables_fixture f;
        fixture_load(&f, "omni", SIGNED_URLS_KEEP);
        char body[256];
        (void)snprintf(body, sizeof body, "{\"lead\":{\"id\":\"L-1\",\"email\":%s}}",
                       rows[i].email);
        struct lead *lead = lead_with_body(str_c(body));
        assert_int_equal(lead_flatten(&f, lead, false, NULL), RC_OK);
        const char *const params[] = {rows[i].param, NULL};
        struct destination *d = parse(
            BEGIN
            "\"url\":\"{base}/{p}/{email}?k={email}\",\"headers\":{\"X-A\":\"{p}/{email}\","
            "\"X-B\":\"{p}/{base}\"},"
            "\"auth\":{\"oauth2\":{\"grant\":\"client_credentials\",\"token_url\":\"https://h\","
            "\"id_env\":\"I\",\"secret_env\":\"S\",\"take\":[\"base\"]}}," REST,
            f.profile, params);
        const struct template_input in = {.profile = f.profile, .lead = lead};
        const struct str taken[] = {str_c(rows[i].taken)};
        struct template_fault fault;
        struct buf got;
        buf_init(&got, 1 << 16);
        const struct text_template *const places[] = {&d->url, &d->headers[0].value,
                                                      &d->headers[1].value};
        enum rc rc = text_template_write(places[rows[i].place], rows[i].place == IN_URL, &in, taken,
                                         &got, &fault);
        if (rc == RC_USAGE) {
            buf_clear(&got);
            buf_addf(&got, "!%s %s", fault.code, fault.text);
        }
        if (strcmp(buf_cstr(&got), rows[i].text) != 0)
            fail_msg("%zu: %s, not %s", i, buf_cstr(&got), rows[i].text);
        buf_free(&got);
        destination_free(d);
        lead_free(lead);
        fixture_free(&f);
    }
}

/* ---- quotes --------------------------------------------------------------------------------- */

/* Between single quotes a quote is doubled, as OData has it; elsewhere it is not. */
static void test_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *url, *param, *email, *text;
    } rows[] = {
        {"https://h/leads(k='{email}')", NULL, "o'b@x", "https://h/leads(k='o%27%27b%40x')"},
        {"https://h/leads(k='{email}')", NULL, "'", "https://h/leads(k='%27%27')"},
        {"https://h/leads(k='{email}')", NULL, "''a'", "https://h/leads(k='%27%27%27%27a%27%27')"},
        {"https://h/leads(k='{email}')", NULL, "a') or ('b",
         "https://h/leads(k='a%27%27%29%20or%20%28%27%27b')"},
        {"https://h/leads(k='{email}')", NULL, "%27", "https://h/leads(k='%2527')"},
        {"https://h/leads(k='{email}')", NULL, "a", "https://h/leads(k='a')"},
        {"https://h/leads(a='{p}',b='x-{email}-{p}')", "p=d'e", "b'c",
         "https://h/leads(a='d%27%27e',b='x-b%27%27c-d%27%27e')"},
        {"https://h/leads(a=%27{p}%27)/{email}", "p=d'e", "b'c",
         "https://h/leads(a=%27d%27%27e%27)/b%27c"},
        {"https://h/x?$filter=a%20eq%20'{email}'", NULL, "b'c",
         "https://h/x?$filter=a%20eq%20'b%27%27c'"},
        {"https://h/{email}", NULL, "b'c", "https://h/b%27c"},
        {"https://h/x'y'/{email}/'z'", NULL, "b'c", "https://h/x'y'/b%27c/'z'"},
        {"https://h/o'brien/{email}", NULL, "b'c", "https://h/o'brien/b%27c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tables_fixture f;
        char body[256], json[512];
        fixture_load(&f, "omni", SIGNED_URLS_KEEP);
        (void)snprintf(body, sizeof body, "{\"lead\":{\"id\":\"L-1\",\"email\":\"%s\"}}",
                       rows[i].email);
        (void)snprintf(json, sizeof json, BEGIN "\"url\":\"%s\"," REST, rows[i].url);
        struct lead *lead = lead_with_body(str_c(body));
        assert_int_equal(lead_flatten(&f, lead, false, NULL), RC_OK);
        const char *const params[] = {rows[i].param, NULL};
        struct destination *d = parse(json, f.profile, params);
        const struct template_input in = {.profile = f.profile, .lead = lead};
        struct template_fault fault;
        struct buf got;
        buf_init(&got, 1 << 16);
        assert_int_equal(text_template_write(&d->url, true, &in, NULL, &got, &fault), RC_OK);
        if (strcmp(buf_cstr(&got), rows[i].text) != 0)
            fail_msg("%zu: %s, not %s", i, buf_cstr(&got), rows[i].text);
        buf_free(&got);
        destination_free(d);
        lead_free(lead);
        fixture_free(&f);
    }
}

/* ---- the digest ----------------------------------------------------------------------------- */

#define TWO BEGIN "\"url\":\"https://h/{a}/{b}\"," REST

static uint64_t digest_of(const char *json, const struct profile *p, const char *const *params)
{
    struct destination *d = parse(json, p, params);
    uint64_t digest = d->digest;
    destination_free(d);
    return digest;
}

static void test_digest(void **state)
{
    (void)state;
    struct profile *p = omni();
    static const char *const same[][3] = {{"a=1", "b=2", NULL}, {"b=2", "a=1", NULL}};
    static const char *const others[][3] = {
        {"a=2", "b=1", NULL}, {"a=1", "b=3", NULL}, {"a=12", "b=2", NULL}};
    uint64_t digest = digest_of(TWO, p, same[0]);
    assert_true(digest_of(TWO, p, same[1]) == digest);
    for (size_t i = 0; i < 3; i++)
        assert_true(digest_of(TWO, p, others[i]) != digest);
    assert_true(digest_of(TWO " ", p, same[0]) != digest);
    profile_free(p);
}

/* ---- what is refused ------------------------------------------------------------------------ */

#include "wrong_destinations.h"

static void check_refused(const struct profile *p, const char *json, const char *const *params,
                          const char *want)
{
    struct destination *d = NULL;
    struct err e = {.msg = ""};
    struct text_list list = params_of(params);
    enum rc rc = destination_parse(&d, str_c(json), "x.json", p, &list, &e);
    if (rc != RC_USAGE || strcmp(e.msg, want) != 0)
        fail_msg("%s:\n%s\nnot\n%s", json, rc ? e.msg : "is accepted", want);
    assert_null(d);
}

static void test_refused(void **state)
{
    (void)state;
    struct profile *p = omni();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_refused(p, wrong[i].json, wrong[i].params, wrong[i].text);
    profile_free(p);
}

/* Whatever the size and depth. */
static void test_bounds(void **state)
{
    (void)state;
    struct profile *p = omni();
    struct text_list none = {.n = 0};
    struct destination *d = NULL;
    struct buf b;
    struct err e = {.msg = ""};
    buf_init(&b, (size_t)4 << 20);
    buf_adds(&b, "{\"item\":");
    for (int i = 0; i < 32; i++)
        buf_adds(&b, "[");
    for (int i = 0; i < 32; i++)
        buf_adds(&b, "]");
    buf_adds(&b, "}");
    assert_int_equal(destination_parse(&d, buf_str(&b), "x.json", p, &none, &e), RC_USAGE);
    assert_string_equal(e.msg, "x.json: has more than 32 values within each other");
    buf_clear(&b);
    while (b.len <= DESTINATION_BYTES_MAX)
        buf_adds(&b, "                                                                ");
    assert_int_equal(destination_parse(&d, buf_str(&b), "x.json", p, &none, &e), RC_USAGE);
    assert_string_equal(e.msg, "x.json: a destination has at most 1048576 bytes");
    buf_free(&b);
    profile_free(p);
}

static void test_load_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } rows[] = {
        {"hubspot",
         "unknown destination \"hubspot\"; did you mean \"hubspot-contacts\"?; built in: close-lead, "
         "dynamics-lead, hubspot-companies, hubspot-contacts, pipedrive-person, salesforce-lead, "
         "slack, zoho-leads; or give the path of a file"},
        {"slakc",
         "unknown destination \"slakc\"; did you mean \"slack\"?; built in: close-lead, "
         "dynamics-lead, hubspot-companies, hubspot-contacts, pipedrive-person, salesforce-lead, "
         "slack, zoho-leads; or give the path of a file"},
        {"/nowhere/x.json", "/nowhere/x.json: No such file or directory"},
        {"/", "/: Is a directory"},
        {"salesforce-lead",
         "salesforce-lead: /auth/oauth2/token_url: the name in {domain} is unknown (allowed: a "
         "parameter, given as param=domain=VALUE)"},
    };
    struct profile *p = omni();
    struct text_list none = {.n = 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct destination *d = NULL;
        struct err e = {.msg = ""};
        assert_int_equal(destination_load(&d, rows[i].name, p, &none, &e), RC_USAGE);
        assert_string_equal(e.msg, rows[i].text);
    }
    profile_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtins),     cmocka_unit_test(test_example),
        cmocka_unit_test(test_auth),         cmocka_unit_test(test_texts),
        cmocka_unit_test(test_quotes),       cmocka_unit_test(test_digest),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_load_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
