/* Destinations from outside, and what a lead becomes by one that is accepted: the first NUL ends the
 * destination; what is behind it is a payload. */
#include "core/flatten/flatten.h"
#include "core/flatten/schema.h"
#include "fuzz.h"
#include "sinks/push/destination.h"

#define SAMPLE                                                                                      \
    "{\"status\":\"REVIEW\",\"lead\":{\"id\":\"L-1\",\"firstName\":\" Zo\\u00eb \",\"lastName\":"   \
    "\"O'Hara\",\"email\":\"Zoe@Example.com\",\"phoneNumber\":\"+1 678 231 9992\",\"submittedAt\":" \
    "\"2026-01-30T02:00:00Z\"},\"documents\":[{\"id\":\"d\"},7],\"checklistItems\":[{\"items\":[{"  \
    "\"value\":1.50,\"checklistItem\":{\"code\":\"amount\"}}]}]}"

/* What is written is one JSON value, or the fault is one line of UTF-8. */
static void check_json(const struct buf *b, enum rc rc, const struct template_fault *fault)
{
    struct arena a;
    struct json_doc doc;
    if (rc != RC_OK) {
        MUST(rc == RC_USAGE && fault->code && utf8_valid(fault->text, strlen(fault->text)));
        MUST(!strpbrk(fault->text, "\n\r\x1b"));
        return;
    }
    arena_init(&a, (size_t)512 << 20);
    MUST(json_parse(&a, buf_str(b), JSON_TREE, &doc, NULL) == RC_OK && !doc.replaced &&
         !doc.repeated);
    arena_free(&a);
}

static void check_url(const struct destination *d, const struct template_input *in)
{
    struct str taken[16];
    struct template_fault fault;
    struct buf url;
    buf_init(&url, (size_t)4 << 20);
    for (size_t i = 0; i < 16; i++)
        taken[i] = STR("https://x/?#");
    enum rc rc = text_template_write(&d->url, true, in, taken, &url, &fault);
    MUST(rc == RC_OK || rc == RC_USAGE);
    for (size_t i = 0; rc == RC_OK && i < url.len; i++)
        MUST(url.data[i] > ' ' && url.data[i] < 0x7F && url.data[i] != '{');
    for (size_t i = 0; i < d->n_headers; i++) {
        buf_clear(&url);
        rc = text_template_write(&d->headers[i].value, false, in, taken, &url, &fault);
        MUST(rc == RC_OK || rc == RC_USAGE);
        MUST(rc != RC_OK || !url.len || !memchr(url.data, '\n', url.len));
    }
    buf_free(&url);
}

static void check_lead(const struct destination *d, const struct profile *p, struct lead *lead)
{
    struct template_fault fault = {.code = NULL};
    const struct template_input in = {
        .profile = p, .lead = lead, .run_id = "r", .exported_at = "2026-01-30T02:00:00Z"};
    struct buf item, behind;
    buf_init(&item, (size_t)64 << 20);
    buf_init(&behind, (size_t)64 << 20);
    enum rc rc = template_write(d->item, &in, &item, &fault);
    check_json(&item, rc, &fault);
    if (d->body) {
        const struct template_input run = {.profile = p, .run_id = "r", .exported_at = "t"};
        buf_clear(&item);
        MUST(template_write_around(d->body, &run, &item, &behind, &fault) == RC_OK);
        buf_add_str(&item, buf_str(&behind));
        check_json(&item, RC_OK, &fault);
    }
    check_url(d, &in);
    buf_free(&item);
    buf_free(&behind);
}

static void check_destination(const struct destination *d, const struct profile *p, struct str body)
{
    struct flatten_plan *plan;
    struct schema *s;
    const char *code;
    MUST(d->max_items >= 1 && d->max_items <= DESTINATION_ITEMS_MAX &&
         (d->body || d->max_items == 1));
    MUST(flatten_plan_new(&plan, p, SIGNED_URLS_STRIP, NULL) == RC_OK);
    MUST(schema_new(&s, p, SCHEMA_COLUMNS_MAX) == RC_OK);
    struct lead *lead = lead_new(STR("L-1"), NULL, 0, sizeof *lead);
    MUST(lead);
    buf_init(&lead->body, (size_t)64 << 20);
    buf_add_str(&lead->body, body);
    lead->http_status = 200;
    if (flatten_parse(plan, lead, JSON_TREE, &code, NULL) == RC_OK &&
        flatten_rows(plan, lead, false, NULL) == RC_OK && schema_resolve(s, lead, NULL) == RC_OK)
        check_lead(d, p, lead);
    lead_free(lead);
    schema_free(s);
    flatten_plan_free(plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *items[] = {"a=1", "kind=x y", "domain=h.example"};
    const char *text = (const char *)data;
    const char *nul = size ? memchr(text, '\0', size) : NULL;
    struct str json = {text, nul ? (size_t)(nul - text) : size};
    struct str body = nul ? (struct str){nul + 1, size - json.len - 1} : STR(SAMPLE);
    struct profile *p;
    MUST(profile_load(&p, "omni", NULL) == RC_OK);
    for (size_t n = 0; n <= 3; n++) { /* which parameters there are decides much */
        struct destination *d;
        struct err e = {.msg = ""};
        const struct text_list params = {items, n};
        enum rc rc = destination_parse(&d, json, "fuzz", p, &params, &e);
        MUST(rc == RC_OK || (rc == RC_USAGE && strncmp(e.msg, "fuzz: ", 6) == 0));
        if (rc == RC_OK)
            check_destination(d, p, body);
        if (rc == RC_OK)
            destination_free(d);
    }
    profile_free(p);
    return 0;
}
