#include "sequencer_world.h"

/* ---- columns ---------------------------------------------------------------------------------- */

/* Flattened from the body, as a worker does it. */
static struct lead *flattened(struct seq_world *q, const struct flatten_plan *plan, uint64_t seq,
                              const char *body)
{
    struct err e = {0};
    struct lead *lead = lead_of(q, 'r', seq);
    buf_init(&lead->body, 1 << 20);
    buf_adds(&lead->body, body);
    const char *code;
    OK(flatten_parse(plan, lead, JSON_TREE, &code, &e));
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

static void columns_are_resolved(struct fake_sink *s, const struct lead *const leads[], size_t n)
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
        ring_complete(q.s.ring, &leads[i], 1);
    for (size_t i = 0; i < SINKS; i++)
        q.fakes[i]->on_put = columns_are_resolved;
    seq_run(&q);
    expect_columns(&q, "zz yy xx");
    expect_calls(&q, "columns", "open put(0,1,2) prepare");
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
 * done, and those behind it continue. What it takes for that column is charged. */
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
    ring_complete(q.s.ring, in_parts, 3);
    seq_run(&q);
    expect_calls(&q, "no memory", "open put(0,2) prepare");
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

static void charge_is_what_it_holds(struct fake_sink *s, const struct lead *const leads[], size_t n)
{
    (void)s;
    for (size_t i = 0; i < n; i++) {
        if (leads[i]->run->memory.charge < leads[i]->arena.held_bytes)
            fail_msg("charged %zu, holds %zu", leads[i]->run->memory.charge,
                     leads[i]->arena.held_bytes);
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
    assert_true(lead->arena.held_bytes > lead->run->memory.charge);
    q.fakes[0]->on_put = charge_is_what_it_holds;
    ring_complete(q.s.ring, &lead, 1);
    seq_run(&q);
    expect_calls(&q, "charge", "open put(0) prepare");
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
    struct progress want = {0};
    seq_open(&q, true, NULL, 100);
    for (size_t i = 0; i < 4; i++) {
        leads[i] = lead_of(&q, i == 2 ? 'p' : 'r', i);
        leads[i]->replaced = (uint64_t)1 << (4 * i);
        leads[i]->has_other_id = i != 1;
        leads[i]->codes_beyond = i;
        if (i < 2)
            assert_int_equal(progress_note(&want, i, i, leads[i]->key), RC_OK);
    }
    ring_complete(q.s.ring, leads, 4);
    seq_run(&q);
    assert_int_equal(q.s.progress.sums.replaced, 0x11);
    assert_int_equal(q.s.progress.sums.other_ids, 1);
    assert_int_equal(q.s.beyond.codes, 1);
    assert_string_equal(q.s.beyond.first, "id-1");
    assert_true(q.s.progress.sums.key_a == want.sums.key_a);
    assert_true(q.s.progress.sums.key_b == want.sums.key_b);
    assert_true(q.s.gap);
    progress_free(&want);
    seq_close(&q);
}

/* The loop is woken because there is room in the ring. */
static void the_loop_is_woken(void **state)
{
    (void)state;
    struct seq_world q;
    seq_open(&q, true, NULL, 100);
    struct lead *lead = lead_of(&q, 'p', 0);
    outcome_release_memory(&q.w.outcomes, lead);
    atomic_store(&q.w.control.wants_wake, true);
    ring_complete(q.s.ring, &lead, 1);
    seq_run(&q);
    assert_false(atomic_load(&q.w.control.wants_wake));
    seq_close(&q);
}

static void resumes_from_a_checkpoint(void **state)
{
    (void)state;
    static const uint64_t gaps[] = {1, 2};
    struct seq_world q;
    struct resume_plan plan = {
        .loaded = true,
        .beyond = {.codes = 5, .leads = 1, .first = "first"},
        .run.checkpoint = {.progress = {.high = 3, .handed = 1}, .gaps = gaps, .n_gaps = 2}};
    seq_open(&q, false, NULL, 100);
    assert_int_equal(sequencer_resume(&q.s, &plan), RC_OK);
    expect_done(&q, "resumed", "high 3 handed 1 missing 0 unchanged 0 without 1 without 2");
    struct lead *leads[] = {lead_of(&q, 'r', 4), lead_of(&q, 'r', 2)};
    leads[0]->codes_beyond = 1;
    ring_complete(q.s.ring, leads, 2);
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
        {false, false, "open put(0,2) prepare", ""},
        {true, false, "open put(0,2) mark prepare",
         "high 3 handed 2 without 1 [after 2] [after 2]\n"},
        {false, true, "open put(0,2) mark prepare",
         "high 3 handed 2 without 1 [after 2] [after 2]\n"},
        {true, true, "open put(0,2) mark mark prepare",
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_made_in_order),
        cmocka_unit_test(no_memory_for_columns),
        cmocka_unit_test(what_columns_take_is_charged),
        cmocka_unit_test(figures_are_added_up),
        cmocka_unit_test(the_loop_is_woken),
        cmocka_unit_test(resumes_from_a_checkpoint),
        cmocka_unit_test(barriers),
        cmocka_unit_test(barriers_between_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
