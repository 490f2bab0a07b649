/* Batches of items: which item goes where, when a batch is full, and what marks and recorded deliveries hold. */
#include "push_world.h"
#include "sinks/push/push_batch.h"

#define UNIQUE "\"unique_by\":\"/k\","
#define ITEM                                                                                       \
    "{\"k\":{\"$payload\":\"/k\"},\"t\":{\"$payload\":\"/t\"},\"id\":{\"$field\":\"lead_id\"}}"

/* Leads, batches for them, and all that was sent. */
struct batch_world {
    struct sample sample;
    struct arena arena;
    struct lead leads[LEADS];
    char ids[LEADS][4];
    struct state *state; /* only whether there is one */
    struct sink_cfg cfg;
    struct destination *d;
    struct batches b;
    struct buf sent; /* "0 1 2;": leads; bodies are in `bodies` */
    struct message *messages[LEADS];
    size_t n_messages;
    const struct lead *given[LEADS]; /* by the run, when a mark is resumed */
};

static struct destination *make_destination(const struct batch_world *w, const char *members,
                                            const char *url)
{
    struct destination *d = NULL;
    struct err e = {.msg = ""};
    struct buf b;
    buf_init(&b, 8192);
    buf_addf(&b,
             "{\"destination\":1,\"method\":\"POST\",\"url\":\"%s\",%s\"item\":" ITEM
             ",\"answer\":{\"ok\":[200],\"unaccounted\":\"ok\"}}",
             url, members);
    if (destination_parse(&d, buf_str(&b), "x.json", &w->sample.profile,
                          &(struct text_list){.n = 0}, &e) != RC_OK)
        fail_msg("%s", e.msg);
    buf_free(&b);
    return d;
}

static void bw_lead(struct batch_world *w, size_t i, const char *payload)
{
    struct lead *lead = &w->leads[i];
    (void)snprintf(w->ids[i], sizeof w->ids[i], "%zu", i);
    lead->seq = i;
    lead->id = str_c(w->ids[i]);
    lead->params = w->sample.param_values;
    lead->tables = w->sample.rows;
    memset(lead->fingerprint, (int)i, sizeof lead->fingerprint);
    assert_int_equal(json_parse(&w->arena, str_c(payload), JSON_TREE, &lead->doc, NULL), RC_OK);
    lead->root = lead->doc.root;
}

static void bw_begin(struct batch_world *w, const char *members, const char *url)
{
    struct err e;
    *w = (struct batch_world){.n_messages = 0};
    assert_true(sample_init(&w->sample));
    arena_init(&w->arena, SIZE_MAX);
    for (size_t i = 0; i < LEADS; i++)
        bw_lead(w, i, "{}");
    buf_init(&w->sent, 4096);
    w->d = make_destination(w, members, url);
    w->cfg = (struct sink_cfg){
        .target = "x.json",
        .profile = &w->sample.profile,
        .run_id = "r",
        .state = (struct state *)(void *)w, /* notes are made; nothing else is asked of it */
    };
    assert_int_equal(batches_open(&w->b, &w->cfg, w->d, 10, &e), RC_OK);
}

static void bw_end(struct batch_world *w)
{
    for (size_t i = 0; i < w->b.n_open; i++)
        message_free(w->b.open[i].message);
    for (size_t i = 0; i < w->n_messages; i++)
        message_free(w->messages[i]);
    batches_close(&w->b);
    destination_free(w->d);
    buf_free(&w->sent);
    arena_free(&w->arena);
    sample_free(&w->sample);
}

static void send_first(struct batch_world *w)
{
    struct message *p = NULL;
    assert_int_equal(batches_end(&w->b, &p), RC_OK);
    for (size_t i = 0; i < p->own.n_leads; i++) {
        assert_int_equal(p->own.leads[i].position, i);
        buf_addf(&w->sent, "%s%llu", i ? " " : "", (unsigned long long)p->own.leads[i].lead->seq);
    }
    buf_adds(&w->sent, ";");
    w->messages[w->n_messages++] = p;
}

