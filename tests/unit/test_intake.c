#include "core/run/intake.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/run/tally.h"
#include "core/source/ids.h"
#include "run_world.h"

#define ITEMS_MAX 2048

/* What a source gives, one after the other. Of all zero: the end. */
struct step {
    enum { AN_END, AN_ID, A_BAD_LINE, AN_ERROR, A_STOP, A_PAUSE, A_WAIT } what;
    const char *id;    /* or why it is none, or the error's text */
    const char *param; /* of an intake with parameters */
    const char *file;  /* line: its number among the steps, from 1 */
    enum rc rc;
};

/* A source that follows a script. */
struct script {
    struct id_source source; /* the first member */
    struct intake *intake;
    const struct step *steps;
    size_t at;
    struct str params[1];
    unsigned closed;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool paused, may_go_on; /* at A_PAUSE and A_WAIT */
};

struct intake_world {
    struct run_world w;
    struct intake in;
    struct script script;
    struct tally before_tally; /* of the earlier part of the run */
    struct state_checkpoint before;
    struct buf got; /* the leads that were taken: "SEQ:ID", "!" behind a bad line's place */
};

/* ---- the source ------------------------------------------------------------------------------- */

static void pause_script(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    s->paused = true;
    pthread_cond_broadcast(&s->changed);
    while (!s->may_go_on)
        pthread_cond_wait(&s->changed, &s->lock);
    s->may_go_on = false;
    pthread_mutex_unlock(&s->lock);
}

static void wait_for_pause(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->paused)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void go_on(struct script *s)
{
    pthread_mutex_lock(&s->lock);
    s->may_go_on = true;
    s->paused = false; /* the next one is another */
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static enum rc script_next(struct id_source *source, struct arena *a, struct id_item *out,
                           struct err *e)
{
    struct script *s = (struct script *)source;
    const struct step *step = &s->steps[s->at++];
    while (step->what == A_PAUSE || step->what == A_WAIT || step->what == A_STOP) {
        struct source_wait wait = intake_wait(s->intake);
        if (step->what == A_STOP)
            control_stop(s->intake->control, 15);
        else if (step->what == A_WAIT)
            wait.before(wait.ctx);
        if (step->what != A_STOP)
            pause_script(s);
        step = &s->steps[s->at++];
    }
    if (step->what == AN_END)
        return RC_END;
    if (step->what == AN_ERROR)
        return err_set(e, step->rc, "%s", step->id);
    bool is_bad = step->what == A_BAD_LINE;
    s->params[0] = str_c(step->param);
    const char *copy = arena_strdup(a, str_c(step->id)); /* as every source: gone with the arena */
    assert_non_null(copy);
    *out = (struct id_item){.id = is_bad ? STR_NONE : str_c(copy),
                            .params = s->intake->n_params ? s->params : NULL,
                            .bad = is_bad ? copy : NULL,
                            .file = step->file,
                            .line = s->at};
    return RC_OK;
}

static void script_close(struct id_source *source)
{
    ((struct script *)source)->closed++;
}

static const struct id_source_ops script_ops = {script_next, script_close};

/* ---- the intake ------------------------------------------------------------------------------- */

static void world_open(struct intake_world *w, const struct step *steps, size_t n_params)
{
    struct err e = {0};
    memset(w, 0, sizeof *w);
    run_world_init(&w->w, NULL);
    buf_init(&w->got, 1 << 20);
    w->script = (struct script){.source.ops = &script_ops, .intake = &w->in, .steps = steps};
    assert_int_equal(pthread_mutex_init(&w->script.lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&w->script.changed, NULL), 0);
    w->in.control = &w->w.control;
    w->in.n_params = n_params;
    w->in.resume.state_path = "the.state";
    if (intake_open(&w->in, &e) != RC_OK)
        fail_msg("%s", e.msg);
    intake_set_source(&w->in, &w->script.source);
}

static void world_close(struct intake_world *w)
{
    intake_free(&w->in);
    assert_int_equal(w->script.closed, 1);
    tally_free(&w->before_tally);
    buf_free(&w->got);
    pthread_cond_destroy(&w->script.changed);
    pthread_mutex_destroy(&w->script.lock);
    run_world_free(&w->w);
}

static void start(struct intake_world *w)
{
    assert_int_equal(intake_start(&w->in), RC_OK);
}

static void take_all(struct intake_world *w)
{
    for (struct lead *lead; (lead = intake_take(&w->in)); lead_free(lead)) {
        bool is_bad = lead->outcome == OUTCOME_FAILED;
        buf_addf(&w->got, "%s%llu:%s%s", w->got.len ? " " : "", (unsigned long long)lead->seq,
                 lead->id.ptr, is_bad ? "!" : "");
    }
}

/* All is read and taken, on this thread. */
static void run(struct intake_world *w)
{
    start(w);
    intake_join(&w->in);
    take_all(w);
}

static void expect_leads(struct intake_world *w, const char *want)
{
    assert_string_equal(buf_cstr(&w->got), want);
}

static void expect_ids(struct intake_world *w, uint64_t read, uint64_t unique)
{
    struct ids_counts counts = intake_counts(&w->in), progress = intake_progress(&w->in);
    if (counts.read != read || counts.unique != unique || counts.duplicates != read - unique ||
        memcmp(&counts, &progress, sizeof counts) != 0)
        fail_msg("%llu read, %llu unique, %llu duplicates; in progress %llu, %llu; wanted %llu, "
                 "%llu",
                 (unsigned long long)counts.read, (unsigned long long)counts.unique,
                 (unsigned long long)counts.duplicates, (unsigned long long)progress.read,
                 (unsigned long long)progress.unique, (unsigned long long)read,
                 (unsigned long long)unique);
}

#define ID(text)                                                                                   \
    {                                                                                              \
        .what = AN_ID, .id = (text)                                                                \
    }
#define BAD(text)                                                                                  \
    {                                                                                              \
        .what = A_BAD_LINE, .id = (text), .file = "f.txt"                                          \
    }
#define STEP(kind)                                                                                 \
    {                                                                                              \
        .what = (kind)                                                                             \
    }
#define ERROR(status, text)                                                                        \
    {                                                                                              \
        .what = AN_ERROR, .id = (text), .rc = (status)                                             \
    }

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

static void more_than_fit(void **state)
{
    (void)state;
    static struct step steps[ITEMS_MAX + 1];
    static char ids[ITEMS_MAX][8];
    struct intake_world w;
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%zu", i);
        steps[i] = (struct step)ID(ids[i]);
    }
    world_open(&w, steps, 0);
    start(&w);
    for (uint64_t want = 0; !intake_is_empty(&w.in);) {
        struct lead *lead = intake_take(&w.in);
        if (!lead)
            continue;
        assert_int_equal(lead->seq, want);
        assert_string_equal(lead->id.ptr, ids[want++]);
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
         "warn-always -: 1 more invalid input lines; use --failed FILE to list "
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
        const char *sum_up = strstr(text, "more invalid input lines");
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
        assert_int_equal(lead->outcome, OUTCOME_FAILED);
        assert_int_equal(lead->failure.stage, STAGE_INPUT);
        assert_string_equal(lead->failure.code, "bad_id");
        assert_string_equal(lead->failure.error, wanted[i]);
        lead_free(lead);
    }
    assert_string_equal(buf_cstr(&w.w.logged), "warn-always -: f.txt:2: it has a blank in it\n"
                                               "warn-always -: --id: it is empty\n");
    world_close(&w);
}

