#include "core/run/sequencer.h"

#include "fake_sink.h"
#include "run_world.h"
#include "state_world.h"
#include "tables_text.h"

#define PLACES 256
#define SINKS 2

struct seq_world {
    struct run_world w;
    struct state *state; /* NULL: none */
    struct run_cfg run_cfg;
    struct resume_plan resume;
    struct sink_worker workers[SINKS];
    struct fake_sink *fakes[SINKS];
    struct checkpoint *checkpoint; /* NULL: none */
    atomic_bool verified;
    struct sequencer s;
    struct buf committed; /* a line a checkpoint */
};

/* ---- checkpoints ------------------------------------------------------------------------------ */

static void note_nothing(void *ctx, struct state_tally *sums, struct buf *totals)
{
    (void)ctx;
    (void)sums;
    (void)totals;
}

static void push_barriers(void *ctx)
{
    struct seq_world *q = ctx;
    for (size_t i = 0; i < SINKS; i++)
        sink_worker_push_barrier(&q->workers[i]);
}

static enum rc sync_nothing(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return RC_OK;
}

static enum rc write_commit(void *ctx, const struct state_checkpoint *c, struct err *e)
{
    struct seq_world *q = ctx;
    (void)e;
    buf_addf(&q->committed, "high %llu handed %llu", (unsigned long long)c->tally.high,
             (unsigned long long)c->tally.handed);
    for (size_t i = 0; i < c->n_holes; i++)
        buf_addf(&q->committed, " without %llu", (unsigned long long)c->holes[i]);
    for (size_t i = 0; i < c->n_marks; i++)
        buf_addf(&q->committed, " [" STR_FMT "]", STR_ARG(c->marks[i]));
    buf_addc(&q->committed, '\n');
    return RC_OK;
}

static void make_checkpoint(struct seq_world *q)
{
    const struct checkpoint_cfg cfg = {
        .control = &q->w.control,
        .n_sinks = SINKS,
        .n_tables = q->w.profile->n_tables,
        .tally = &q->s.tally,
        .schema = q->s.schema,
        .ctx = q,
        .note = note_nothing,
        .barrier = push_barriers,
        .sync = sync_nothing,
        .commit = write_commit,
    };
    assert_int_equal(checkpoint_new(&q->checkpoint, &cfg), RC_OK);
    q->s.checkpoint = q->checkpoint;
    for (size_t i = 0; i < SINKS; i++)
        q->workers[i].checkpoint = q->checkpoint;
}

/* ---- the world -------------------------------------------------------------------------------- */

static void open_sinks(struct seq_world *q)
{
    struct err e = {0};
    for (unsigned i = 0; i < SINKS; i++) {
        q->fakes[i] = fake_init(i);
        q->workers[i] = (struct sink_worker){
            .control = &q->w.control,
            .memory = &q->w.memory,
            .outcomes = &q->w.outcomes,
            .arenas = q->w.arenas,
            .resume = &q->resume,
            .index = i,
            .ops = &q->fakes[i]->ops,
            .cfg = {.spec = "fake:", .index = i},
        };
        OK(sink_worker_open(&q->workers[i], NULL, &e));
    }
}

static void seq_open(struct seq_world *q, bool keeps_order, struct state *s, size_t max_columns)
{
    struct err e = {0};
    memset(q, 0, sizeof *q);
    run_world_init(&q->w, s);
    buf_init(&q->committed, 1 << 20);
    q->state = s;
    q->run_cfg.profile = q->w.profile;
    q->resume.cfg = &q->run_cfg;
    open_sinks(q);
    q->s = (struct sequencer){
        .control = &q->w.control,
        .memory = &q->w.memory,
        .outcomes = &q->w.outcomes,
        .resume = &q->resume,
        .state = s,
        .sinks = q->workers,
        .n_sinks = SINKS,
        .ids_are_verified = &q->verified,
        .keeps_order = keeps_order,
    };
    OK(sequencer_open(&q->s, q->w.profile, PLACES, max_columns, &e));
}

static void seq_close(struct seq_world *q)
{
    for (size_t i = 0; i < SINKS; i++) {
        sink_worker_close(&q->workers[i]);
        fake_free(q->fakes[i]);
    }
    sequencer_free(&q->s);
    checkpoint_free(q->checkpoint);
    free(q->resume.sent);
    buf_free(&q->committed);
    run_world_free(&q->w);
}