/* As the sink does. */
static void bw_put(struct batch_world *w, size_t i)
{
    struct item item;
    struct template_fault fault;
    struct str key;
    size_t at;
    bool is_full = false;
    enum rc rc;
    assert_int_equal(batches_make_item(&w->b, &w->leads[i], &item, &fault), RC_OK);
    while ((rc = batches_find(&w->b, &item, &at, &key)) == RC_BUSY)
        send_first(w);
    assert_int_equal(rc, RC_OK);
    if (at == w->b.n_open)
        assert_int_equal(batches_begin(&w->b, message_new(NULL, w->d->max_items, MESSAGE_BODY_MAX)),
                         RC_OK);
    assert_int_equal(batches_add(&w->b, at, &w->leads[i], &item, key, &is_full), RC_OK);
    for (size_t k = 0; is_full && k <= at; k++)
        send_first(w);
}

static void expect_sent(struct batch_world *w, const char *want)
{
    while (w->b.n_open)
        send_first(w);
    assert_string_equal(buf_cstr(&w->sent), want);
}

/* ---- which item goes where ------------------------------------------------------------------ */

static void test_unique(void **state)
{
    (void)state;
    /* One letter a lead: its key; "-": none, "n": the number 1, "1": the text. */
    static const struct {
        const char *keys, *sent;
    } cases[] = {
        {"abc", "0 1 2;"},
        {"aab", "0 2;1;"},
        {"aba", "0 1;2;"},
        {"aaa", "0;1;2;"},
        {"aaaa", "0;1;2;3;"},
        {"aaaaa", "0;1;2;3;4;"}, /* four are open at a time */
        {"aaaaaaaaa", "0;1;2;3;4;5;6;7;8;"},
        {"abaabab", "0 1;2 4;3 6;5;"},
        {"----", "0 1 2;3;"},             /* without a value none are alike */
        {"1n", "0;1;"},                   /* alike where they look alike */
        {"aabcd", "0 2 3;1 4;"},          /* the first is full */
        {"aabbccdd", "0 2 4;1 3 5;6;7;"}, /* filling the second sends the first before it */
        {"abcabcabcabc", "0 1 2;3 4 5;6 7 8;9 10 11;"},
        {"aaabbbcccddd", "0 3 6;1 4 7;2 5 8;9;10;11;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch_world w;
        bw_begin(&w, "\"batch\":{" UNIQUE "\"max_items\":3},\"body\":{\"i\":{\"$items\":true}},",
                 "https://h/x");
        for (size_t k = 0; cases[i].keys[k]; k++) {
            char payload[24], c = cases[i].keys[k];
            (void)snprintf(payload, sizeof payload,
                           c == '-'   ? "{}"
                           : c == 'n' ? "{\"k\":1}"
                                      : "{\"k\":\"%c\"}",
                           c);
            bw_lead(&w, k, payload);
            bw_put(&w, k);
        }
        expect_sent(&w, cases[i].sent);
        bw_end(&w);
    }
}

static void test_full(void **state)
{
    (void)state;
    static const struct {
        const char *batch, *sent;
    } cases[] = {
        {"\"max_items\":2", "0 1;2 3;4;"},
        {"\"max_items\":5", "0 1 2 3 4;"},
        {"\"max_items\":6", "0 1 2 3 4;"},
        {"\"max_items\":10,\"max_bytes\":1024", "0 1;2 3;4;"}, /* 10 around, 400 each, commas */
    };
    char payload[512];
    (void)snprintf(payload, sizeof payload, "{\"t\":\"%0384d\"}",
                   0); /* {"t":"...","id":"0"}: 400 bytes */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch_world w;
        char members[128];
        (void)snprintf(members, sizeof members,
                       "\"batch\":{%s},\"body\":{\"i\":{\"$items\":true}},", cases[i].batch);
        bw_begin(&w, members, "https://h/x");
        for (size_t k = 0; k < 5; k++) {
            bw_lead(&w, k, payload);
            bw_put(&w, k);
        }
        expect_sent(&w, cases[i].sent);
        bw_end(&w);
    }
}

/* Whatever the destination allows: a batch of 2 MiB is sent, so that no mark grows beyond that. */
static void test_full_by_bytes(void **state)
{
    (void)state;
    struct batch_world w;
    size_t n = (size_t)1 << 20;
    char *payload = malloc(n + 16);
    assert_non_null(payload);
    memcpy(payload, "{\"t\":\"", 6);
    memset(payload + 6, 'x', n);
    memcpy(payload + 6 + n, "\"}", 3);
    bw_begin(
        &w, "\"batch\":{\"max_items\":9,\"max_bytes\":\"64M\"},\"body\":{\"i\":{\"$items\":true}},",
        "https://h/x");
    for (size_t k = 0; k < 5; k++) {
        bw_lead(&w, k, payload);
        bw_put(&w, k);
    }
    expect_sent(&w, "0 1;2 3;4;");
    bw_end(&w);
    free(payload);
}

