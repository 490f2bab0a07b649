#include "intake_world.h"

/* ---- a run that is resumed -------------------------------------------------------------------- */

/* What an earlier part of the run had done: these IDs, by their sequence numbers. */
static void were_done(struct intake_world *w, const char *const *ids)
{
    for (uint64_t seq = 0; ids[seq]; seq++) {
        unsigned char key[LEAD_KEY_BYTES];
        run_world_key(ids[seq], key);
        if (*ids[seq])
            assert_int_equal(progress_note(&w->before_progress, seq, seq, key), RC_OK);
    }
    w->before = (struct state_checkpoint){.progress = w->before_progress.sums,
                                          .gaps = w->before_progress.gaps,
                                          .n_gaps = w->before_progress.n_gaps};
    w->in.resume.before = &w->before;
}

#define OTHERS "the first 4, or their order, differ"

static void the_same_ids(void **state)
{
    (void)state;
    static const struct {
        const char *done[6]; /* "": not done */
        struct step steps[8];
        const char *leads;
        const char *error; /* NULL: they are the same */
    } cases[] = {
        {{NULL}, {ID("a"), ID("b")}, "0:a 1:b", NULL},
        {{"a", "b"}, {ID("a"), ID("b")}, "", NULL},
        {{"a", "b"}, {ID("a"), ID("b"), ID("c")}, "2:c", NULL},
        {{"a", "", "c", "d"}, {ID("a"), ID("b"), ID("c"), ID("d"), ID("e")}, "1:b 4:e", NULL},
        {{"", "", "", "d"}, {ID("a"), ID("b"), ID("c"), ID("d"), ID("e")}, "0:a 1:b 2:c 4:e", NULL},
        /* Duplicates have no sequence number. */
        {{"a", "", "c"}, {ID("a"), ID("a"), ID("b"), ID("a"), ID("c"), ID("b")}, "1:b", NULL},
        /* What was not done may be another now. */
        {{"a", "", "c", "d"}, {ID("a"), ID("x"), ID("c"), ID("d")}, "1:x", NULL},
        {{"a", "b", "c", "d"}, {ID("a"), ID("x"), ID("c"), ID("d"), ID("e")}, "", OTHERS},
        {{"a", "b", "c", "d"}, {ID("a"), ID("c"), ID("b"), ID("d"), ID("e")}, "", OTHERS},
        {{"a", "b", "c", "d"}, {ID("a"), ID("b"), ID("c"), ID("x")}, "", OTHERS},
        {{"a", "", "c", "d"}, {ID("a"), ID("c"), ID("d"), ID("e"), ID("f")}, "", OTHERS},
        /* A lead that waits is not handed over when the others turn out to be others. */
        {{"a", "", "c", "d"}, {ID("x"), ID("b"), ID("c"), ID("d"), ID("e")}, "", OTHERS},
        {{"a", "b", "c", "d"}, {ID("a"), ID("b")}, "", "they end after 2, but 4 were done"},
        {{"a", "", "", "d"}, {ID("a"), ID("b"), ID("c")}, "", "they end after 3, but 4 were done"},
        {{"a"}, {STEP(AN_END)}, "", "they end after 0, but 1 were done"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct intake_world w;
        print_message("%zu\n", i);
        world_open(&w, cases[i].steps, 0);
        were_done(&w, cases[i].done);
        run(&w);
        expect_leads(&w, cases[i].leads);
        expect_error(&w.w, cases[i].error ? RC_USAGE : RC_OK, cases[i].error);
        assert_int_equal(atomic_load(&w.in.are_verified), !cases[i].error);
        assert_int_equal(atomic_load(&w.in.has_ended), !cases[i].error);
        if (cases[i].error) {
            struct err e = control_error(&w.w.control);
            assert_non_null(strstr(e.msg, "the.state"));
            assert_non_null(strstr(e.msg, "--fresh"));
        }
        world_close(&w);
    }
}

/* Those in between wait for the last one that was done: until then nothing is requested. */
static void early_ones_wait(void **state)
{
    (void)state;
    static const struct step steps[] = {ID("a"), ID("b"),      STEP(A_WAIT), ID("c"),
                                        ID("d"), STEP(A_WAIT), ID("e"),      STEP(AN_END)};
    struct intake_world w;
    world_open(&w, steps, 0);
    were_done(&w, (const char *const[]){"a", "", "", "d", NULL});
    start(&w);
    wait_for_pause(&w.script);
    take_all(&w);
    expect_leads(&w, "");
    assert_false(atomic_load(&w.in.are_verified));
    resume_script(&w.script);
    wait_for_pause(&w.script);
    take_all(&w);
    expect_leads(&w, "1:b 2:c");
    assert_true(atomic_load(&w.in.are_verified));
    assert_false(intake_is_empty(&w.in));
    resume_script(&w.script);
    intake_join(&w.in);
    take_all(&w);
    expect_leads(&w, "1:b 2:c 4:e");
    world_close(&w);
}

/* One that was done was reported then; one that was not is reported now. */
static void bad_lines_of_before(void **state)
{
    (void)state;
    static const struct step steps[] = {BAD("done"), BAD("not done"), BAD("last"), BAD("new"),
                                        STEP(AN_END)};
    struct intake_world w, first;
    world_open(&first, steps, 0); /* for their keys */
    start(&first);
    intake_join(&first.in);
    world_open(&w, steps, 0);
    for (int i = 0; i < 4; i++) {
        struct lead *lead = intake_take(&first.in);
        if (i == 0 || i == 2)
            assert_int_equal(
                progress_note(&w.before_progress, lead->seq, lead_number(lead), lead->key), RC_OK);
        lead_free(lead);
    }
    world_close(&first);
    were_done(&w, (const char *const[]){NULL});
    run(&w);
    expect_leads(&w, "1:! 3:!");
    assert_string_equal(buf_cstr(&w.w.logged), "warn-always -: f.txt:2: not done\n"
                                               "warn-always -: f.txt:4: new\n");
    world_close(&w);
}

/* More early ones than are handed over at once, and than the queue has room for. */
static void many_early_ones(void **state)
{
    (void)state;
    static struct step steps[ITEMS_MAX + 2];
    static char ids[ITEMS_MAX + 1][8];
    struct intake_world w;
    for (size_t i = 0; i <= ITEMS_MAX; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%zu", i);
        steps[i] = (struct step)ID(ids[i]);
    }
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        unsigned char key[LEAD_KEY_BYTES];
        world_open(&w, steps, 0);
        run_world_key(ids[ITEMS_MAX], key);
        assert_int_equal(progress_note(&w.before_progress, ITEMS_MAX, ITEMS_MAX, key), RC_OK);
        were_done(&w, (const char *const[]){NULL});
        start(&w);
        for (uint64_t want = 0; !cancelled && !intake_is_empty(&w.in);) {
            struct lead *lead = intake_take(&w.in);
            if (!lead)
                continue;
            assert_int_equal(lead->seq, want++);
            lead_free(lead);
        }
        if (cancelled)
            intake_cancel(&w.in); /* whoever waits for room does not wait any more */
        intake_join(&w.in);
        expect_error(&w.w, RC_OK, NULL);
        world_close(&w);
    }
}

/* An end that comes before what was done did not find the same IDs; an error that comes first is reported. */
static void an_error_before_the_ids_are_verified(void **state)
{
    (void)state;
    static const struct step steps[] = {ID("a"), ID("b"), ERROR(RC_IO, "f.txt: damaged")};
    struct intake_world w;
    world_open(&w, steps, 0);
    were_done(&w, (const char *const[]){"a", "", "c", NULL});
    run(&w);
    expect_leads(&w, "");
    expect_error(&w.w, RC_IO, "f.txt: damaged");
    assert_false(atomic_load(&w.in.are_verified));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_ids),
        cmocka_unit_test(early_ones_wait),
        cmocka_unit_test(bad_lines_of_before),
        cmocka_unit_test(many_early_ones),
        cmocka_unit_test(an_error_before_the_ids_are_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
