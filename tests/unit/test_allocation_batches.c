/* What answers say of items, and batches of them, while memory runs out. */
#include "allocation_sweep.h"
#include "folder.h"
#include "lead_sample.h"
#include "sinks/delivery/outbox.h"
#include "sinks/push/push_batch.h"

#define N_LEADS 5

struct push_world {
    struct sample sample;
    struct arena arena;
    struct lead leads[N_LEADS];
    struct destination *d;
    struct sink_cfg cfg;
    struct buf mark;
};

static void world_begin(struct push_world *w, const char *members, const char *answer)
{
    struct err e = {.msg = ""};
    struct buf b;
    assert_true(sample_init(&w->sample));
    arena_init(&w->arena, SIZE_MAX);
    for (size_t i = 0; i < N_LEADS; i++) {
        char payload[32];
        (void)snprintf(payload, sizeof payload, "{\"k\":\"%zu\"}", i % 2);
        struct lead *lead = &w->leads[i];
        *lead = (struct lead){
            .seq = i, .id = STR("L-1"), .params = w->sample.param_values, .tables = w->sample.rows};
        assert_int_equal(json_parse(&w->arena, str_c(payload), JSON_TREE, &lead->doc, NULL), RC_OK);
        lead->root = lead->doc.root;
    }
    buf_init(&b, 8192);
    buf_addf(
        &b,
        "{\"destination\":1,\"method\":\"POST\",%s,\"item\":{\"k\":{\"$payload\":\"/k\"},\"id\":{\"$field\":"
        "\"lead_id\"}},\"answer\":%s}",
        members, answer);
    if (destination_parse(&w->d, buf_str(&b), "x.json", &w->sample.profile,
                          &(struct text_list){.n = 0}, &e) != RC_OK)
        fail_msg("%s", e.msg);
    buf_free(&b);
    w->cfg = (struct sink_cfg){.target = "x.json",
                               .profile = &w->sample.profile,
                               .run_id = "r",
                               .state = (struct state *)(void *)w}; /* only whether there is one */
}

static void world_end(struct push_world *w)
{
    destination_free(w->d);
    arena_free(&w->arena);
    sample_free(&w->sample);
}

/* ---- answers -------------------------------------------------------------------------------- */

struct account_work {
    const struct answer_rules *rules;
    int status;
    const char *body;
    struct arena arena;
    struct item_answer out[3];
    enum answer_kind kind;
};

static void account_begin(void *ctx)
{
    struct account_work *w = ctx;
    arena_init(&w->arena, SIZE_MAX);
}

static enum rc account_run(void *ctx, struct err *e)
{
    static const char *const texts[] = {"{\"k\":\"0\"}", "{\"k\":\"1\"}", "{\"k\":\"2\"}"};
    struct account_work *w = ctx;
    struct str items[3];
    for (size_t i = 0; i < 3; i++)
        items[i] = str_c(texts[i]);
    const cJSON *body = NULL;
    enum rc rc = account_parse(str_c(w->body), &w->arena, &body);
    if (rc == RC_OK)
        rc = account_answer(w->rules, w->status, body, items, 3, &w->arena, w->out, &w->kind);
    return rc == RC_OK ? rc : err_set(e, rc, "%s", rc_text(rc));
}

static void account_end(void *ctx, enum rc rc, struct buf *out)
{
    struct account_work *w = ctx;
    for (size_t i = 0; rc == RC_OK && i < 3; i++)
        buf_addf(out, "%d %d " STR_FMT " " STR_FMT ";", w->kind, w->out[i].fate,
                 STR_ARG(w->out[i].code), STR_ARG(w->out[i].message));
    arena_free(&w->arena);
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
    } cases[] = {
        {200,
         "{\"r\":[{\"k\":\"0\"}],\"e\":[{\"k\":\"1\",\"c\":\"LOCKED\",\"m\":\"a\\nb\"},{\"m\":\"of nobody\"}]}"},
        {400, "{\"c\":\"BAD\",\"m\":\"no\"}"},
    };
    struct push_world w = {.d = NULL};
    world_begin(
        &w,
        "\"url\":\"https://h/x\",\"batch\":{\"max_items\":9},\"body\":{\"i\":{\"$items\":true}}",
        "{\"ok\":[200],\"results\":{\"at\":\"/r\",\"match\":\"/k\"},\"errors\":{\"at\":\"/e\",\"match\":\"/k\","
        "\"code\":\"/c\",\"message\":\"/m\"},\"retry_if\":[\"LOCKED\"],\"bisect_on\":[400]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct account_work work = {
            .rules = &w.d->answer, .status = cases[i].status, .body = cases[i].body};
        sweep(&(struct work){"an answer", false, account_begin, account_run, account_end, &work});
    }
    world_end(&w);
}

