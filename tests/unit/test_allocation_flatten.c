/* Payloads to rows while memory runs out. */
#include "allocation_sweep.h"
#include "rich_leads.h"
#include "core/run/run_lead.h"
#include "tables_text.h"

#define N_BODIES 2

/* ---- JSON ----------------------------------------------------------------------------------- */

struct json_work {
    struct buf text;
    struct arena arena;
    struct json_doc doc;
};

static void json_begin(void *ctx)
{
    struct json_work *w = ctx;
    arena_init(&w->arena, (size_t)64 << 20);
    buf_init(&w->text, (size_t)1 << 20);
    rich_omni(&w->text, 1, 20000);
}

static enum rc json_run(void *ctx, struct err *e)
{
    struct json_work *w = ctx;
    return json_parse(&w->arena, buf_str(&w->text), JSON_TREE | JSON_COMPACT, &w->doc, e);
}

static void json_end(void *ctx, enum rc rc, struct buf *out)
{
    struct json_work *w = ctx;
    if (rc != RC_OK) { /* an arena that was refused memory is as good as new */
        arena_reset(&w->arena, 16384);
        assert_int_equal(json_run(w, NULL), RC_OK);
    }
    json_write(out, w->doc.root);
    buf_add_str(out, w->doc.compact);
    buf_addf(out, "%llu", (unsigned long long)w->doc.replaced);
    arena_free(&w->arena);
    buf_free(&w->text);
}

static void add_piece(void *ctx, const char *p, size_t n)
{
    buf_add(ctx, p, n);
}

struct canonical_work {
    struct json_work json;
    struct arena scratch;
    struct buf text;
};

static void canonical_begin(void *ctx)
{
    struct canonical_work *w = ctx;
    json_begin(&w->json);
    assert_int_equal(json_run(&w->json, NULL), RC_OK);
    arena_init(&w->scratch, (size_t)64 << 20);
    buf_init(&w->text, (size_t)1 << 20);
    assert_non_null(buf_reserve(&w->text, (size_t)1 << 20));
}

static enum rc canonical_run(void *ctx, struct err *e)
{
    struct canonical_work *w = ctx;
    enum rc rc = json_canonical(w->json.doc.root, NULL, &w->scratch, add_piece, &w->text);
    return rc == RC_OK ? rc : err_set(e, rc, "%s", rc_text(rc));
}

static void canonical_end(void *ctx, enum rc rc, struct buf *out)
{
    struct canonical_work *w = ctx;
    if (rc == RC_OK)
        buf_add_str(out, buf_str(&w->text));
    buf_free(&w->text);
    arena_free(&w->scratch);
    arena_free(&w->json.arena);
    buf_free(&w->json.text);
}

static void json(void **state)
{
    (void)state;
    struct json_work w;
    struct canonical_work canonical;
    sweep(&(struct work){"JSON to a tree", true, json_begin, json_run, json_end, &w});
    sweep(&(struct work){"a tree in its canonical form", false, canonical_begin, canonical_run,
                         canonical_end, &canonical});
}

/* ---- the plan ------------------------------------------------------------------------------- */

struct plan_work {
    const char *profile;
    struct tables_fixture made;
};

static void plan_begin(void *ctx)
{
    struct plan_work *w = ctx;
    w->made = (struct tables_fixture){0};
}

static enum rc plan_run(void *ctx, struct err *e)
{
    struct plan_work *w = ctx;
    struct tables_fixture *f = &w->made;
    enum rc rc = profile_load(&f->profile, w->profile, e);
    if (rc == RC_OK)
        rc = flatten_plan_new(&f->plan, f->profile, SIGNED_URLS_STRIP, e);
    if (rc == RC_OK && schema_new(&f->schema, f->profile, SCHEMA_COLUMNS_MAX) != RC_OK)
        rc = err_nomem(e);
    return rc;
}

static void plan_end(void *ctx, enum rc rc, struct buf *out)
{
    struct plan_work *w = ctx;
    struct buf text;
    if (rc == RC_OK) {
        buf_init(&text, (size_t)1 << 20);
        rich_omni(&text, 1, 0);
        buf_init(&w->made.text, (size_t)1 << 20);
        buf_adds(out, tables_of(&w->made, buf_cstr(&text)));
        buf_free(&text);
    }
    fixture_free(&w->made);
}

static void plan(void **state)
{
    (void)state;
    struct plan_work omni = {.profile = "omni"}, convocore = {.profile = "convocore"};
    sweep(&(struct work){"profile omni and plan", false, plan_begin, plan_run, plan_end, &omni});
    sweep(&(struct work){"profile convocore and plan", false, plan_begin, plan_run, plan_end,
                         &convocore});
}

