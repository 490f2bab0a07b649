#include "core/state/state.h"

#include "state_world.h"

/* What a run puts into it is there again, in every field. */
static void a_run_comes_back(void **state)
{
    (void)state;
    const struct state_setting settings[] = {{STR("provider"), STR("omni")}, {STR("to"), STR("")}};
    const uint64_t gaps[] = {3, 5, UINT64_C(1) << 40};
    const struct str marks[] = {STR("mark of a"), STR("")};
    const struct state_column columns[] = {
        {1, 2, 0, STR("key"), STR_NONE},
        {UINT32_MAX, 0, 7, STR(""), STR("member")},
    };
    struct state_checkpoint c = {
        .progress = {.high = (UINT64_C(1) << 40) + 1,
                     .key_a = UINT64_MAX,
                     .key_b = 1,
                     .handed = 2,
                     .missing = 3,
                     .unchanged = 4,
                     .replaced = 5,
                     .other_ids = 6,
                     .active_ms = 7},
        .gaps = gaps,
        .n_gaps = 3,
        .marks = marks,
        .n_marks = 2,
        .totals = STR("totals"),
        .columns = columns,
        .n_columns = 1,
    };
    struct err e = {0};
    struct state *s = open_ok("s");
    assert_int_equal(state_phase(s), STATE_EMPTY);
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1234567890123, settings, 2, &e));
    OK(state_checkpoint(s, &c, &e));
    c.columns = columns + 1;
    c.progress.active_ms = INT64_C(1) << 40;
    OK(state_checkpoint(s, &c, &e));
    state_close(s);

    s = open_ok("s");
    assert_int_equal(state_phase(s), STATE_RUNNING);
    struct state_run run;
    OK(state_load(s, &run, &e));
    assert_string_equal(run.run_id, "0123456789abcdef0123456789abcdef");
    assert_int_equal(run.started_wall_ms, 1234567890123);
    assert_int_equal(run.n_settings, 2);
    assert_str(run.settings[0].name, "provider");
    assert_str(run.settings[0].value, "omni");
    assert_str(run.settings[1].value, "");
    assert_null(run.record.ptr);
    assert_memory_equal(&run.checkpoint.progress, &c.progress, sizeof c.progress);
    assert_int_equal(run.checkpoint.n_gaps, 3);
    assert_memory_equal(run.checkpoint.gaps, gaps, sizeof gaps);
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
    const struct state_progress none = {0};
    assert_memory_equal(&run.checkpoint.progress, &none, sizeof none);
    assert_int_equal(run.checkpoint.n_marks, 0);
    assert_int_equal(run.checkpoint.n_gaps, 0);
    assert_int_equal(run.checkpoint.n_columns, 0);
    assert_int_equal(run.n_settings, 0);
    state_close(s);
}

static void phases(void **state)
{
    (void)state;
    struct err e = {0};
    const struct str none[] = {STR("text")};
    struct state *s = open_ok("s");
    FAILS(state_publish(s, none, 1, STR(""), &e), RC_INTERNAL, "s: ");
    FAILS(state_finish(s, true, &e), RC_INTERNAL, "s: ");
    begin_run(s);
    FAILS(state_finish(s, true, &e), RC_INTERNAL, "s: ");
    OK(state_publish(s, none, 1, STR("how it went"), &e));
    FAILS(state_publish(s, none, 1, STR(""), &e), RC_INTERNAL, "s: ");
    s = crash(s, "s");
    assert_int_equal(state_phase(s), STATE_PUBLISHING);
    OK(state_finish(s, true, &e));
    s = crash(s, "s");
    assert_int_equal(state_phase(s), STATE_FINISHED);
    struct state_run run;
    OK(state_load(s, &run, &e));
    assert_str(run.record, "how it went");
    OK(state_forget(s, &e));
    s = crash(s, "s");
    assert_int_equal(state_phase(s), STATE_EMPTY);
    begin_run(s);
    assert_int_equal(state_phase(s), STATE_RUNNING);
    state_close(s);
}

/* Whatever bytes they are. */
static void texts_come_back_in_order(void **state)
{
    (void)state;
    struct err e = {0};
    struct state_run run;
    const struct str texts[] = {{"b\0.part\0\xff", 9}, STR_NONE, STR("a"), STR("")};
    struct state *s = open_ok("s");
    begin_run(s);
    OK(state_load(s, &run, &e));
    assert_int_equal(run.n_texts, 0);
    OK(state_publish(s, texts, 4, STR("record"), &e));
    s = crash(s, "s");
    OK(state_load(s, &run, &e));
    assert_int_equal(run.n_texts, 4);
    assert_int_equal(run.texts[0].len, 9);
    assert_memory_equal(run.texts[0].ptr, texts[0].ptr, 9);
    assert_int_equal(run.texts[1].len, 0);
    assert_str(run.texts[2], "a");
    assert_int_equal(run.texts[3].len, 0);
    begin_run(s);
    OK(state_load(s, &run, &e));
    assert_int_equal(run.n_texts, 0);
    state_close(s);
}