/* ---- batches -------------------------------------------------------------------------------- */

struct batch_work {
    struct push_world *w;
    bool resumes;
    struct batches b;
    struct buf mark;
    char rest_id[MESSAGE_ID_SIZE];
    struct message *sent[N_LEADS];
    size_t n_sent;
};

static void batch_begin(void *ctx)
{
    struct batch_work *k = ctx;
    k->b = (struct batches){.n_open = 0};
    k->n_sent = 0;
    buf_init(&k->mark, 65536);
}

static enum rc give_lead(void *ctx, struct sink *sink, const struct unacked_lead *unacked,
                         const struct lead **out, struct err *e)
{
    struct batch_work *k = ctx;
    (void)sink;
    (void)e;
    *out = &k->w->leads[unacked->seq];
    return RC_OK;
}

static enum rc begin_batch(struct batch_work *k, struct message **out)
{
    *out = message_new(NULL, k->w->d->max_items, MESSAGE_BODY_MAX);
    return *out ? RC_OK : RC_NOMEM;
}

static enum rc put_one(struct batch_work *k, const struct lead *lead)
{
    struct item item;
    struct template_fault fault;
    struct str key;
    struct message *p = NULL;
    size_t at = 0;
    bool is_full;
    enum rc rc = batches_make_item(&k->b, lead, &item, &fault);
    if (rc == RC_OK)
        rc = batches_find(&k->b, &item, &at, &key);
    if (rc == RC_OK && at == k->b.n_open) {
        rc = begin_batch(k, &p);
        if (rc == RC_OK && batches_begin(&k->b, p) != RC_OK) {
            message_free(p);
            rc = RC_NOMEM;
        }
    }
    return rc == RC_OK ? batches_add(&k->b, at, lead, &item, key, &is_full) : rc;
}

static enum rc put_all(struct batch_work *k)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < N_LEADS; i++)
        rc = put_one(k, &k->w->leads[i]);
    batches_mark(&k->b, &k->mark);
    return rc == RC_OK ? buf_rc(&k->mark) : rc;
}

static enum rc resume(struct batch_work *k, struct err *e)
{
    const struct sink_host host = {.ctx = k, .unacked = give_lead};
    struct batch_rest rest[BATCHES_MAX];
    struct message *p = NULL;
    struct arena a;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    enum rc rc = batches_rest_take(&k->b, buf_str(&k->w->mark), &a, rest, &n);
    for (size_t i = 0; rc == RC_OK && i < n; i++) {
        rc = begin_batch(k, &p);
        size_t before = k->b.n_open;
        if (rc == RC_OK)
            rc = batches_resume(&k->b, p, &rest[i], &host, NULL, e);
        if (rc != RC_OK && p && k->b.n_open == before)
            message_free(p);
        p = NULL;
    }
    arena_free(&a);
    return rc;
}

static enum rc check_and_rest(struct batch_work *k)
{
    static const struct verdict of[] = {
        {.kind = VERDICT_ACCEPTED}, {.kind = VERDICT_PENDING}, {.kind = VERDICT_PENDING}};
    struct message *p = k->sent[0];
    struct lead_note *notes;
    struct arena a;
    size_t n = 0;
    arena_init(&a, SIZE_MAX);
    enum rc rc = lead_text_take(&a, buf_str(&p->noted), 1, &notes, &n);
    if (rc == RC_OK)
        rc = batches_check_recorded(&k->b, notes, n, str_c(p->own.id), buf_str(&p->body));
    arena_free(&a);
    if (rc != RC_OK)
        return rc;
    const struct verdicts v = {of, n};
    rc = batches_rest(&k->b, &p->noted, &p->body, &v, k->rest_id);
    assert_int_equal(rc, RC_OK); /* takes no memory, libcrypto's included */
    return rc;
}