/* ---- a run that is resumed -------------------------------------------------------------------- */

/* Places that an earlier part of the run had done, with these IDs. */
static void were_done(struct intake_world *w, const char *const *ids)
{
    for (uint64_t place = 0; ids[place]; place++) {
        unsigned char key[LEAD_KEY_BYTES];
        run_world_key(ids[place], key);
        if (*ids[place])
            assert_int_equal(tally_note(&w->before_tally, place, key), RC_OK);
    }
    w->before = (struct state_checkpoint){.tally = w->before_tally.sums,
                                          .holes = w->before_tally.holes,
                                          .n_holes = w->before_tally.n_holes};
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
        /* Duplicates have no place. */
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
    go_on(&w.script);
    wait_for_pause(&w.script);
    take_all(&w);
    expect_leads(&w, "1:b 2:c");
    assert_true(atomic_load(&w.in.are_verified));
    assert_false(intake_is_empty(&w.in));
    go_on(&w.script);
    intake_join(&w.in);
    take_all(&w);
    expect_leads(&w, "1:b 2:c 4:e");
    world_close(&w);
}

/* One that was done was told of then; one that was not is told of now. */
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
            assert_int_equal(tally_note(&w.before_tally, lead->seq, lead->key), RC_OK);
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
        assert_int_equal(tally_note(&w.before_tally, ITEMS_MAX, key), RC_OK);
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
    assert_false(atomic_load(&w.w.control.wants_wake)); /* the loop was told */
    go_on(&w.script);
    wait_for_pause(&w.script);
    buf_clear(&w.got);
    take_all(&w);
    char last[32];
    (void)snprintf(last, sizeof last, " %d:%d", INTAKE_BATCH + 1, INTAKE_BATCH - 1);
    assert_int_equal(strncmp(buf_cstr(&w.got), "2:0 3:1 ", 8), 0);
    assert_non_null(strstr(buf_cstr(&w.got), last));
    assert_int_equal(intake_progress(&w.in).read, 2 + INTAKE_BATCH);
    go_on(&w.script);
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

/* An end that comes before what was done did not find the same IDs; an error that comes first is told. */
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
    static struct step steps[ITEMS_MAX + 1];
    static char ids[ITEMS_MAX][8];
    struct intake_world w;
    for (size_t i = 0; i < ITEMS_MAX; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%zu", i);
        steps[i] = (struct step)ID(ids[i]);
    }
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
    intake_set_source(&w.in, source);
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
        cmocka_unit_test(parameters_belong_to_the_lead),
        cmocka_unit_test(more_than_fit),
        cmocka_unit_test(bad_lines_are_shown_and_summed_up),
        cmocka_unit_test(what_is_said_of_a_bad_line),
        cmocka_unit_test(the_same_ids),
        cmocka_unit_test(early_ones_wait),
        cmocka_unit_test(bad_lines_of_before),
        cmocka_unit_test(many_early_ones),
        cmocka_unit_test(what_was_read_does_not_wait),
        cmocka_unit_test(errors_of_the_source),
        cmocka_unit_test(an_error_before_the_ids_are_verified),
        cmocka_unit_test(a_run_that_is_stopped),
        cmocka_unit_test(cancelled_while_the_queue_is_full),
        cmocka_unit_test(cancelled_while_a_pipe_is_silent),
        cmocka_unit_test(freed_before_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