static void test_too_large(void **state)
{
    (void)state;
    /* 10 bytes around, 20 of the rest of the item */
    for (int over = 0; over < 2; over++) {
        struct batch_world w;
        struct item item;
        struct template_fault fault;
        char payload[1200];
        int n = 1024 - 10 - (int)strlen("{\"t\":\"\",\"id\":\"0\"}") + over;
        (void)snprintf(payload, sizeof payload, "{\"t\":\"%0*d\"}", n, 0);
        bw_begin(
            &w,
            "\"batch\":{\"max_items\":2,\"max_bytes\":1024},\"body\":{\"i\":{\"$items\":true}},",
            "https://h/x");
        bw_lead(&w, 0, payload);
        assert_int_equal(batches_make_item(&w.b, &w.leads[0], &item, &fault),
                         over ? RC_USAGE : RC_OK);
        if (over) {
            assert_string_equal(fault.code, "too_large");
            assert_string_equal(fault.text,
                                "the item is larger than a request may be (1024 bytes)");
        }
        bw_end(&w);
    }
}

/* ---- marks ---------------------------------------------------------------------------------- */

static enum rc give_lead(void *ctx, struct sink *sink, const struct unacked_lead *unacked,
                         const struct lead **out, struct err *e)
{
    struct batch_world *w = ctx;
    (void)sink;
    (void)e;
    *out = unacked->seq < LEADS ? w->given[unacked->seq] : NULL;
    return RC_OK;
}

#define BATCH_OF_3 "\"batch\":{" UNIQUE "\"max_items\":3},\"body\":{\"i\":{\"$items\":true}},"

/* With batches {0 1} and {2}: keys a b, a. */
static void make_mark(struct batch_world *w, struct buf *mark)
{
    bw_begin(w, BATCH_OF_3, "https://h/x");
    bw_lead(w, 0, "{\"k\":\"a\"}");
    bw_lead(w, 1, "{\"k\":\"b\"}");
    bw_lead(w, 2, "{\"k\":\"a\"}");
    for (size_t i = 0; i < 3; i++)
        bw_put(w, i);
    buf_init(mark, (size_t)1 << 20);
    batches_mark(&w->b, mark);
    assert_int_equal(buf_rc(mark), RC_OK);
}

static enum rc resume(struct batch_world *w, struct str mark)
{
    const struct sink_host host = {.ctx = w, .unacked = give_lead};
    struct batch_rest rest[BATCHES_MAX];
    struct arena a;
    struct err e;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    enum rc rc = batches_rest_take(&w->b, mark, &a, rest, &n);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = batches_resume(&w->b, message_new(NULL, w->d->max_items, MESSAGE_BODY_MAX), &rest[i],
                            &host, NULL, &e);
    arena_free(&a);
    return rc;
}

static void test_resume(void **state)
{
    (void)state;
    struct batch_world before, w;
    struct buf mark, again;
    make_mark(&before, &mark);
    bw_begin(&w, BATCH_OF_3, "https://h/x");
    for (size_t i = 0; i < 3; i++)
        w.given[i] = &w.leads[i];
    assert_int_equal(resume(&w, buf_str(&mark)), RC_OK);
    buf_init(&again, (size_t)1 << 20);
    batches_mark(&w.b, &again);
    assert_string_equal(buf_cstr(&again), buf_cstr(&mark));
    bw_lead(&w, 3, "{\"k\":\"a\"}"); /* its keys are known again */
    bw_lead(&w, 4, "{\"k\":\"b\"}");
    bw_lead(&w, 5, "{\"k\":\"c\"}");
    for (size_t i = 3; i < 6; i++) {
        bw_lead(&before, i, i == 3 ? "{\"k\":\"a\"}" : i == 4 ? "{\"k\":\"b\"}" : "{\"k\":\"c\"}");
        bw_put(&w, i);
        bw_put(&before, i);
    }
    expect_sent(&w, "0 1 5;2 4;3;");
    expect_sent(&before, "0 1 5;2 4;3;");
    for (size_t i = 0; i < 3; i++) { /* the same message: id and bytes */
        assert_string_equal(w.messages[i]->own.id, before.messages[i]->own.id);
        assert_string_equal(buf_cstr(&w.messages[i]->body), buf_cstr(&before.messages[i]->body));
        assert_string_equal(buf_cstr(&w.messages[i]->noted), buf_cstr(&before.messages[i]->noted));
    }
    bw_end(&before);
    bw_end(&w);
    buf_free(&mark);
    buf_free(&again);
}