static enum rc batch_run(void *ctx, struct err *e)
{
    struct batch_work *k = ctx;
    enum rc rc = batches_open(&k->b, &k->w->cfg, k->w->d, 10, e);
    if (rc != RC_OK)
        return rc;
    rc = k->resumes ? resume(k, e) : put_all(k);
    while (rc == RC_OK && k->b.n_open > 0) {
        rc = batches_end(&k->b, &k->sent[k->n_sent]);
        k->n_sent += rc == RC_OK;
    }
    if (rc == RC_OK)
        rc = check_and_rest(k);
    return rc == RC_OK ? rc : err_set(e, rc, "%s", rc_text(rc));
}

static void batch_end(void *ctx, enum rc rc, struct buf *out)
{
    struct batch_work *k = ctx;
    for (size_t i = 0; i < k->n_sent; i++) {
        if (rc == RC_OK)
            buf_addf(out, "%s " STR_FMT " " STR_FMT ";", k->sent[i]->own.id,
                     STR_ARG(buf_str(&k->sent[i]->noted)), STR_ARG(buf_str(&k->sent[i]->body)));
        message_free(k->sent[i]);
    }
    if (rc == RC_OK)
        buf_adds(out, k->rest_id);
    for (size_t i = 0; i < k->b.n_open; i++)
        message_free(k->b.open[i].message);
    batches_close(&k->b);
    buf_free(&k->mark);
}

static void batches(void **state)
{
    (void)state;
    struct push_world w = {.d = NULL};
    world_begin(
        &w,
        "\"url\":\"https://h/x\",\"batch\":{\"max_items\":9,\"unique_by\":\"/k\"},\"body\":{\"i\":{\"$items\":true}}",
        "{\"ok\":[200],\"unaccounted\":\"ok\"}");
    struct batch_work k = {.w = &w};
    sweep(&(struct work){"batches of items", false, batch_begin, batch_run, batch_end, &k});
    batch_begin(&k); /* the mark that the next one resumes from */
    struct err e;
    assert_int_equal(batches_open(&k.b, &w.cfg, w.d, 10, &e), RC_OK);
    assert_int_equal(put_all(&k), RC_OK);
    buf_init(&w.mark, 65536);
    buf_add_str(&w.mark, buf_str(&k.mark));
    batch_end(&k, RC_NOMEM, NULL);
    k.resumes = true;
    sweep(&(struct work){"batches from a mark", false, batch_begin, batch_run, batch_end, &k});
    buf_free(&w.mark);
    world_end(&w);
}

/* ---- a message that is answered in part ------------------------------------------------------ */

struct part_work {
    struct push_world *w;
    char path[96];
    unsigned n_paths;
    int64_t astray; /* blocks that seem to be left by opening and closing the state */
    struct batch_work k;
    struct sink_cfg cfg;
    struct outbox outbox;
    struct message *p;
    enum verdict_kind settled[N_LEADS];
};

static void settle_part(void *ctx, struct sink *sink, const struct lead *lead,
                        const struct verdict *v)
{
    struct part_work *w = ctx;
    (void)sink;
    w->settled[lead->seq] = v->kind;
}

static struct state *open_part(const struct part_work *w)
{
    const struct state_cfg cfg = {.path = w->path};
    struct state *state = NULL;
    struct err e;
    assert_int_equal(state_open(&state, &cfg, &e), RC_OK);
    return state;
}