static void a_text_that_is_too_long(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    char *bytes = calloc(STATE_TEXT_BYTES_MAX + 1, 1);
    assert_non_null(bytes);
    struct str text = {bytes, STATE_TEXT_BYTES_MAX + 1};
    begin_run(s);
    FAILS(state_publish(s, &text, 1, STR("record"), &e), RC_LIMIT, "s: ");
    assert_int_equal(state_phase(s), STATE_RUNNING);
    state_close(s);
    free(bytes);
}

/* ---- failed leads --------------------------------------------------------------------------- */

static void put_failure(struct state *s, uint64_t seq, bool by_sink, const char *line)
{
    struct err e = {0};
    char summary[64], row[64];
    (void)snprintf(summary, sizeof summary, "why %s", line);
    (void)snprintf(row, sizeof row, "%s\n", line);
    OK(state_fail(s, seq, by_sink, str_c(row), str_c(summary), &e));
}

static enum rc list_line(void *ctx, struct str row, struct err *e)
{
    if (str_eq_c(row, "stop\n"))
        return err_set(e, RC_STOPPED, "stopped");
    buf_add(ctx, row.ptr, row.len - 1);
    return RC_OK;
}

static void expect_failures(struct state *s, const char *want, uint64_t want_by_sink)
{
    struct err e = {0};
    struct buf text;
    struct state_failures counts;
    buf_init(&text, 1000);
    OK(state_each_failure(s, list_line, &text, &e));
    assert_string_equal(buf_cstr(&text), want);
    OK(state_count_failures(s, &counts, &e));
    assert_int_equal(counts.n, strlen(want)); /* each has one letter */
    assert_int_equal(counts.by_sink, want_by_sink);
    buf_free(&text);
}

static void put_missing(struct state *s, uint64_t seq, const char *line)
{
    struct err e = {0};
    char row[64];
    (void)snprintf(row, sizeof row, "%s\n", line);
    OK(state_miss(s, seq, str_c(row), &e));
}

static void expect_missing(struct state *s, const char *want)
{
    struct err e = {0};
    struct buf text;
    buf_init(&text, 1000);
    OK(state_each_missing(s, list_line, &text, &e));
    assert_string_equal(buf_cstr(&text), want);
    buf_free(&text);
}

static void missing_leads(void **state)
{
    (void)state;
    struct err e = {0};
    const uint64_t gaps[] = {2};
    const struct state_checkpoint c = {.progress.high = 6, .gaps = gaps, .n_gaps = 1};
    struct state *s = open_ok("s");
    begin_run(s);
    expect_missing(s, "");
    put_missing(s, 5, "c");
    put_missing(s, 1, "x");
    put_missing(s, 1, "a"); /* replaces the one before */
    put_failure(s, 3, false, "b");
    OK(state_checkpoint(s, &c, &e));
    put_missing(s, 2, "y");
    put_missing(s, 6, "z");
    expect_missing(s, "aycz");
    expect_failures(s, "b", 0);
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    expect_missing(s, "aycz");
    OK(state_rewind(s, &e));
    expect_missing(s, "ac");
    put_missing(s, 7, "stop");
    struct buf text;
    buf_init(&text, 100);
    FAILS(state_each_missing(s, list_line, &text, &e), RC_STOPPED, "stopped");
    buf_free(&text);
    begin_run(s);
    expect_missing(s, "");
    state_close(s);
}

static void failures_in_the_order_of_places(void **state)
{
    (void)state;
    struct err e = {0};
    char first[7];
    bool has;
    struct state *s = open_ok("s");
    begin_run(s);
    expect_failures(s, "", 0);
    OK(state_first_failure(s, first, sizeof first, &e));
    assert_string_equal(first, "");
    put_failure(s, 300, false, "c");
    put_failure(s, 2, true, "b");
    put_failure(s, 1, false, "x");
    put_failure(s, 1, true, "a"); /* replaces the one before */
    put_failure(s, UINT64_C(1) << 62, false, "d");
    expect_failures(s, "abcd", 2);
    OK(state_first_failure(s, first, sizeof first, &e));
    assert_string_equal(first, "why a");
    char shorter[4];
    OK(state_first_failure(s, shorter, sizeof shorter, &e));
    assert_string_equal(shorter, "why");
    OK(state_has_failed(s, 300, &has, &e));
    assert_true(has);
    OK(state_has_failed(s, 3, &has, &e));
    assert_false(has);
    put_failure(s, 200, false, "stop");
    struct buf text;
    buf_init(&text, 100);
    FAILS(state_each_failure(s, list_line, &text, &e), RC_STOPPED, "stopped");
    assert_string_equal(buf_cstr(&text), "ab");
    buf_free(&text);
    state_close(s);
}

