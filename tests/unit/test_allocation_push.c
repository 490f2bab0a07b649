/* Destinations and what leads become by them while memory runs out. */
#include "allocation_sweep.h"
#include "rich_leads.h"
#include "sinks/push/destination.h"
#include "tables_text.h"

#define RICH                                                                                          \
    "{\"destination\":1,\"method\":\"PUT\",\"url\":\"{base}/{kind}/{lead_id}?e={status}\","           \
    "\"headers\":{\"X-A\":\"{kind} {lead_id}\"},\"auth\":{\"oauth2\":{\"grant\":"                     \
    "\"client_credentials\",\"token_url\":\"https://{host}/t\",\"id_env\":\"I\",\"secret_env\":"      \
    "\"S\",\"scope\":\"a {host}\",\"take\":[\"base\"],\"renew_on\":[[401,\"X\"]]}},\"item\":{"        \
    "\"id\":{\"$field\":\"lead_id\",\"required\":true},\"name\":{\"$concat\":[{\"$payload\":"         \
    "\"/lead/firstName\",\"do\":[\"trim\",\"upper\"]},\" \",{\"$param\":\"kind\"}]},\"phone\":{"      \
    "\"$field\":\"phone_number\",\"do\":[\"e164\"],\"null\":{\"value\":[]}},\"all\":{\"$payload\":"   \
    "\"/lead\",\"as\":\"text\"},\"state\":{\"$field\":\"status\",\"map\":{\"REVIEW\":1,\"X\":2},"     \
    "\"else\":null,\"as\":\"text\"},\"c\":{\"$field\":\"checklist_2nd_owner\",\"default\":"           \
    "{\"$field\":\"checklist_nowhere\",\"default\":1}},\"docs\":{\"$rows\":{\"table\":\"documents\"," \
    "\"item\":{\"n\":{\"$field\":\"position\"},\"i\":{\"$field\":\"id\"}}}}},"                        \
    "\"limits\":{\"gate\":[[403,\"L\"]]},\"answer\":{\"ok\":[200],\"results\":{\"at\":\"\","          \
    "\"success\":[\"/s\",\"ok\"],\"code\":\"/c\"},\"retry_if\":[\"LOCKED\"]}}"

struct push_work {
    struct tables_fixture f;
    struct lead *lead;
    const char *json;
    struct destination *d;
    struct buf url, item, scratch[TEMPLATE_SCRATCH];
    bool own_scratch;
};

static void push_begin(void *ctx)
{
    struct push_work *w = ctx;
    struct buf text;
    fixture_load(&w->f, "omni", SIGNED_URLS_KEEP);
    buf_init(&text, (size_t)1 << 20);
    rich_omni(&text, 1, 2000);
    w->lead = lead_with_body(buf_str(&text));
    assert_int_equal(lead_flatten(&w->f, w->lead, false, NULL), RC_OK);
    buf_free(&text);
    buf_init(&w->url, (size_t)1 << 20);
    buf_init(&w->item, (size_t)1 << 20);
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_init(&w->scratch[i], TEMPLATE_SCRATCH_BYTES_MAX);
    w->d = NULL;
}

static enum rc push_run(void *ctx, struct err *e)
{
    struct push_work *w = ctx;
    static const char *items[] = {"kind=a b", "host=h.example"};
    const struct text_list params = {items, 2};
    const struct str taken[] = {STR("https://i.example")};
    struct template_fault fault = {.text = ""};
    const struct template_input in = {.profile = w->f.profile,
                                      .lead = w->lead,
                                      .run_id = "r",
                                      .exported_at = "t",
                                      .scratch = w->own_scratch ? w->scratch : NULL};
    enum rc rc = destination_parse(&w->d, str_c(w->json), "x.json", w->f.profile, &params, e);
    if (rc != RC_OK)
        return rc;
    rc = text_template_write(&w->d->url, true, &in, taken, &w->url, &fault);
    if (rc == RC_OK)
        rc = template_write(w->d->item, &in, &w->item, &fault);
    return rc == RC_NOMEM ? err_nomem(e) : err_set(e, rc, "%s", fault.text);
}

static void push_end(void *ctx, enum rc rc, struct buf *out)
{
    struct push_work *w = ctx;
    if (rc == RC_OK) {
        buf_add_str(out, buf_str(&w->url));
        buf_add_str(out, buf_str(&w->item));
    }
    destination_free(w->d);
    buf_free(&w->url);
    buf_free(&w->item);
    for (size_t i = 0; i < TEMPLATE_SCRATCH; i++)
        buf_free(&w->scratch[i]);
    lead_free(w->lead);
    fixture_free(&w->f);
}

static void sweep_push(const char *name, const char *json, bool own_scratch)
{
    struct push_work ctx = {.json = json, .own_scratch = own_scratch};
    const struct work w = {
        .name = name, .begin = push_begin, .run = push_run, .end = push_end, .ctx = &ctx};
    sweep(&w);
}

static void test_push(void **state)
{
    (void)state;
    sweep_push("a destination and an item", RICH, false);
    sweep_push("a destination and an item, with scratch", RICH, true);
}

/* What is wrong with a destination is said, or that memory ran out: never anything else. */
static enum rc refused_run(void *ctx, struct err *e)
{
    static const char *const wrong[] = {
        "{\"destination\":1,\"metod\":1}",
        "{\"destination\":1,\"method\":\"POST\",\"url\":\"https://h/{nobody}\",\"item\":{},\"answer\":{}}",
        "{\"destination\":1,\"method\":\"POST\",\"url\":\"https://h\",\"item\":{\"a\":{\"$field\":\"x\"}}}",
        "{\"destination\":1,\"method\":\"POST\",\"url\":\"https://h\",\"item\":{\"a\":{\"$rows\":{\"table\":"
        "\"x\",\"item\":1}}}}",
        "{\"a\":[{\"b\":1,\"b\":2}]}",
    };
    struct push_work *w = ctx;
    static const char *items[] = {"kind=a"};
    const struct text_list params = {items, 1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        enum rc rc = destination_parse(&w->d, str_c(wrong[i]), "x.json", w->f.profile, &params, e);
        if (rc == RC_NOMEM)
            return rc;
        assert_int_equal(rc, RC_USAGE);
        buf_adds(&w->item, e->msg);
    }
    e->rc = buf_rc(&w->item);
    return buf_rc(&w->item) == RC_OK ? RC_OK : err_nomem(e);
}

static void test_refused(void **state)
{
    (void)state;
    struct push_work ctx = {.json = NULL};
    const struct work w = {.name = "destinations that are wrong",
                           .begin = push_begin,
                           .run = refused_run,
                           .end = push_end,
                           .ctx = &ctx};
    sweep(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