/* Everything that is in the ring goes its way, and all threads end. */
static void seq_run(struct seq_world *q)
{
    if (q->checkpoint)
        assert_int_equal(checkpoint_start(q->checkpoint), RC_OK);
    for (size_t i = 0; i < SINKS; i++)
        assert_int_equal(sink_worker_start(&q->workers[i]), RC_OK);
    assert_int_equal(sequencer_start(&q->s), RC_OK);
    order_close(q->s.order);
    sequencer_join(&q->s);
    for (size_t i = 0; i < SINKS; i++)
        sink_worker_join(&q->workers[i]);
    checkpoint_join(q->checkpoint);
}

/* A lead as the stages before leave it: (r)eady, (m)issing, (f)ailed, or (p)ending, as the run was
 * stopped before it had an answer. */
static struct lead *lead_of(struct seq_world *q, char kind, uint64_t seq)
{
    struct lead *lead = run_world_lead(&q->w, seq);
    lead->ready = kind == 'r';
    if (kind == 'm') {
        lead->outcome = OUTCOME_MISSING;
        lead->failure = (struct failure){.stage = STAGE_FETCH, .error = "HTTP 404: not found"};
    } else if (kind == 'f') {
        lead_fail(lead, STAGE_PARSE, "not_json", "not JSON");
    }
    if (kind == 'r')
        lead->doc.compact = STR("{\"success\":true}");
    order_reserve(q->s.order, lead);
    return lead;
}

static void complete_all(struct seq_world *q, const char *kinds)
{
    struct lead *leads[PLACES];
    size_t n = strlen(kinds);
    for (size_t i = 0; i < n; i++)
        leads[i] = lead_of(q, kinds[i], i);
    order_complete(q->s.order, leads, n);
}

static void expect_done(struct seq_world *q, const char *kinds, const char *want)
{
    struct buf got;
    const struct tally *t = &q->s.tally;
    buf_init(&got, 1 << 16);
    buf_addf(&got, "high %llu handed %llu missing %llu unchanged %llu",
             (unsigned long long)t->sums.high, (unsigned long long)t->sums.handed,
             (unsigned long long)t->sums.missing, (unsigned long long)t->sums.unchanged);
    for (size_t i = 0; i < t->n_holes; i++)
        buf_addf(&got, " without %llu", (unsigned long long)t->holes[i]);
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%s: done: %s, wanted %s", kinds, buf_cstr(&got), want);
    buf_free(&got);
}

static void expect_calls(struct seq_world *q, const char *what, const char *want)
{
    for (size_t i = 0; i < SINKS; i++) {
        const char *got = buf_cstr(&q->fakes[i]->calls);
        if (strcmp(got, want) != 0)
            fail_msg("%s: sink %zu: \"%s\", wanted \"%s\"", what, i, got, want);
    }
}

/* ---- order ------------------------------------------------------------------------------------ */

static void leads_in_order(void **state)
{
    (void)state;
    static const size_t completed[] = {3, 0, 4, 2, 1};
    for (int keeps_order = 0; keeps_order < 2; keeps_order++) {
        struct seq_world q;
        struct lead *leads[5];
        seq_open(&q, keeps_order, NULL, 100);
        for (size_t i = 0; i < 5; i++)
            leads[i] = lead_of(&q, 'r', i);
        for (size_t i = 0; i < 5; i++)
            order_complete(q.s.order, &leads[completed[i]], 1);
        seq_run(&q);
        expect_calls(&q, "in order",
                     keeps_order ? "open put(0,1,2,3,4) finish" : "open put(3,0,4,2,1) finish");
        expect_done(&q, "rrrrr", "high 5 handed 5 missing 0 unchanged 0");
        expect_counts(&q.w, 5,
                      "exported 5, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0");
        seq_close(&q);
    }
}

/* More than it takes at once, and more than a sink is given at once. */
static void many_leads(void **state)
{
    (void)state;
    struct seq_world q;
    char kinds[PLACES + 1];
    memset(kinds, 'r', PLACES);
    kinds[PLACES] = '\0';
    seq_open(&q, true, NULL, 100);
    complete_all(&q, kinds);
    seq_run(&q);
    for (size_t i = 0; i < SINKS; i++)
        assert_int_equal(q.fakes[i]->n_put, PLACES);
    assert_int_equal(q.s.tally.sums.handed, PLACES);
    seq_close(&q);
}