/* Failures become durable with any commit, also of leads that the last checkpoint does not cover. */
static void rewinding(void **state)
{
    (void)state;
    struct err e = {0};
    const uint64_t gaps[] = {2, 4};
    const struct state_checkpoint c = {.progress.high = 6, .gaps = gaps, .n_gaps = 2};
    struct state *s = open_ok("s");
    begin_run(s);
    put_failure(s, 1, false, "a");
    put_failure(s, 3, true, "b");
    OK(state_checkpoint(s, &c, &e));
    put_failure(s, 2, true, "x");
    put_failure(s, 4, false, "y");
    put_failure(s, 5, false, "c"); /* done, as the checkpoint says */
    put_failure(s, 6, false, "z");
    put_failure(s, 7, true, "z");
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    expect_failures(s, "axbyczz", 3);
    OK(state_rewind(s, &e));
    expect_failures(s, "abc", 1);
    state_close(s);
}

static void rewinding_to_the_beginning(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    begin_run(s);
    put_failure(s, 0, false, "x");
    assert_int_equal(wait_durable(s), RC_OK);
    s = crash(s, "s");
    OK(state_rewind(s, &e));
    expect_failures(s, "", 0);
    state_close(s);
}

/* What comes after the last commit is gone after a crash, and there after a clean end. */
static void what_is_not_committed(void **state)
{
    (void)state;
    struct err e = {0};
    const struct state_checkpoint c = {.progress.high = 2};
    struct state *s = open_ok("s");
    begin_run(s);
    put_failure(s, 0, false, "a");
    OK(state_checkpoint(s, &c, &e));
    put_failure(s, 1, false, "b");
    crash_into("s", "crashed");
    state_close(s);
    s = open_ok("crashed");
    expect_failures(s, "a", 0);
    state_close(s);
    s = open_ok("s");
    expect_failures(s, "ab", 0);
    state_close(s);
}

/* ---- buffered payloads -------------------------------------------------------------------------- */

static void keep(struct state *s, uint64_t seq, const char *body)
{
    struct err e = {0};
    struct state_buffered buffered = {
        .seq = seq, .http_status = 203, .attempts = 4, .body = str_c(body)};
    memset(buffered.key, (int)seq, sizeof buffered.key);
    OK(state_buffer(s, &buffered, &e));
}

static void expect_buffered(struct state *s, size_t want_n, const uint64_t *want)
{
    struct err e = {0};
    const uint64_t *seqs;
    size_t n;
    OK(state_buffered_seqs(s, &seqs, &n, &e));
    assert_int_equal(n, want_n);
    if (n > 0)
        assert_memory_equal(seqs, want, n * sizeof *want);
}

static void kept_payloads(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf body;
    struct state_buffered buffered;
    buf_init(&body, 100);
    struct state *s = open_ok("s");
    begin_run(s);
    expect_buffered(s, 0, NULL);
    keep(s, 9, "nine");
    keep(s, 5, "five");
    keep(s, 7, "");
    keep(s, 9, "9");
    state_close(s);
    s = open_ok("s");
    expect_buffered(s, 3, (const uint64_t[]){5, 7, 9});
    buf_adds(&body, "before ");
    OK(state_take_buffered(s, 9, &buffered, &body, &e));
    assert_string_equal(buf_cstr(&body), "before 9");
    assert_int_equal(buffered.seq, 9);
    assert_int_equal(buffered.key[15], 9);
    assert_int_equal(buffered.http_status, 203);
    assert_int_equal(buffered.attempts, 4);
    assert_null(buffered.body.ptr);
    OK(state_take_buffered(s, 7, &buffered, &body, &e));
    assert_string_equal(buf_cstr(&body), "before 9");
    assert_int_equal(state_take_buffered(s, 8, &buffered, &body, &e), RC_END);
    struct buf small;
    buf_init(&small, 3);
    FAILS(state_take_buffered(s, 5, &buffered, &small, &e), RC_LIMIT, "s: ");
    OK(state_take_buffered(s, 5, &buffered, &body, &e)); /* that was no error of the state's */
    buf_free(&small);
    buf_free(&body);
    state_close(s);
}

static void checkpoint_forgets_what_is_done(void **state)
{
    (void)state;
    struct err e = {0};
    const uint64_t gaps[] = {1, 3};
    struct state_checkpoint c = {.progress.high = 5, .gaps = gaps, .n_gaps = 2};
    struct state *s = open_ok("s");
    begin_run(s);
    for (uint64_t i = 0; i < 8; i++)
        keep(s, i, "payload");
    OK(state_checkpoint(s, &c, &e));
    expect_buffered(s, 5, (const uint64_t[]){1, 3, 5, 6, 7});
    c.n_gaps = 0;
    c.progress.high = 7;
    OK(state_checkpoint(s, &c, &e));
    s = crash(s, "s");
    expect_buffered(s, 1, (const uint64_t[]){7});
    state_close(s);
}

