#include "core/state.h"

#include "state_world.h"

/* What a run puts into it is there again, in every field. */
static void a_run_comes_back(void **state)
{
    (void)state;
    const struct state_term terms[] = {{STR("provider"), STR("omni")}, {STR("to"), STR("")}};
    const uint64_t holes[] = {3, 5, UINT64_C(1) << 40};
    const struct str marks[] = {STR("mark of a"), STR("")};
    const struct state_column columns[] = {
        {1, 2, 0, STR("key"), STR_NONE},
        {UINT32_MAX, 0, 7, STR(""), STR("member")},
    };
    struct state_checkpoint c = {
        .tally = {.high = (UINT64_C(1) << 40) + 1,
                  .key_a = UINT64_MAX,
                  .key_b = 1,
                  .handed = 2,
                  .missing = 3,
                  .unchanged = 4,
                  .mended = 5,
                  .other_ids = 6,
                  .active_ms = -7},
        .holes = holes,
        .n_holes = 3,
        .marks = marks,
        .n_marks = 2,
        .totals = STR("totals"),
        .columns = columns,
        .n_columns = 1,
    };
    struct err e = {0};
    struct state *s = open_ok("s");
    assert_int_equal(state_phase(s), STATE_EMPTY);
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1234567890123, terms, 2, &e));
    OK(state_checkpoint(s, &c, &e));
    c.columns = columns + 1;
    c.tally.active_ms = INT64_MAX;
    OK(state_checkpoint(s, &c, &e));
    state_close(s);

    s = open_ok("s");
    assert_int_equal(state_phase(s), STATE_RUNNING);
    struct state_run run;
    OK(state_load(s, &run, &e));
    assert_string_equal(run.run_id, "0123456789abcdef0123456789abcdef");
    assert_int_equal(run.started_wall_ms, 1234567890123);
    assert_int_equal(run.n_terms, 2);
    assert_str(run.terms[0].name, "provider");
    assert_str(run.terms[0].value, "omni");
    assert_str(run.terms[1].value, "");
    assert_null(run.record.ptr);
    assert_memory_equal(&run.checkpoint.tally, &c.tally, sizeof c.tally);
    assert_int_equal(run.checkpoint.n_holes, 3);
    assert_memory_equal(run.checkpoint.holes, holes, sizeof holes);
    assert_int_equal(run.checkpoint.n_marks, 2);
    assert_str(run.checkpoint.marks[0], "mark of a");
    assert_str(run.checkpoint.marks[1], "");
    assert_str(run.checkpoint.totals, "totals");
    assert_int_equal(run.checkpoint.n_columns, 2);
    assert_int_equal(run.checkpoint.columns[0].scope, 2);
    assert_str(run.checkpoint.columns[0].key, "key");
    assert_null(run.checkpoint.columns[0].member.ptr);
    assert_int_equal(run.checkpoint.columns[1].table, UINT32_MAX);
    assert_int_equal(run.checkpoint.columns[1].occurrence, 7);
    assert_str(run.checkpoint.columns[1].key, "");
    assert_str(run.checkpoint.columns[1].member, "member");
    state_close(s);
    assert_int_equal(access("s-wal", F_OK), -1);
    assert_int_equal(mode_of("s"), 0600);
}

static void a_run_without_a_checkpoint(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    struct state_run run;
    OK(state_load(s, &run, &e));
    const struct state_tally none = {0};
    assert_memory_equal(&run.checkpoint.tally, &none, sizeof none);
    assert_int_equal(run.checkpoint.n_marks, 0);
    assert_int_equal(run.checkpoint.n_holes, 0);
    assert_int_equal(run.checkpoint.n_columns, 0);
    assert_int_equal(run.n_terms, 0);
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_run_comes_back),
        IN_FOLDER(a_run_without_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