/* ---- what goes to the sinks ------------------------------------------------------------------- */

/* The places of payloads in the state, as a text. */
static void expect_kept(struct state *s, const char *kinds, const char *want)
{
    struct err e = {0};
    const uint64_t *places = NULL;
    size_t n = 0;
    struct buf got;
    buf_init(&got, 1 << 16);
    OK(state_kept_places(s, &places, &n, &e));
    for (size_t i = 0; i < n; i++)
        buf_addf(&got, "%s%llu", i ? "," : "", (unsigned long long)places[i]);
    if (strcmp(buf_cstr(&got), want) != 0)
        fail_msg("%s: kept \"%s\", wanted \"%s\"", kinds, buf_cstr(&got), want);
    buf_free(&got);
}

/* One row: leads, and what becomes of them with --order input and without. */
static const struct gap_case {
    const char *kinds;
    struct gap_wanted {
        const char *calls, *done, *counts, *kept;
    } any, input;
} gap_cases[] = {
    {"rmf",
     {"open put(0) finish", "high 3 handed 1 missing 1 unchanged 0",
      "exported 1, unchanged 0, missing 1, failed 1 (0 by sinks), pending 0", ""},
     {"open put(0) finish", "high 3 handed 1 missing 1 unchanged 0",
      "exported 1, unchanged 0, missing 1, failed 1 (0 by sinks), pending 0", ""}},
    {"mmf",
     {"open finish", "high 3 handed 0 missing 2 unchanged 0",
      "exported 0, unchanged 0, missing 2, failed 1 (0 by sinks), pending 0", ""},
     {"open finish", "high 3 handed 0 missing 2 unchanged 0",
      "exported 0, unchanged 0, missing 2, failed 1 (0 by sinks), pending 0", ""}},
    {"rprr",
     {"open put(0,2,3) finish", "high 4 handed 3 missing 0 unchanged 0 without 1",
      "exported 3, unchanged 0, missing 0, failed 0 (0 by sinks), pending 1", ""},
     {"open put(0) finish", "high 1 handed 1 missing 0 unchanged 0",
      "exported 1, unchanged 0, missing 0, failed 0 (0 by sinks), pending 3", "2,3"}},
    /* Behind the gap what needs no sink is done all the same. */
    {"prmfp",
     {"open put(1) finish", "high 4 handed 1 missing 1 unchanged 0 without 0",
      "exported 1, unchanged 0, missing 1, failed 1 (0 by sinks), pending 2", ""},
     {"open finish", "high 4 handed 0 missing 1 unchanged 0 without 0 without 1",
      "exported 0, unchanged 0, missing 1, failed 1 (0 by sinks), pending 3", "1"}},
    {"pppp",
     {"open finish", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 4", ""},
     {"open finish", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 4", ""}},
    {"",
     {"open finish", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0", ""},
     {"open finish", "high 0 handed 0 missing 0 unchanged 0",
      "exported 0, unchanged 0, missing 0, failed 0 (0 by sinks), pending 0", ""}},
};

static void check_gaps(const struct gap_case *c, bool keeps_order, bool has_state)
{
    const struct gap_wanted *want = keeps_order ? &c->input : &c->any;
    struct seq_world q;
    struct state *s = has_state ? open_ok("s") : NULL;
    if (s)
        begin_run(s);
    seq_open(&q, keeps_order, s, 100);
    complete_all(&q, c->kinds);
    seq_run(&q);
    expect_calls(&q, c->kinds, want->calls);
    expect_done(&q, c->kinds, want->done);
    expect_counts(&q.w, strlen(c->kinds), want->counts);
    expect_error(&q.w, RC_OK, NULL);
    if (s)
        expect_kept(s, c->kinds, want->kept);
    seq_close(&q);
    state_close(s);
    if (s)
        remove_state("s");
}

static void leads_behind_a_gap(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gap_cases / sizeof *gap_cases; i++) {
        for (int mode = 0; mode < 4; mode++) {
            print_message("\"%s\": order input %d, state %d\n", gap_cases[i].kinds, mode & 1,
                          mode >> 1);
            check_gaps(&gap_cases[i], mode & 1, mode >> 1);
        }
    }
}

/* The body as it was received, where it is known; else the text without blanks; else one made from the
 * tree. */
static void payloads_that_are_kept(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"a\": \"\xff\"}", "{\"b\":2}", "{\"c\":[3]}"};
    struct state *s = open_ok("s");
    struct seq_world q;
    struct lead *leads[4];
    struct err e = {0};
    begin_run(s);
    seq_open(&q, true, s, 100);
    for (size_t i = 0; i < 4; i++) {
        leads[i] = lead_of(&q, i ? 'r' : 'p', i);
        leads[i]->http_status = 200 + (int)i;
        leads[i]->attempts = 10 + (unsigned)i;
    }
    leads[1]->original.max = 100;
    buf_adds(&leads[1]->original, bodies[0]);
    leads[2]->doc.compact = str_c(bodies[1]);
    OK(json_parse(&leads[3]->arena, str_c(bodies[2]), JSON_TREE, &leads[3]->doc, &e));
    order_complete(q.s.order, leads, 4);
    seq_run(&q);
    for (uint64_t i = 1; i < 4; i++) {
        struct state_kept kept;
        struct buf body;
        unsigned char key[LEAD_KEY_BYTES];
        char id[32];
        buf_init(&body, 1 << 16);
        OK(state_take_kept(s, i, &kept, &body, &e));
        assert_string_equal(buf_cstr(&body), bodies[i - 1]);
        assert_int_equal(kept.http_status, 200 + i);
        assert_int_equal(kept.attempts, 10 + i);
        assert_int_equal(kept.mended, 0); /* counted when it is parsed once more */
        (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)i);
        run_world_key(id, key);
        assert_memory_equal(kept.key, key, sizeof key);
        buf_free(&body);
    }
    seq_close(&q);
    state_close(s);
}

/* ---- unchanged leads -------------------------------------------------------------------------- */

/* Has the content of these leads accepted by an earlier run. */
static struct state *state_with_accepted(const uint64_t *seqs, size_t n)
{
    const struct str sink = STR("fake:");
    struct state *s = open_ok("s");
    struct err e = {0};
    begin_run(s);
    OK(state_accept_by(s, &sink, 1, &e));
    for (size_t i = 0; i < n; i++) {
        struct state_content content = {.fingerprint = {(unsigned char)(seqs[i] + 1)},
                                        .acceptance = STATE_ACCEPTED};
        char id[32];
        (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)seqs[i]);
        run_world_key(id, content.key);
        OK(state_note_accepted(s, &content, 1, &e));
    }
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    begin_run(s);
    OK(state_accept_by(s, &sink, 1, &e));
    return s;
}