/* ---- one run after another ------------------------------------------------------------------ */

static void a_new_run_begins_empty(void **state)
{
    (void)state;
    struct err e = {0};
    const struct str mark = STR("mark");
    const struct state_column column = {.key = STR("key")};
    const struct state_setting term = {STR("name"), STR("value")};
    const struct state_checkpoint c = {
        .progress.high = 5, .marks = &mark, .n_marks = 1, .columns = &column, .n_columns = 1};
    struct state *s = open_ok("s");
    OK(state_begin(s, "0123456789abcdef0123456789abcdef", 1, &term, 1, &e));
    put_failure(s, 1, false, "a");
    OK(state_checkpoint(s, &c, &e));
    keep(s, 7, "payload");
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    expect_buffered(s, 0, NULL);
    OK(state_begin(s, "ffffffffffffffffffffffffffffffff", 2, NULL, 0, &e));
    s = crash(s, "s");
    struct state_run run;
    OK(state_load(s, &run, &e));
    assert_string_equal(run.run_id, "ffffffffffffffffffffffffffffffff");
    assert_int_equal(run.n_settings, 0);
    assert_int_equal(run.checkpoint.progress.high, 0);
    assert_int_equal(run.checkpoint.n_marks, 0);
    assert_int_equal(run.checkpoint.n_columns, 0);
    assert_null(run.record.ptr);
    expect_failures(s, "", 0);
    state_close(s);
}

/* The file does not keep the size that a run needed. */
static void a_finished_run_leaves_a_small_file(void **state)
{
    (void)state;
    struct err e = {0};
    char body[8000];
    struct stat st;
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    struct state *s = open_ok("s");
    begin_run(s);
    for (uint64_t i = 0; i < 500; i++)
        keep(s, i, body);
    state_close(s);
    assert_int_equal(stat("s", &st), 0);
    assert_true(st.st_size > 500 * 8000);
    s = open_ok("s");
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
    state_close(s);
    assert_int_equal(stat("s", &st), 0);
    assert_in_range(st.st_size, 4096, 200000);
    state_close(open_ok("s"));
}

/* Of the run before, until the next one begins; of an unfinished one they are not known yet. */
static void columns_of_the_last_run(void **state)
{
    (void)state;
    struct err e = {0};
    const struct state_column *got = NULL;
    size_t n = 7;
    const struct str mark = STR("");
    const struct state_column columns[] = {
        {.table = 2, .scope = 1, .occurrence = 3, .key = STR("key"), .member = STR("member")},
        {.key = STR("")},
    };
    const struct state_checkpoint c = {
        .marks = &mark, .n_marks = 1, .columns = columns, .n_columns = 2};
    struct state *s = open_ok("s");
    assert_int_equal(state_last_columns(s, &got, &n, &e), RC_END);
    begin_run(s);
    OK(state_checkpoint(s, &c, &e));
    assert_int_equal(state_last_columns(s, &got, &n, &e), RC_END);
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    assert_int_equal(state_last_columns(s, &got, &n, &e), RC_END);
    OK(state_finish(s, true, &e));
    state_close(s);
    s = open_ok("s");
    OK(state_last_columns(s, &got, &n, &e));
    assert_int_equal(n, 2);
    assert_int_equal(got[0].table, 2);
    assert_int_equal(got[0].occurrence, 3);
    assert_str(got[0].key, "key");
    assert_str(got[0].member, "member");
    assert_str(got[1].key, "");
    assert_null(got[1].member.ptr);
    begin_run(s);
    assert_int_equal(state_last_columns(s, &got, &n, &e), RC_END);
    state_close(s);
}

static void nothing_to_close(void **state)
{
    (void)state;
    state_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_run_comes_back),
        IN_FOLDER(a_run_without_a_checkpoint),
        IN_FOLDER(phases),
        IN_FOLDER(texts_come_back_in_order),
        IN_FOLDER(a_text_that_is_too_long),
        IN_FOLDER(failures_in_the_order_of_places),
        IN_FOLDER(missing_leads),
        IN_FOLDER(rewinding),
        IN_FOLDER(rewinding_to_the_beginning),
        IN_FOLDER(what_is_not_committed),
        IN_FOLDER(kept_payloads),
        IN_FOLDER(checkpoint_forgets_what_is_done),
        IN_FOLDER(a_new_run_begins_empty),
        IN_FOLDER(a_finished_run_leaves_a_small_file),
        IN_FOLDER(columns_of_the_last_run),
        IN_FOLDER(nothing_to_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