/* A batch of all leads, recorded and sent. */
static void part_begin(void *ctx)
{
    struct part_work *w = ctx;
    const struct state_setting term = {STR("provider"), STR("acme")};
    struct err e;
    (void)snprintf(w->path, sizeof w->path, "%s/state-%u", folder, ++w->n_paths);
    w->cfg = w->w->cfg;
    w->cfg.state = open_part(w);
    w->cfg.spec = "push:x.json";
    w->cfg.host = (struct sink_host){.ctx = w, .settle = settle_part};
    assert_int_equal(state_begin(w->cfg.state, "0123456789abcdef0123456789abcdef", 1, &term, 1, &e),
                     RC_OK);
    w->k = (struct batch_work){.w = w->w};
    batch_begin(&w->k);
    assert_int_equal(batches_open(&w->k.b, &w->cfg, w->w->d, 10, &e), RC_OK);
    assert_int_equal(put_all(&w->k), RC_OK);
    assert_int_equal(batches_end(&w->k.b, &w->p), RC_OK);
    const struct outbox_messages messages = {.leads_max = w->w->d->max_items,
                                             .check = batches_check_recorded,
                                             .rest = batches_rest,
                                             .ctx = &w->k.b};
    assert_int_equal(outbox_open(&w->outbox, NULL, &w->cfg, &messages, &e), RC_OK);
    const struct state_delivery delivery = {
        .id = str_c(w->p->own.id), .leads = buf_str(&w->p->noted), .body = buf_str(&w->p->body)};
    assert_int_equal(state_add_delivery(w->cfg.state, 0, &delivery, N_LEADS, &w->p->own.row, &e),
                     RC_OK);
}

/* The reasons are longer than what is there for them. */
static enum rc part_run(void *ctx, struct err *e)
{
    static char reason[1500];
    struct part_work *w = ctx;
    (void)e;
    memset(reason, 'r', sizeof reason - 1);
    const struct verdict of[N_LEADS] = {
        {.kind = VERDICT_ACCEPTED, .http_status = 200, .attempts = 1},
        {VERDICT_FAILED, 422, 1, "INVALID", reason},
        {.kind = VERDICT_PENDING},
        {VERDICT_FAILED, 422, 1, "INVALID", reason},
        {VERDICT_FAILED, 422, 1, "INVALID", reason},
    };
    outbox_settle(&w->outbox, w->p, &(const struct verdicts){of, N_LEADS});
    return RC_OK;
}

static enum rc show_delivery(void *ctx, const struct state_delivery *d, struct err *e)
{
    struct buf *out = ctx;
    struct verdicts v = {.n = 0};
    struct arena a;
    arena_init(&a, SIZE_MAX);
    (void)e;
    if (d->answer.ptr)
        assert_int_equal(answer_take(&a, d->answer, N_LEADS, &v), RC_OK);
    buf_addf(out, STR_FMT " ", STR_ARG(d->id));
    for (size_t i = 0; i < v.n; i++)
        buf_addf(out, "%d%s ", v.list[i].kind, v.list[i].error ? "!" : "");
    buf_addf(out, STR_FMT STR_FMT "\n", STR_ARG(d->leads), STR_ARG(d->body));
    arena_free(&a);
    return RC_OK;
}

/* What a run that resumes finds: what was answered is, and the rest is in one delivery that was not. */
static void part_end(void *ctx, enum rc rc, struct buf *out)
{
    struct part_work *w = ctx;
    struct err e;
    (void)rc;
    outbox_close(&w->outbox);
    state_close(w->cfg.state);
    for (size_t i = 0; i < N_LEADS; i++)
        buf_addf(out, "%d", w->settled[i]);
    struct state *state = open_part(w);
    assert_int_equal(state_each_delivery(state, 0, show_delivery, out, &e), RC_OK);
    state_close(state);
    message_free(w->p);
    batch_end(&w->k, RC_NOMEM, NULL);
    memory.blocks -= 2 * w->astray;
}

static void answered_in_part(void **state)
{
    (void)state;
    struct push_world w = {.d = NULL};
    world_begin(
        &w,
        "\"url\":\"https://h/x\",\"batch\":{\"max_items\":9},\"body\":{\"i\":{\"$items\":true}}",
        "{\"ok\":[200],\"unaccounted\":\"ok\"}");
    struct part_work p = {.w = &w};
    assert_true(folder_make());
    (void)snprintf(p.path, sizeof p.path, "%s/state", folder);
    state_close(open_part(&p)); /* SQLite sets itself up */
    int64_t before = memory.blocks;
    state_close(open_part(&p));
    p.astray = memory.blocks - before;
    memory.spares_libraries =
        true; /* where SQLite has no memory the state fails, and with it the run */
    sweep(&(struct work){"an answer to a part", false, part_begin, part_run, part_end, &p});
    memory.spares_libraries = false;
    world_end(&w);
    assert_true(folder_remove());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(batches),
        cmocka_unit_test(answered_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