static void unchanged_leads(void **state)
{
    (void)state;
    static const uint64_t accepted[] = {1, 2, 4, 5, 6};
    static const struct {
        bool finds_unchanged, keeps_order;
        const char *calls, *done, *counts;
    } cases[] = {
        {true, false, "open put(0,4,7) finish", "high 8 handed 3 missing 0 unchanged 3 without 3",
         "exported 3, unchanged 3, missing 0, failed 1 (0 by sinks), pending 1"},
        /* Behind the gap, too: the sinks have them already. */
        {true, true, "open put(0) finish",
         "high 7 handed 1 missing 0 unchanged 3 without 3 without 4",
         "exported 1, unchanged 3, missing 0, failed 1 (0 by sinks), pending 3"},
        {false, false, "open put(0,1,2,4,6,7) finish",
         "high 8 handed 6 missing 0 unchanged 0 without 3",
         "exported 6, unchanged 0, missing 0, failed 1 (0 by sinks), pending 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seq_world q;
        struct err e = {0};
        struct state *s = state_with_accepted(accepted, sizeof accepted / sizeof *accepted);
        seq_open(&q, cases[i].keeps_order, s, 100);
        q.s.finds_unchanged = cases[i].finds_unchanged;
        OK(resume_sent(&q.resume, 4, &e)); /* a delivery has it, so a sink owes a verdict */
        complete_all(&q, "rrrprfrr");      /* number 5 failed: it is not asked for */
        seq_run(&q);
        expect_calls(&q, "unchanged", cases[i].calls);
        expect_done(&q, "rrrprfrr", cases[i].done);
        expect_counts(&q.w, 8, cases[i].counts);
        expect_error(&q.w, RC_OK, NULL);
        seq_close(&q);
        state_close(s);
        remove_state("s");
    }
}

/* ---- columns ---------------------------------------------------------------------------------- */

/* Flattened from the body, as a worker does it. */
static struct lead *flattened(struct seq_world *q, const struct flatten_plan *plan, uint64_t seq,
                              const char *body)
{
    struct err e = {0};
    struct lead *lead = lead_of(q, 'r', seq);
    buf_init(&lead->body, 1 << 20);
    buf_adds(&lead->body, body);
    OK(flatten_parse(plan, lead, JSON_TREE, &e));
    OK(flatten_rows(plan, lead, false, &e));
    return lead;
}

static void expect_columns(struct seq_world *q, const char *want)
{
    struct buf got;
    buf_init(&got, 1 << 16);
    for (size_t i = 0; i < schema_columns(q->s.schema, 0); i++)
        buf_addf(&got, "%s%s", i ? " " : "", schema_column(q->s.schema, 0, i)->name.ptr);
    assert_string_equal(buf_cstr(&got), want);
    buf_free(&got);
}

static void columns_are_resolved(struct fake_sink *s, struct lead *const leads[], size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &leads[i]->tables[0].rows[0];
        for (uint32_t k = 0; k < row->n_extras; k++)
            assert_non_null(row->extras[k].column);
    }
}