/* ---- leads ---------------------------------------------------------------------------------- */

struct leads_work {
    struct tables_fixture f;
    struct buf bodies[N_BODIES];
    struct lead *leads[N_BODIES];
    size_t n, n_done;
};

static void leads_begin(void *ctx)
{
    struct leads_work *w = ctx;
    assert_int_equal(schema_new(&w->f.schema, w->f.profile, SCHEMA_COLUMNS_MAX), RC_OK);
    w->n_done = 0;
    for (size_t i = 0; i < w->n; i++)
        w->leads[i] = lead_with_body(buf_str(&w->bodies[i]));
}

/* Stops at the first lead that fails, as there is no memory for it. */
static enum rc leads_run(void *ctx, struct err *e)
{
    struct leads_work *w = ctx;
    for (; w->n_done < w->n; w->n_done++) {
        enum rc rc = lead_flatten(&w->f, w->leads[w->n_done], true, e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

/* The lead that failed, and those after it, meet the columns that were there before it. */
static void leads_end(void *ctx, enum rc rc, struct buf *out)
{
    struct leads_work *w = ctx;
    if (rc != RC_OK) {
        struct lead *lead = w->leads[w->n_done];
        arena_reset(&lead->arena, 16384);
        assert_int_equal(leads_run(w, NULL), RC_OK);
    }
    for (size_t i = 0; i < w->n; i++) {
        print_tables(out, w->f.profile, w->leads[i]);
        for (size_t k = 0; k < FINGERPRINT_BYTES; k++)
            buf_addf(out, "%02x", w->leads[i]->fingerprint[k]);
        lead_free(w->leads[i]);
    }
    for (size_t t = 0; t < w->f.profile->n_tables; t++) {
        for (size_t i = 0; i < schema_columns(w->f.schema, t); i++) {
            buf_add_str(out, schema_column(w->f.schema, t, i)->name);
            buf_addc(out, '\n');
        }
    }
    schema_free(w->f.schema);
    w->f.schema = NULL;
}

static void leads_sweep(const char *name, const char *profile, enum signed_urls urls)
{
    struct leads_work w = {.n = N_BODIES};
    fixture_load(&w.f, profile, urls);
    schema_free(w.f.schema);
    for (size_t i = 0; i < N_BODIES; i++) {
        buf_init(&w.bodies[i], (size_t)1 << 20);
        if (strcmp(profile, "omni") == 0)
            rich_omni(&w.bodies[i], (unsigned)i + 1, 0);
        else
            buf_adds(&w.bodies[i], RICH_CONVOCORE);
    }
    sweep(&(struct work){name, true, leads_begin, leads_run, leads_end, &w});
    for (size_t i = 0; i < N_BODIES; i++)
        buf_free(&w.bodies[i]);
    fixture_free(&w.f);
}

static void leads(void **state)
{
    (void)state;
    leads_sweep("omni leads to rows, URLs stripped", "omni", SIGNED_URLS_STRIP);
    leads_sweep("omni leads to rows, URLs dropped", "omni", SIGNED_URLS_DROP);
    leads_sweep("convocore leads to rows", "convocore", SIGNED_URLS_KEEP);
}

/* ---- payloads that only pass through -------------------------------------------------------- */

#define PLAIN_OMNI "{ \"lead\" : {\"id\":\"L-2\", \"n\": [1.10, 2]}, \"status\": \"x\" }"

struct parse_work {
    struct tables_fixture f;
    struct str body;
    struct lead *lead;
};

static void parse_begin(void *ctx)
{
    struct parse_work *w = ctx;
    w->lead = lead_with_body(w->body);
}

static enum rc parse_run(void *ctx, struct err *e)
{
    struct parse_work *w = ctx;
    const char *code;
    return flatten_parse(w->f.plan, w->lead, JSON_COMPACT, &code, e);
}

static void parse_end(void *ctx, enum rc rc, struct buf *out)
{
    struct parse_work *w = ctx;
    if (rc != RC_OK) {
        arena_reset(&w->lead->arena, 16384);
        assert_int_equal(parse_run(w, NULL), RC_OK);
    }
    buf_add_str(out, w->lead->doc.compact);
    buf_add_str(out, w->lead->other_id);
    lead_free(w->lead);
}

static void prescans(void **state)
{
    (void)state;
    struct parse_work w;
    struct buf rich;
    fixture_load(&w.f, "omni", SIGNED_URLS_STRIP);
    buf_init(&rich, (size_t)1 << 20);
    rich_omni(&rich, 1, 20000);
    w.body = STR(PLAIN_OMNI);
    sweep(&(struct work){"a payload that is scanned", true, parse_begin, parse_run, parse_end, &w});
    w.body = buf_str(&rich);
    sweep(
        &(struct work){"a payload that needs a tree", true, parse_begin, parse_run, parse_end, &w});
    buf_free(&rich);
    fixture_free(&w.f);
}

/* ---- answers that are no payload ------------------------------------------------------------ */

#define MESSAGE "no \xc3\xa9 such lead"
#define REFUSAL "{\"success\": false, \"message\": \"" MESSAGE "\", \"code\": \"GONE_AWAY\"}"

#define NO_SUCCESS "the response reports a failure"

struct answer_work {
    struct parse_work parse;
    bool is_error;   /* of another status: whatever it says */
    bool has_failed; /* as it says itself */
    const char *message, *code;
    struct err e; /* with the message, where it has */
};

static void answer_begin(void *ctx)
{
    struct answer_work *w = ctx;
    parse_begin(&w->parse);
    w->has_failed = false;
    w->message = w->code = NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcmp(*words, text) != 0)
        words++;
    return *words != NULL;
}

/* For want of memory the provider's own words may be missing, but never the failure. */
static enum rc answer_run(void *ctx, struct err *e)
{
    struct answer_work *w = ctx;
    struct lead *lead = w->parse.lead;
    if (w->is_error) {
        flatten_error_body(w->parse.f.plan, lead, w->parse.body, &w->message, &w->code);
    } else {
        enum rc rc = flatten_parse(w->parse.f.plan, lead, JSON_TREE, &w->code, &w->e);
        w->has_failed = rc == RC_CLOSED;
        if (!w->has_failed)
            return err_set(e, rc, "%s", w->e.msg);
        w->message = w->e.msg;
    }
    bool is_whole = w->message && w->code && strcmp(w->message, MESSAGE) == 0;
    return is_whole && strcmp(w->code, "GONE_AWAY") == 0 ? RC_OK : err_nomem(e);
}

static void answer_end(void *ctx, enum rc rc, struct buf *out)
{
    static const char *const messages[] = {MESSAGE, REFUSAL, NO_SUCCESS, NULL};
    static const char *const codes[] = {"GONE_AWAY", "not_successful", NULL};
    struct answer_work *w = ctx;
    if (rc == RC_OK || w->has_failed || w->message)
        assert_true(w->message && is_one_of(w->message, messages));
    if (rc == RC_OK || w->has_failed || w->code)
        assert_true(w->code && is_one_of(w->code, codes));
    if (rc == RC_OK)
        buf_addf(out, "%s: %s", w->code, w->message);
    lead_free(w->parse.lead);
}

static void answers(void **state)
{
    (void)state;
    struct answer_work w = {.parse.body = STR(REFUSAL)};
    fixture_load(&w.parse.f, "omni", SIGNED_URLS_STRIP);
    sweep(&(struct work){"\"success\": false", false, answer_begin, answer_run, answer_end, &w});
    w.is_error = true;
    sweep(&(struct work){"an error's body", false, answer_begin, answer_run, answer_end, &w});
    fixture_free(&w.parse.f);
}

/* A lead that fails for want of memory says so, without any. */
static void failures(void **state)
{
    (void)state;
    struct lead *lead = run_lead_new(STR("L-1"), NULL, 0);
    assert_non_null(lead);
    for (uint64_t n = 1; n <= 3; n++) { /* the first text, its memory, the second text */
        memory_arm(n, SHORTAGE_LASTING);
        lead_fail(lead, STAGE_PARSE, "out_of_memory", "%s", "its text");
        assert_true(memory_disarm() > 0);
        assert_int_equal(lead->run->outcome, OUTCOME_FAILED);
        assert_int_equal(lead->run->failure.stage, STAGE_PARSE);
        assert_string_equal(lead->run->failure.code, "out_of_memory");
        assert_string_equal(lead->run->failure.error, n < 3 ? "out of memory" : "its text");
    }
    memory_arm(1, SHORTAGE_LASTING);
    lead_fail(lead, STAGE_SINK, NULL, "%s", "");
    (void)memory_disarm();
    assert_null(lead->run->failure.code);
    lead_free(lead);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json),     cmocka_unit_test(plan),    cmocka_unit_test(leads),
        cmocka_unit_test(prescans), cmocka_unit_test(answers), cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