static void test_empty_mark(void **state)
{
    (void)state;
    struct batch_world w;
    struct buf mark;
    bw_begin(&w, BATCH_OF_3, "https://h/x");
    buf_init(&mark, 4096);
    batches_mark(&w.b, &mark);
    assert_int_equal(resume(&w, buf_str(&mark)), RC_OK);
    assert_int_equal(w.b.n_open, 0);
    bw_end(&w);
    buf_free(&mark);
}

static void test_leads_that_the_run_has_not(void **state)
{
    (void)state;
    struct batch_world before, w;
    struct buf mark;
    make_mark(&before, &mark);
    bw_begin(&w, BATCH_OF_3, "https://h/x");
    w.given[0] = &w.leads[0];
    assert_int_equal(resume(&w, buf_str(&mark)), RC_SYNTAX);
    assert_int_equal(w.b.n_open, 1); /* with what it was given */
    assert_int_equal(w.b.open[0].message->own.n_leads, 1);
    bw_end(&before);
    bw_end(&w);
    buf_free(&mark);
}

static void test_another_destination(void **state)
{
    (void)state;
    struct batch_world before, w;
    struct buf mark;
    make_mark(&before, &mark);
    bw_begin(&w, "\"batch\":{" UNIQUE "\"max_items\":4},\"body\":{\"i\":{\"$items\":true}},",
             "https://h/x");
    assert_int_equal(resume(&w, buf_str(&mark)), RC_USAGE);
    bw_end(&before);
    bw_end(&w);
    buf_free(&mark);
}

/* Any byte of it changed, or its end missing: refused, or the same batches. */
static void test_damaged_marks(void **state)
{
    (void)state;
    struct batch_world before;
    struct buf mark;
    make_mark(&before, &mark);
    for (size_t i = 0; i < 2 * mark.len; i++) {
        struct batch_world w;
        struct str text = {mark.data, i < mark.len ? i : mark.len};
        char *copy = strndup(mark.data, text.len);
        assert_non_null(copy);
        if (i >= mark.len)
            copy[i - mark.len] ^= 1;
        bw_begin(&w, BATCH_OF_3, "https://h/x");
        for (size_t k = 0; k < 3; k++)
            w.given[k] = &w.leads[k];
        enum rc rc = resume(&w, (struct str){copy, text.len});
        if (i < mark.len)
            assert_true(rc == RC_SYNTAX || rc == RC_USAGE);
        else
            assert_true(rc == RC_SYNTAX || rc == RC_USAGE || w.b.n_open <= BATCHES_MAX);
        bw_end(&w);
        free(copy);
    }
    bw_end(&before);
    buf_free(&mark);
}

/* ---- recorded deliveries -------------------------------------------------------------------- */

static void sent_note(const struct batch_world *w, struct arena *a, struct lead_note **notes,
                      size_t *n)
{
    assert_int_equal(lead_text_take(a, buf_str(&w->messages[0]->noted), 1, notes, n), RC_OK);
}

