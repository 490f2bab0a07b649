#include "intake_world.h"

/* ---- what becomes a lead ---------------------------------------------------------------------- */

static void each_id_is_one_lead(void **state)
{
    (void)state;
    static const struct step steps[] = {ID("a"),      ID("b"), ID("a"),      ID("c"), ID("b"),
                                        BAD("no ID"), ID("a"), BAD("no ID"), ID("d"), STEP(AN_END)};
    struct intake_world w;
    world_open(&w, steps, 0);
    assert_false(intake_is_empty(&w.in));
    start(&w);
    intake_join(&w.in);
    assert_false(intake_is_empty(&w.in)); /* they were not taken yet */
    struct lead *first = intake_take(&w.in);
    assert_false(intake_is_empty(&w.in));
    unsigned char key[LEAD_KEY_BYTES];
    run_world_key("a", key);
    assert_memory_equal(first->key, key, sizeof key);
    lead_free(first);
    take_all(&w);
    expect_leads(&w, "1:b 2:c 3:! 4:! 5:d"); /* bad lines are no duplicates of one another */
    expect_ids(&w, 9, 6);
    assert_true(intake_is_empty(&w.in));
    assert_true(atomic_load(&w.in.are_verified)); /* nothing was done before */
    expect_error(&w.w, RC_OK, NULL);
    world_close(&w);
}

/* They come behind all others; one that was listed again was never there. */
static void ids_once_more(void **state)
{
    (void)state;
    static const struct step steps[] = {
        ID("a"),
        ID("b"),
        ID("a"),
        {AN_ID_ONCE_MORE, .id = "b"},
        {AN_ID_ONCE_MORE, .id = "c"},
        {AN_ID_ONCE_MORE, .id = "a"},
        {AN_ID_ONCE_MORE, .id = "d"},
        {AN_ID_ONCE_MORE, .id = "c"},
        STEP(AN_END),
    };
    struct intake_world w;
    world_open(&w, steps, 0);
    w.in.has_expect = true;
    start(&w);
    intake_join(&w.in);
    take_all(&w);
    expect_leads(&w, "0:a 1:b 2:c 3:d");
    const struct ids_counts counts = intake_counts(&w.in);
    assert_int_equal(counts.read, 5);
    assert_int_equal(counts.unique, 4);
    assert_int_equal(counts.duplicates, 1);
    assert_int_equal(counts.expected, 2); /* nobody has asked for the others */
    assert_int_equal(w.script.taken, 2);
    world_close(&w);
}

static void parameters_belong_to_the_lead(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {AN_ID, .id = "a", .param = "1"},
        {AN_ID, .id = "a", .param = "2"},
        {AN_ID, .id = "a", .param = "1"},
        {AN_ID, .id = "b", .param = "1"},
        STEP(AN_END),
    };
    struct intake_world w;
    world_open(&w, steps, 1);
    start(&w);
    intake_join(&w.in);
    for (int i = 0; i < 3; i++) {
        struct lead *lead = intake_take(&w.in);
        assert_non_null(lead);
        assert_string_equal(lead->params[0].ptr, i == 1 ? "2" : "1");
        lead_free(lead);
    }
    assert_null(intake_take(&w.in));
    expect_ids(&w, 4, 3);
    world_close(&w);
}

static char many[ITEMS_MAX][8];

/* More IDs than are read ahead. */
static struct step *many_ids(void)
{
    static struct step steps[ITEMS_MAX + 1];
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        (void)snprintf(many[i], sizeof many[i], "%zu", i);
        steps[i] = (struct step)ID(many[i]);
    }
    return steps;
}

static void more_than_fit(void **state)
{
    (void)state;
    struct intake_world w;
    const struct step *steps = many_ids();
    world_open(&w, steps, 0);
    start(&w);
    for (uint64_t want = 0; !intake_is_empty(&w.in);) {
        struct lead *lead = intake_take(&w.in);
        if (!lead)
            continue;
        assert_int_equal(lead->seq, want);
        assert_string_equal(lead->id.ptr, many[want++]);
        lead_free(lead);
    }
    intake_join(&w.in);
    expect_ids(&w, ITEMS_MAX, ITEMS_MAX);
    world_close(&w);
}

/* ---- bad lines -------------------------------------------------------------------------------- */

/* How many lines `text` has that begin with `begin`. */
static size_t count_lines(const char *text, const char *begin)
{
    size_t n = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        n += strncmp(line, begin, strlen(begin)) == 0;
    return n;
}

