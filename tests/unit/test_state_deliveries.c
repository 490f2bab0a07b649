#include "state_world.h"

static int64_t add(struct state *s, unsigned sink, const char *id, uint64_t last_place)
{
    struct err e = {0};
    char leads[64], body[64];
    (void)snprintf(leads, sizeof leads, "leads of %s", id);
    (void)snprintf(body, sizeof body, "{\"body\":\"%s\"}", id);
    const struct state_delivery d = {.id = str_c(id), .leads = str_c(leads), .body = str_c(body)};
    int64_t row = -1;
    OK(state_add_delivery(s, sink, &d, last_place, &row, &e));
    return row;
}

/* "id leads body answer;", with a dash for what is absent. */
static enum rc describe(void *ctx, const struct state_delivery *d, struct err *e)
{
    (void)e;
    char line[256];
    const struct str none = STR("-");
    const struct str body = d->body.ptr ? d->body : none, answer = d->answer.ptr ? d->answer : none;
    (void)snprintf(line, sizeof line, STR_FMT "|" STR_FMT "|" STR_FMT "|" STR_FMT ";",
                   STR_ARG(d->id), STR_ARG(d->leads), STR_ARG(body), STR_ARG(answer));
    strcat(ctx, line);
    return RC_OK;
}

static void expect_deliveries(struct state *s, unsigned sink, const char *want)
{
    struct err e = {0};
    char text[4096] = "";
    OK(state_each_delivery(s, sink, describe, text, &e));
    assert_string_equal(text, want);
}

static void expect_counts(struct state *s, unsigned sink, uint64_t want_delivered,
                          uint64_t want_failed)
{
    struct err e = {0};
    uint64_t delivered, failed;
    OK(state_delivery_counts(s, sink, &delivered, &failed, &e));
    assert_int_equal(delivered, want_delivered);
    assert_int_equal(failed, want_failed);
}

static void what_is_durable_survives(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t a = add(s, 0, "a", 0);
    (void)add(s, 0, "b", 1);
    (void)add(s, 1, "c", 1);
    OK(state_answer(s, a, STATE_DELIVERED, STR("200"), &e));
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    expect_deliveries(s, 0, "a|leads of a|-|200;b|leads of b|{\"body\":\"b\"}|-;");
    expect_deliveries(s, 1, "c|leads of c|{\"body\":\"c\"}|-;");
    expect_deliveries(s, 2, "");
    expect_counts(s, 0, 1, 0);
    expect_counts(s, 1, 0, 0);
    state_close(s);
}

/* While somebody holds the state nothing of what is put becomes durable. */
static void what_is_held_comes_whole(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t a = add(s, 0, "a", 0);
    assert_int_equal(wait_durable(s), RC_OK);
    state_hold(s);
    (void)add(s, 0, "b", 1);
    state_hold(s);
    OK(state_answer(s, a, STATE_DELIVERED, STR(""), &e));
    state_release(s);
    (void)add(s, 0, "c", 2);
    crash_into("s", "before");
    state_release(s);
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    expect_deliveries(s, 0,
                      "a|leads of a|-|;b|leads of b|{\"body\":\"b\"}|-;"
                      "c|leads of c|{\"body\":\"c\"}|-;");
    state_close(s);
    s = open_ok("before");
    expect_deliveries(s, 0, "a|leads of a|{\"body\":\"a\"}|-;");
    expect_counts(s, 0, 0, 0);
    state_close(s);
}

/* A checkpoint forgets what was answered and lies below all that is not done; it counts on. */
static void checkpoint_forgets_the_answered(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    int64_t rows[6];
    for (int i = 0; i < 6; i++)
        rows[i] = add(s, 0, (const char *[]){"a", "b", "c", "d", "e", "f"}[i], (uint64_t)i);
    OK(state_answer(s, rows[0], STATE_DELIVERED, STR("0"), &e));
    OK(state_answer(s, rows[2], STATE_REFUSED, STR("2"), &e));
    OK(state_answer(s, rows[3], STATE_UNSENT, STR("3"), &e));
    OK(state_answer(s, rows[4], STATE_DELIVERED, STR("4"), &e));
    const uint64_t holes[] = {3};
    struct state_checkpoint c = {.tally.high = 5, .holes = holes, .n_holes = 1};
    OK(state_checkpoint(s, &c, &e));
    expect_deliveries(s, 0,
                      "b|leads of b|{\"body\":\"b\"}|-;d|leads of d|-|3;e|leads of e|-|4;"
                      "f|leads of f|{\"body\":\"f\"}|-;");
    c.n_holes = 0;
    OK(state_checkpoint(s, &c, &e));
    expect_counts(s, 0, 2, 1);
    s = crash(s, "s");
    expect_deliveries(s, 0, "b|leads of b|{\"body\":\"b\"}|-;f|leads of f|{\"body\":\"f\"}|-;");
    expect_counts(s, 0, 2, 1);
    FAILS(state_answer(s, rows[0], STATE_DELIVERED, STR(""), &e), RC_INTERNAL, "no delivery");
    OK(state_answer(s, rows[5], STATE_REFUSED, STR(""), &e));
    FAILS(state_answer(s, rows[5], STATE_REFUSED, STR(""), &e), RC_INTERNAL, "no delivery");
    expect_counts(s, 0, 2, 2);
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_durable_survives),
        IN_FOLDER(what_is_held_comes_whole),
        IN_FOLDER(checkpoint_forgets_the_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
