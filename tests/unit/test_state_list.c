/* The list of leads in a state: what a run listed, and what was listed before it. */
#include "state_world.h"

#include <sqlite3.h>

#define SOURCE_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SOURCE_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void list_begin(struct state *s, const char *source)
{
    struct err e = {0};
    const struct state_list_cfg cfg = {
        .source = str_c(source), .n_params = 1, .n_lists = 2, .has_until = true, .until_ms = 5};
    OK(state_list_verify(s, &e));
    begin_run(s);
    OK(state_list_begin(s, &cfg, &e));
}

/* A lead a letter, each with a parameter. */
static void put(struct state *s, size_t list, enum list_part_end end, const char *leads)
{
    struct err e = {0};
    struct buf pack;
    struct str params[] = {STR("p")};
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    for (const char *c = leads; *c; c++)
        list_pack_add(&pack, (struct str){c, 1}, params, 1);
    const struct list_part part = {
        .list = list, .end = end, .bad = end, .n = strlen(leads), .pack = buf_str(&pack)};
    OK(state_list_put(s, &part, &e));
    buf_free(&pack);
}

static void keep(struct state *s, const char *lead)
{
    struct err e = {0};
    struct buf pack;
    struct str params[] = {STR("p")};
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    list_pack_add(&pack, str_c(lead), params, 1);
    OK(state_list_keep(s, buf_str(&pack), 1, &e));
    buf_free(&pack);
}

static void end_run(struct state *s, bool published)
{
    struct err e = {0};
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, published, &e));
}

static void add_part(struct buf *out, const struct list_part *part)
{
    struct str rest = part->pack, id, param;
    buf_addf(out, "%s%zu%s", out->len ? " " : "", part->list,
             part->end == LIST_PART_GOES_ON    ? ":"
             : part->end == LIST_PART_COMPLETE ? ".:"
                                               : "?:");
    assert_int_equal(part->bad, part->end);
    while (rest.len) {
        assert_true(list_pack_take(&rest, 1, &id, &param));
        assert_str(param, "p");
        buf_add_str(out, id);
    }
}

static enum rc each_part(void *out, const struct list_part *part, struct err *e)
{
    (void)e;
    add_part(out, part);
    return RC_OK;
}

static void expect_list(struct state *s, enum state_listed which, const char *want)
{
    struct err e = {0};
    struct list_part part;
    struct buf got, pack;
    uint64_t at = 0;
    enum rc rc;
    buf_init(&got, 1 << 20);
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    while ((rc = state_list_take(s, which, &at, &part, &pack, &e)) == RC_OK)
        add_part(&got, &part);
    assert_int_equal(rc, RC_END);
    assert_string_equal(buf_cstr(&got), want);
    buf_clear(&got);
    if (which == STATE_LISTED) {
        OK(state_list_each(s, each_part, &got, &e));
        assert_string_equal(buf_cstr(&got), want);
    }
    buf_free(&got);
    buf_free(&pack);
}

static void expect_lists(struct state *s, const char *before, const char *now)
{
    expect_list(s, STATE_LISTED_BEFORE, before);
    expect_list(s, STATE_LISTED, now);
}

static void load(struct state *s)
{
    struct err e = {0};
    struct state_run run;
    OK(state_load(s, &run, &e));
}

/* ---- one run ---------------------------------------------------------------------------------- */

static void what_was_listed_is_there_after_a_crash(void **state)
{
    (void)state;
    struct err e = {0};
    struct state_list_cfg cfg;
    bool has_list = true;
    struct state *s = open_ok("s");
    list_begin(s, SOURCE_A);
    OK(state_has_list(s, &has_list, &e));
    assert_false(has_list);
    put(s, 0, LIST_PART_GOES_ON, "ab");
    put(s, 0, LIST_PART_INCOMPLETE, "");
    put(s, 1, LIST_PART_GOES_ON, "c");
    OK(wait_durable(s));
    put(s, 1, LIST_PART_COMPLETE, "lost");
    s = crash(s, "s");
    load(s);
    expect_lists(s, "", "0:ab 0?: 1:c");
    OK(state_has_list(s, &has_list, &e));
    assert_true(has_list);
    OK(state_list_load(s, &cfg, &e));
    assert_str(cfg.source, SOURCE_A);
    assert_true(cfg.n_params == 1 && cfg.n_lists == 2 && !cfg.has_since && cfg.has_until);
    assert_true(cfg.since_ms == 0 && cfg.until_ms == 5);
    put(s, 1, LIST_PART_COMPLETE, "de");
    state_close(s);
    s = open_ok("s");
    load(s);
    expect_lists(s, "", "0:ab 0?: 1:c 1.:de");
    state_close(s);
}

/* Nobody waits for it, and no checkpoint comes. */
static void it_becomes_durable_by_itself(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_GOES_ON, "ab");
    for (int i = 0; i < 2000; i++) { /* the commit shows in the size of its log */
        struct stat st;
        if (stat("s-wal", &st) == 0 && st.st_size > 0) {
            crash_into("s", "copy");
            struct state *copy = open_ok("copy");
            bool has_list = false;
            struct err e = {0};
            OK(state_has_list(copy, &has_list, &e));
            state_close(copy);
            if (has_list)
                break;
        }
        assert_in_range(i, 0, 1998);
        (void)usleep(5000);
    }
    state_close(s);
}