/* In the order of the leads, whatever order they were fetched in; those that do not reach the sinks make
 * none. */
static void columns_are_made_in_order(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"lead\":{\"zz\":1}}",
        "{\"lead\":{\"yy\":1,\"zz\":2}}",
        "{\"lead\":{\"xx\":1}}",
        "{\"lead\":{\"ww\":1}}",
    };
    struct seq_world q;
    struct flatten_plan *plan = NULL;
    struct lead *leads[5];
    struct err e = {0};
    seq_open(&q, true, NULL, 1000);
    OK(flatten_plan_new(&plan, q.w.profile, SIGNED_URLS_STRIP, &e));
    for (size_t i = 0; i < 3; i++)
        leads[i] = flattened(&q, plan, i, bodies[i]);
    leads[3] = lead_of(&q, 'p', 3);
    leads[4] = flattened(&q, plan, 4, bodies[3]);
    for (size_t i = 5; i-- > 0;)
        order_complete(q.s.order, &leads[i], 1);
    for (size_t i = 0; i < SINKS; i++)
        q.fakes[i]->on_put = columns_are_resolved;
    seq_run(&q);
    expect_columns(&q, "zz yy xx");
    expect_calls(&q, "columns", "open put(0,1,2) finish");
    seq_close(&q);
    flatten_plan_free(plan);
}

static void use_up(struct arena *a)
{
    a->max_bytes = a->held_bytes;
    while (arena_strdup(a, STR("")))
        continue;
    a->refused = RC_OK;
}

/* One that finds no column, and has no memory for the column that all others share, has failed; it is
 * done, and those behind it go on. What it takes for that column is charged. */
static void no_memory_for_columns(void **state)
{
    (void)state;
    static const char body[] = "{\"lead\":{\"zz\":1,\"yy\":2,\"xx\":3}}";
    struct seq_world q;
    struct flatten_plan *plan = NULL;
    struct lead *leads[3];
    struct err e = {0};
    seq_open(&q, true, NULL, 2 + 1000);
    schema_free(q.s.schema);
    OK(schema_new(&q.s.schema, q.w.profile, 1)); /* the keys and documented ones are there anyway */
    OK(flatten_plan_new(&plan, q.w.profile, SIGNED_URLS_STRIP, &e));
    for (size_t i = 0; i < 3; i++)
        leads[i] = flattened(&q, plan, i, body);
    use_up(&leads[1]->arena);
    struct lead *in_parts[] = {leads[0], leads[2], leads[1]};
    order_complete(q.s.order, in_parts, 3);
    seq_run(&q);
    expect_calls(&q, "no memory", "open put(0,2) finish");
    expect_done(&q, "no memory", "high 3 handed 2 missing 0 unchanged 0");
    expect_counts(&q.w, 3, "exported 2, unchanged 0, missing 0, failed 1 (0 by sinks), pending 0");
    assert_non_null(strstr(buf_cstr(&q.w.logged), "info id-1: "));
    assert_int_equal(q.s.beyond.leads, 2);
    assert_int_equal(q.s.beyond.members, 6);
    assert_string_equal(q.s.beyond.first, "id-0");
    expect_columns(&q, SCHEMA_OTHER_MEMBERS);
    seq_close(&q);
    flatten_plan_free(plan);
}