static void bad_lines_are_shown_and_summed_up(void **state)
{
    (void)state;
    static struct step steps[101];
    static const struct {
        size_t n;
        enum log_level level;
        const char *failed_path;
        size_t shown;       /* as warnings */
        const char *sum_up; /* NULL: none */
    } cases[] = {
        {0, LOG_LEVEL_WARN, NULL, 0, NULL},
        {1, LOG_LEVEL_WARN, NULL, 1, NULL},
        {10, LOG_LEVEL_WARN, NULL, 10, NULL},
        {11, LOG_LEVEL_WARN, NULL, 10,
         "warn-always -: 1 more invalid input line; use --failed FILE to list "
         "them all\n"},
        {100, LOG_LEVEL_WARN, "failed.ndjson", 10,
         "warn-always -: 90 more invalid input lines; all are listed in "
         "failed.ndjson\n"},
        {100, LOG_LEVEL_INFO, NULL, 10, NULL}, /* each has its message */
        {100, LOG_LEVEL_ERROR, NULL, 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct intake_world w;
        for (size_t k = 0; k < cases[i].n; k++)
            steps[k] = (struct step)BAD("it is longer than 512 bytes");
        steps[cases[i].n] = (struct step)STEP(AN_END);
        world_open(&w, steps, 0);
        w.w.log.level = cases[i].level;
        w.in.failed_path = cases[i].failed_path;
        run(&w);
        const char *text = buf_cstr(&w.w.logged);
        size_t shown = count_lines(text, "warn-always -: f.txt:");
        size_t others = count_lines(text, "info -: f.txt:");
        size_t want_others = cases[i].level == LOG_LEVEL_INFO ? cases[i].n - cases[i].shown : 0;
        const char *sum_up = strstr(text, "more invalid input line");
        if (shown != cases[i].shown || others != want_others || !sum_up != !cases[i].sum_up)
            fail_msg("%zu lines: %zu shown, %zu more, summed up %d; wanted %zu, %zu, %d",
                     cases[i].n, shown, others, sum_up != NULL, cases[i].shown, want_others,
                     cases[i].sum_up != NULL);
        if (cases[i].sum_up && !strstr(text, cases[i].sum_up))
            fail_msg("%s: wanted %s", text, cases[i].sum_up);
        expect_ids(&w, cases[i].n, cases[i].n);
        world_close(&w);
    }
}

static void what_is_said_of_a_bad_line(void **state)
{
    (void)state;
    static const struct step steps[] = {ID("a"),
                                        BAD("it has a blank in it"),
                                        {A_BAD_LINE, .id = "--id: it is empty"},
                                        STEP(AN_END)};
    static const char *const wanted[] = {"f.txt:2: it has a blank in it", "--id: it is empty"};
    struct intake_world w;
    world_open(&w, steps, 0);
    start(&w);
    intake_join(&w.in);
    lead_free(intake_take(&w.in));
    for (size_t i = 0; i < 2; i++) {
        struct lead *lead = intake_take(&w.in);
        assert_non_null(lead);
        assert_int_equal(lead->run->outcome, OUTCOME_FAILED);
        assert_int_equal(lead->run->failure.stage, STAGE_INPUT);
        assert_string_equal(lead->run->failure.code, "bad_id");
        assert_string_equal(lead->run->failure.error, wanted[i]);
        lead_free(lead);
    }
    assert_string_equal(buf_cstr(&w.w.logged), "warn-always -: f.txt:2: it has a blank in it\n"
                                               "warn-always -: --id: it is empty\n");
    world_close(&w);
}

/* ---- waiting, cancelling, stopping ------------------------------------------------------------ */

/* What was read goes its way before the source waits; a full batch does anyway. */
static void what_was_read_does_not_wait(void **state)
{
    (void)state;
    static struct step steps[INTAKE_BATCH + 5] = {ID("a"), ID("b"), STEP(A_WAIT)};
    static char ids[INTAKE_BATCH][8];
    struct intake_world w;
    for (size_t i = 0; i < INTAKE_BATCH; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%zu", i);
        steps[3 + i] = (struct step)ID(ids[i]);
    }
    steps[3 + INTAKE_BATCH] = (struct step)STEP(A_PAUSE);
    world_open(&w, steps, 0);
    atomic_store(&w.w.control.wants_wake, true);
    start(&w);
    wait_for_pause(&w.script);
    take_all(&w);
    expect_leads(&w, "0:a 1:b");
    assert_int_equal(intake_progress(&w.in).read, 2);
    assert_false(atomic_load(&w.w.control.wants_wake)); /* the loop was woken */
    resume_script(&w.script);
    wait_for_pause(&w.script);
    buf_clear(&w.got);
    take_all(&w);
    char last[32];
    (void)snprintf(last, sizeof last, " %d:%d", INTAKE_BATCH + 1, INTAKE_BATCH - 1);
    assert_int_equal(strncmp(buf_cstr(&w.got), "2:0 3:1 ", 8), 0);
    assert_non_null(strstr(buf_cstr(&w.got), last));
    assert_int_equal(intake_progress(&w.in).read, 2 + INTAKE_BATCH);
    resume_script(&w.script);
    intake_join(&w.in);
    world_close(&w);
}

static void errors_of_the_source(void **state)
{
    (void)state;
    static const struct step steps[][4] = {
        {ID("a"), ID("b"), ERROR(RC_IO, "f.txt: damaged")},
        {ID("a"), ID("b"), ERROR(RC_USAGE, "f.txt: no column")},
        {ID("a"), ID("b"), ERROR(RC_NOMEM, "out of memory")},
        {ID("a"), ID("b"), ERROR(RC_STOPPED, "nobody says why")},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct intake_world w;
        const struct step *error = &steps[i][2];
        bool is_error = error->rc != RC_STOPPED;
        world_open(&w, steps[i], 0);
        run(&w);
        expect_leads(&w, "0:a 1:b"); /* what came before is not lost */
        expect_error(&w.w, is_error ? error->rc : RC_OK, is_error ? error->id : NULL);
        assert_false(atomic_load(&w.in.has_ended));
        assert_false(intake_is_empty(&w.in)); /* it is not known what else there was */
        world_close(&w);
    }
}

static void a_run_that_is_stopped(void **state)
{
    (void)state;
    static const struct step steps[] = {ID("a"), ID("b"), STEP(A_STOP),
                                        ID("c"), ID("d"), STEP(AN_END)};
    struct intake_world w;
    world_open(&w, steps, 0);
    run(&w);
    expect_leads(&w, "0:a 1:b 2:c"); /* and no more is read */
    expect_ids(&w, 3, 3);
    assert_false(atomic_load(&w.in.has_ended));
    assert_false(intake_is_empty(&w.in));
    world_close(&w);

    world_open(&w, steps, 0);
    control_stop(&w.w.control, 15);
    run(&w);
    expect_ids(&w, 0, 0);
    assert_int_equal(w.script.at, 0);
    world_close(&w);
}

/* Nobody takes leads any more: neither the thread that waits for room nor what it holds stays. */
static void cancelled_while_the_queue_is_full(void **state)
{
    (void)state;
    struct intake_world w;
    const struct step *steps = many_ids();
    world_open(&w, steps, 0);
    start(&w);
    while (intake_progress(&w.in).read < INTAKE_AHEAD) /* the next batch does not fit */
        (void)poll(NULL, 0, 1);
    intake_cancel(&w.in);
    intake_join(&w.in);
    expect_error(&w.w, RC_OK, NULL);
    assert_false(atomic_load(&w.in.has_ended));
    assert_true(intake_counts(&w.in).read < ITEMS_MAX);
    world_close(&w);
}

/* A pipe that is silent, read by the source of the program. */
static void cancelled_while_a_pipe_is_silent(void **state)
{
    (void)state;
    struct intake_world w;
    struct id_source *source = NULL;
    struct err e = {0};
    char folder[] = "/tmp/leadpipe-intake-XXXXXX", path[64];
    const char *files[] = {path};
    static const struct step none[] = {STEP(AN_END)};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    world_open(&w, none, 0);
    const struct ids_cfg cfg = {.files = files,
                                .n_files = 1,
                                .format = ID_FORMAT_LINES,
                                .profile = w.w.profile,
                                .wait = intake_wait(&w.in)};
    if (ids_open(&source, &cfg, &e) != RC_OK)
        fail_msg("%s", e.msg);
    script_close(&w.script.source);
    w.in.source = source;
    assert_int_equal(write(fd, "a\nb\nc", 5), 5);
    start(&w);
    while (!strstr(buf_cstr(&w.got), "1:b")) { /* it waits for the end of the third line then */
        (void)poll(NULL, 0, 1);
        take_all(&w);
    }
    intake_cancel(&w.in);
    intake_cancel(&w.in); /* once more changes nothing */
    intake_join(&w.in);
    take_all(&w);
    expect_leads(&w, "0:a 1:b");
    expect_error(&w.w, RC_OK, NULL);
    assert_false(atomic_load(&w.in.has_ended));
    world_close(&w);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void freed_before_anything(void **state)
{
    (void)state;
    struct intake zero = {.n_params = 0};
    intake_free(&zero);
    intake_join(&zero);
    static const struct step steps[] = {ID("a"), STEP(AN_END)};
    struct intake_world w;
    world_open(&w, steps, 0); /* never started */
    world_close(&w);
    world_open(&w, steps, 0); /* and with a lead that is never taken */
    start(&w);
    intake_join(&w.in);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_id_is_one_lead),
        cmocka_unit_test(ids_once_more),
        cmocka_unit_test(parameters_belong_to_the_lead),
        cmocka_unit_test(more_than_fit),
        cmocka_unit_test(bad_lines_are_shown_and_summed_up),
        cmocka_unit_test(what_is_said_of_a_bad_line),
        cmocka_unit_test(what_was_read_does_not_wait),
        cmocka_unit_test(errors_of_the_source),
        cmocka_unit_test(a_run_that_is_stopped),
        cmocka_unit_test(cancelled_while_the_queue_is_full),
        cmocka_unit_test(cancelled_while_a_pipe_is_silent),
        cmocka_unit_test(freed_before_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