static void a_run_without_a_list(void **state)
{
    (void)state;
    struct err e = {0};
    struct state_list_cfg cfg;
    const struct list_part part = {.n = 0};
    struct state *s = open_ok("s");
    begin_run(s);
    FAILS(state_list_put(s, &part, &e), RC_INTERNAL, "no list");
    expect_lists(s, "", "");
    state_close(s);
    s = open_ok("s");
    load(s);
    FAILS(state_list_load(s, &cfg, &e), RC_IO, "which leads are listed");
    state_close(s);
}

/* ---- one run after the other ------------------------------------------------------------------ */

static void the_list_outlives_its_run(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "ab");
    put(s, 1, LIST_PART_COMPLETE, "c");
    end_run(s, true);
    expect_lists(s, "0.:ab 1.:c", "");
    list_begin(s, SOURCE_A);
    OK(wait_durable(s));
    crash_into("s", "crashed");
    expect_lists(s, "0.:ab 1.:c", "");
    put(s, 0, LIST_PART_COMPLETE, "a");
    put(s, 1, LIST_PART_COMPLETE, "c");
    keep(s, "b");
    expect_lists(s, "0.:ab 1.:c", "0.:a 1.:c"); /* what is kept was not listed */
    state_close(s);
    crash_into("crashed", "s"); /* nothing of that was durable */
    s = open_ok("s");
    load(s);
    expect_lists(s, "0.:ab 1.:c", "");
    put(s, 0, LIST_PART_COMPLETE, "a");
    put(s, 1, LIST_PART_COMPLETE, "c");
    keep(s, "b");
    end_run(s, true);
    expect_lists(s, "0.:a 1.:c 2:b", "");
    state_close(s);
    s = open_ok("s");
    expect_lists(s, "0.:a 1.:c 2:b", "");
    state_close(s);
}

static void what_was_before_stays(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "ab");
    end_run(s, true);
    /* where nothing is published, */
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "c");
    end_run(s, false);
    expect_lists(s, "0.:ab", "");
    /* where a run is forgotten, */
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "d");
    OK(state_forget(s, &e));
    expect_lists(s, "0.:ab", "");
    /* or another one begins in its place, */
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "e");
    list_begin(s, SOURCE_A);
    expect_lists(s, "0.:ab", "");
    end_run(s, false);
    /* and when a run has no list. */
    begin_run(s);
    end_run(s, true);
    expect_lists(s, "0.:ab", "");
    state_close(s);
}

static void of_another_source_nothing_is_known(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "ab");
    end_run(s, true);
    list_begin(s, SOURCE_B);
    put(s, 0, LIST_PART_COMPLETE, "c");
    expect_lists(s, "", "0.:c");
    end_run(s, true);
    expect_lists(s, "0.:c", "");
    state_close(s);
}

/* A run may find that there are none. */
static void an_empty_list(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    for (int i = 0; i < 3; i++) {
        list_begin(s, i == 1 ? SOURCE_B : SOURCE_A);
        end_run(s, true);
        s = crash(s, "s");
        expect_lists(s, "", "");
    }
    state_close(s);
}

/* Before a run begins, as it will be read when that has listed all. */
static void what_was_before_is_verified(void **state)
{
    (void)state;
    struct err e = {0};
    sqlite3 *db;
    struct state *s = open_ok("s");
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "ab");
    end_run(s, true);
    state_close(s);
    assert_int_equal(sqlite3_open("s", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE listed SET bad = 2", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    s = open_ok("s");
    FAILS(state_list_verify(s, &e), RC_USAGE, "s: is damaged: ");
    state_close(s);
}

/* ---- version 2 -------------------------------------------------------------------------------- */

static void version_2_gets_a_list(void **state)
{
    (void)state;
    struct err e = {0};
    sqlite3 *db;
    struct state_run run;
    const struct state_checkpoint c = {.progress.high = 7};
    struct state *s = open_ok("s");
    begin_run(s);
    OK(state_checkpoint(s, &c, &e));
    state_close(s);
    assert_int_equal(sqlite3_open("s", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE list; DROP TABLE listed; PRAGMA user_version = 2",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    s = open_ok("s");
    OK(state_load(s, &run, &e)); /* the run may go on: it has none */
    assert_int_equal(run.checkpoint.progress.high, 7);
    end_run(s, true);
    list_begin(s, SOURCE_A);
    put(s, 0, LIST_PART_COMPLETE, "ab");
    state_close(s);
    s = open_ok("s");
    load(s);
    expect_lists(s, "", "0.:ab");
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_was_listed_is_there_after_a_crash),
        IN_FOLDER(it_becomes_durable_by_itself),
        IN_FOLDER(a_run_without_a_list),
        IN_FOLDER(the_list_outlives_its_run),
        IN_FOLDER(what_was_before_stays),
        IN_FOLDER(of_another_source_nothing_is_known),
        IN_FOLDER(an_empty_list),
        IN_FOLDER(what_was_before_is_verified),
        IN_FOLDER(version_2_gets_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