static void charge_is_what_it_holds(struct fake_sink *s, struct lead *const leads[], size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++) {
        if (leads[i]->charge < leads[i]->arena.held_bytes)
            fail_msg("charged %zu, holds %zu", leads[i]->charge, leads[i]->arena.held_bytes);
    }
}

static void what_columns_take_is_charged(void **state)
{
    (void)state;
    struct seq_world q;
    struct flatten_plan *plan = NULL;
    struct err e = {0};
    seq_open(&q, true, NULL, 1000);
    schema_free(q.s.schema);
    OK(schema_new(&q.s.schema, q.w.profile, 1));
    OK(flatten_plan_new(&plan, q.w.profile, SIGNED_URLS_STRIP, &e));
    struct lead *lead = flattened(&q, plan, 0, "{\"lead\":{\"zz\":1,\"yy\":2,\"xx\":3}}");
    assert_true(lead->arena.held_bytes > lead->charge);
    q.fakes[0]->on_put = charge_is_what_it_holds;
    order_complete(q.s.order, &lead, 1);
    seq_run(&q);
    expect_calls(&q, "charge", "open put(0) finish");
    seq_close(&q);
    flatten_plan_free(plan);
}

/* ---- what is done ----------------------------------------------------------------------------- */

/* Figures of the leads that are done; of those that stay, nothing. */
static void figures_are_added_up(void **state)
{
    (void)state;
    struct seq_world q;
    struct lead *leads[4];
    struct tally want = {0};
    seq_open(&q, true, NULL, 100);
    for (size_t i = 0; i < 4; i++) {
        leads[i] = lead_of(&q, i == 2 ? 'p' : 'r', i);
        leads[i]->mended = (uint64_t)1 << (4 * i);
        leads[i]->has_other_id = i != 1;
        leads[i]->codes_beyond = i;
        if (i < 2)
            assert_int_equal(tally_note(&want, i, leads[i]->key), RC_OK);
    }
    order_complete(q.s.order, leads, 4);
    seq_run(&q);
    assert_int_equal(q.s.tally.sums.mended, 0x11);
    assert_int_equal(q.s.tally.sums.other_ids, 1);
    assert_int_equal(q.s.beyond.codes, 1);
    assert_string_equal(q.s.beyond.first, "id-1");
    assert_true(q.s.tally.sums.key_a == want.sums.key_a);
    assert_true(q.s.tally.sums.key_b == want.sums.key_b);
    assert_true(q.s.gap);
    tally_free(&want);
    seq_close(&q);
}

/* The loop is told that there is room in the ring. */
static void the_loop_is_woken(void **state)
{
    (void)state;
    struct seq_world q;
    seq_open(&q, true, NULL, 100);
    struct lead *lead = lead_of(&q, 'p', 0);
    outcome_drop_weight(&q.w.outcomes, lead);
    atomic_store(&q.w.control.wants_wake, true);
    order_complete(q.s.order, &lead, 1);
    seq_run(&q);
    assert_false(atomic_load(&q.w.control.wants_wake));
    seq_close(&q);
}

static void goes_on_from_a_checkpoint(void **state)
{
    (void)state;
    static const uint64_t gaps[] = {1, 2};
    struct seq_world q;
    struct resume_plan plan = {
        .loaded = true,
        .beyond = {.codes = 5, .leads = 1, .first = "first"},
        .run.checkpoint = {.tally = {.high = 3, .handed = 1}, .holes = gaps, .n_holes = 2}};
    seq_open(&q, false, NULL, 100);
    assert_int_equal(sequencer_resume(&q.s, &plan), RC_OK);
    expect_done(&q, "resumed", "high 3 handed 1 missing 0 unchanged 0 without 1 without 2");
    struct lead *leads[] = {lead_of(&q, 'r', 4), lead_of(&q, 'r', 2)};
    leads[0]->codes_beyond = 1;
    order_complete(q.s.order, leads, 2);
    seq_run(&q);
    expect_done(&q, "resumed", "high 5 handed 3 missing 0 unchanged 0 without 1 without 3");
    assert_int_equal(q.s.beyond.codes, 6);
    assert_string_equal(q.s.beyond.first, "first");
    seq_close(&q);

    plan.loaded = false; /* it begins: whatever the rest says */
    seq_open(&q, false, NULL, 100);
    assert_int_equal(sequencer_resume(&q.s, &plan), RC_OK);
    expect_done(&q, "begun", "high 0 handed 0 missing 0 unchanged 0");
    seq_close(&q);
}