static void test_recorded(void **state)
{
    (void)state;
    struct batch_world w, other;
    struct arena a;
    struct lead_note *notes;
    size_t n;
    bw_begin(&w, BATCH_OF_3, "https://h/x");
    bw_begin(&other, BATCH_OF_3, "https://h/y");
    arena_init(&a, SIZE_MAX);
    for (size_t i = 0; i < 3; i++)
        bw_put(&w, i);
    sent_note(&w, &a, &notes, &n);
    const struct message *p = w.messages[0];
    struct str id = str_c(p->own.id), body = buf_str(&p->body);
    assert_int_equal(n, 3);
    assert_int_equal(batches_check_recorded(&w.b, notes, 3, id, body), RC_OK);
    assert_int_equal(batches_check_recorded(&w.b, notes, 3, id, STR_NONE), RC_OK); /* answered */
    assert_int_equal(batches_check_recorded(&other.b, notes, 3, id, body), RC_USAGE);
    assert_int_equal(batches_check_recorded(&w.b, notes, 2, id, body), RC_USAGE);
    assert_int_equal(batches_check_recorded(&w.b, notes, 3, STR("msg_0"), body), RC_USAGE);
    assert_int_equal(batches_check_recorded(&w.b, notes, 4, id, body), RC_SYNTAX);
    static const char *const wrong[] = {
        "",
        "x",
        "2:{}-:-:",
        "2:{}-:-:2:{}-:-:",
        "2:{}-:-:2:{}-:-:1:{-:-:",
        "2:{}-:-:2:{}-:-:2:{}9:https://h-:",
        "2:{}-:-:2:{}-:-:2:{}-:-:2:{}-:-:",
        "2:{}-:-:2:{}-:-:-:-:-:",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(batches_check_recorded(&w.b, notes, 3, id, str_c(wrong[i])), RC_SYNTAX);
    assert_int_equal(batches_check_recorded(&w.b, notes, 3, id, STR("2:{}-:-:2:{}-:-:2:{}-:-:")),
                     RC_OK);
    arena_free(&a);
    bw_end(&w);
    bw_end(&other);
}

/* A URL that a state holds must be one that the destination makes: same host, same beginning. */
static void test_recorded_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        enum rc rc;
    } cases[] = {
        {"https://h/x/0", RC_OK},
        {"https://h/x/", RC_OK},
        {"https://h/x", RC_SYNTAX},
        {"https://h/y/0", RC_SYNTAX},
        {"https://h.evil.example/x/0", RC_SYNTAX},
        {"https://h@evil.example/x/0", RC_SYNTAX},
        {"http://h/x/0", RC_SYNTAX},
        {"", RC_SYNTAX},
    };
    struct batch_world w;
    struct arena a;
    struct lead_note *notes;
    size_t n;
    bw_begin(&w, "", "https://h/x/{lead_id}");
    arena_init(&a, SIZE_MAX);
    bw_put(&w, 0);
    sent_note(&w, &a, &notes, &n);
    const struct message *p = w.messages[0];
    assert_int_equal(batches_check_recorded(&w.b, notes, n, str_c(p->own.id), buf_str(&p->body)),
                     RC_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf body;
        buf_init(&body, 4096);
        items_put(&body, &(const struct item){STR("{}"), str_c(cases[i].url), STR_NONE});
        if (batches_check_recorded(&w.b, notes, n, str_c(p->own.id), buf_str(&body)) != cases[i].rc)
            fail_msg("%s", cases[i].url);
        buf_free(&body);
    }
    arena_free(&a);
    bw_end(&w);
}

/* Of a message that was answered in part, what has no verdict becomes a message as it would have been made. */
static void test_rest(void **state)
{
    (void)state;
    static const struct verdict of[] = {
        {.kind = VERDICT_PENDING}, {.kind = VERDICT_ACCEPTED}, {.kind = VERDICT_PENDING}};
    const struct verdicts verdicts = {of, 3};
    struct batch_world w, alone;
    char id[MESSAGE_ID_SIZE];
    struct buf torn;
    bw_begin(&w, BATCH_OF_3, "https://h/x");
    bw_begin(&alone, BATCH_OF_3, "https://h/x");
    for (size_t i = 0; i < 3; i++)
        bw_put(&w, i);
    bw_put(&alone, 0);
    bw_put(&alone, 2);
    expect_sent(&alone, "0 2;");
    struct message *p = w.messages[0];
    buf_init(&torn, 4096);
    buf_add(&torn, p->noted.data, p->noted.len - 1);
    assert_int_equal(batches_rest(&w.b, &torn, &p->body, &verdicts, id), RC_SYNTAX);
    buf_free(&torn);
    bw_end(&w);
    bw_begin(&w, BATCH_OF_3, "https://h/x");
    for (size_t i = 0; i < 3; i++)
        bw_put(&w, i);
    p = w.messages[0];
    assert_int_equal(batches_rest(&w.b, &p->noted, &p->body, &verdicts, id), RC_OK);
    assert_string_equal(id, alone.messages[0]->own.id);
    assert_string_equal(buf_cstr(&p->body), buf_cstr(&alone.messages[0]->body));
    assert_string_equal(buf_cstr(&p->noted), buf_cstr(&alone.messages[0]->noted));
    bw_end(&w);
    bw_end(&alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unique),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_full_by_bytes),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_empty_mark),
        cmocka_unit_test(test_leads_that_the_run_has_not),
        cmocka_unit_test(test_another_destination),
        cmocka_unit_test(test_damaged_marks),
        cmocka_unit_test(test_recorded),
        cmocka_unit_test(test_recorded_urls),
        cmocka_unit_test(test_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