/* ---- barriers --------------------------------------------------------------------------------- */

/* A checkpoint that is due comes behind the leads that it covers; the last one only where it is known
 * that the IDs are the same. */
static void barriers(void **state)
{
    (void)state;
    static const struct {
        bool is_due, verified;
        const char *calls, *committed;
    } cases[] = {
        {false, false, "open put(0,2) finish", ""},
        {true, false, "open put(0,2) mark finish",
         "high 3 handed 2 without 1 [after 2] [after 2]\n"},
        {false, true, "open put(0,2) mark finish",
         "high 3 handed 2 without 1 [after 2] [after 2]\n"},
        {true, true, "open put(0,2) mark mark finish",
         "high 3 handed 2 without 1 [after 2] [after 2]\n"
         "high 3 handed 2 without 1 [after 2] [after 2]\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seq_world q;
        seq_open(&q, false, NULL, 100);
        make_checkpoint(&q);
        atomic_store(&q.verified, cases[i].verified);
        complete_all(&q, "rpr");
        run_world_pass_ms(&q.w, cases[i].is_due ? CHECKPOINT_MS : 0);
        seq_run(&q);
        expect_calls(&q, "barriers", cases[i].calls);
        assert_string_equal(buf_cstr(&q.committed), cases[i].committed);
        seq_close(&q);
    }
}

/* Between batches, wherever one is due; each covers what came before it, and the last one all. */
static void barriers_between_batches(void **state)
{
    (void)state;
    struct seq_world q;
    char kinds[PLACES + 1];
    memset(kinds, 'r', PLACES);
    kinds[PLACES] = '\0';
    seq_open(&q, true, NULL, 100);
    make_checkpoint(&q);
    atomic_store(&q.verified, true);
    complete_all(&q, kinds);
    run_world_pass_ms(&q.w, CHECKPOINT_MS);
    seq_run(&q);
    char want[200];
    (void)snprintf(want, sizeof want,
                   "high %d handed %d [after %d] [after %d]\n"
                   "high %d handed %d [after %d] [after %d]\n",
                   SEQUENCER_BATCH, SEQUENCER_BATCH, SEQUENCER_BATCH, SEQUENCER_BATCH, PLACES,
                   PLACES, PLACES, PLACES);
    assert_string_equal(buf_cstr(&q.committed), want);
    seq_close(&q);
}

/* ---- the ring --------------------------------------------------------------------------------- */

static void leads_left_in_the_ring(void **state)
{
    (void)state;
    struct seq_world q;
    seq_open(&q, true, NULL, 100);
    for (uint64_t i = 0; i < 3; i++) {
        struct lead *lead = lead_of(&q, 'r', i);
        outcome_drop_weight(&q.w.outcomes, lead);
        order_complete(q.s.order, &lead, 1);
    }
    sequencer_join(&q.s); /* of one that was never started */
    seq_close(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leads_in_order),
        cmocka_unit_test(many_leads),
        IN_FOLDER(leads_behind_a_gap),
        IN_FOLDER(payloads_that_are_kept),
        IN_FOLDER(unchanged_leads),
        cmocka_unit_test(columns_are_made_in_order),
        cmocka_unit_test(no_memory_for_columns),
        cmocka_unit_test(what_columns_take_is_charged),
        cmocka_unit_test(figures_are_added_up),
        cmocka_unit_test(the_loop_is_woken),
        cmocka_unit_test(goes_on_from_a_checkpoint),
        cmocka_unit_test(barriers),
        cmocka_unit_test(barriers_between_batches),
        cmocka_unit_test(leads_left_in_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
