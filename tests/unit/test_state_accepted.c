#include "state_world.h"

static bool keys_are_alike; /* in their first bytes */

/* A key and a fingerprint, each of one number. */
static struct state_content content(unsigned key, unsigned fingerprint,
                                    enum state_acceptance acceptance)
{
    struct state_content c = {.acceptance = acceptance};
    if (keys_are_alike)
        memset(c.key, 0xfe, sizeof c.key);
    for (int i = 0; i < 4; i++) {
        c.key[keys_are_alike ? 15 - i : i] = (unsigned char)(key * UINT32_C(2654435761) >> 8 * i);
        c.fingerprint[i] = (unsigned char)(fingerprint >> 8 * i);
    }
    return c;
}

static void note(struct state *s, unsigned key, unsigned fingerprint,
                 enum state_acceptance acceptance)
{
    struct err e = {0};
    const struct state_content c = content(key, fingerprint, acceptance);
    OK(state_note_accepted(s, &c, 1, &e));
}

static bool is_accepted(struct state *s, unsigned key, unsigned fingerprint)
{
    struct err e = {0};
    const struct state_content c = content(key, fingerprint, STATE_NOT_ACCEPTED);
    bool out = false;
    OK(state_is_accepted(s, &c, 1, &out, &e));
    return out;
}

static void accept_by(struct state *s, const char *a, const char *b)
{
    struct err e = {0};
    const struct str sinks[] = {str_c(a), str_c(b)};
    OK(state_accept_by(s, sinks, b ? 2 : 1, &(enum state_hash){STATE_HASH_SHA256}, &e));
}

static bool has_accepted(struct state *s)
{
    struct err e = {0};
    bool any = false;
    OK(state_has_accepted(s, &any, &e));
    return any;
}

static void finish_run(struct state *s, bool published)
{
    struct err e = {0};
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, published, &e));
}

static void publish_and_finish(struct state *s)
{
    finish_run(s, true);
}

static void holds_from_the_end_of_the_run(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, STATE_ACCEPTED);
    note(s, 2, 20, STATE_ACCEPTED);
    assert_false(is_accepted(s, 1, 10));
    assert_false(has_accepted(s));
    publish_and_finish(s);
    assert_true(has_accepted(s));
    s = crash(s, "s");
    assert_true(is_accepted(s, 1, 10));
    assert_false(is_accepted(s, 1, 11));
    assert_true(is_accepted(s, 2, 20));
    assert_false(is_accepted(s, 3, 30));
    state_close(s);
}

/* What a state begins with stays, as long as something that was accepted counts. */
static void by_which_hash(void **state)
{
    (void)state;
    static const char earlier_mark[] = "fingerprints: XXH3, 128 bits";
    static const struct {
        const char *sinks[2];
        enum state_hash wanted, want;
        bool still_accepted;
    } runs[] = {
        {{"a", "b"}, STATE_HASH_XXH3, STATE_HASH_XXH3, false},
        {{"a", "b"}, STATE_HASH_SHA256, STATE_HASH_XXH3, true},
        {{"b", NULL},
         STATE_HASH_SHA256,
         STATE_HASH_XXH3,
         true}, /* "a" is forgotten, the hash is not */
        {{"b", NULL}, STATE_HASH_XXH3, STATE_HASH_XXH3, true},
        {{"a", "b"}, STATE_HASH_SHA256, STATE_HASH_SHA256, false},
        {{"a", "b"}, STATE_HASH_XXH3, STATE_HASH_SHA256, true},
        {{"a", NULL}, STATE_HASH_XXH3, STATE_HASH_SHA256, true},
        {{"c", NULL}, STATE_HASH_XXH3, STATE_HASH_XXH3, false},
        /* as earlier versions marked their hash: nothing can be compared */
        {{"a", earlier_mark}, STATE_HASH_SHA256, STATE_HASH_SHA256, false},
        {{"a", NULL}, STATE_HASH_XXH3, STATE_HASH_XXH3, false},
        {{"a", NULL}, STATE_HASH_SHA256, STATE_HASH_XXH3, true},
        {{"b", earlier_mark}, STATE_HASH_SHA256, STATE_HASH_SHA256, false},
        {{"b", NULL}, STATE_HASH_SHA256, STATE_HASH_SHA256, false},
        {{"b", NULL}, STATE_HASH_XXH3, STATE_HASH_SHA256, true},
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct state *s = open_ok("s");
        const struct str sinks[] = {str_c(runs[i].sinks[0]), str_c(runs[i].sinks[1])};
        enum state_hash hash = runs[i].wanted;
        struct err e = {0};
        begin_run(s);
        OK(state_accept_by(s, sinks, sinks[1].ptr ? 2 : 1, &hash, &e));
        if (hash != runs[i].want || is_accepted(s, 1, 10) != runs[i].still_accepted)
            fail_msg("%zu: hash %d, accepted %d; wanted %d, %d", i, hash, is_accepted(s, 1, 10),
                     runs[i].want, runs[i].still_accepted);
        note(s, 1, 10, STATE_ACCEPTED);
        publish_and_finish(s);
        state_close(s);
    }
}

/* By runs: what each notes, and what holds after it. */
static void the_last_one_holds(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, STATE_ACCEPTED);
    note(s, 1, 11, STATE_ACCEPTED);
    note(s, 2, 20, STATE_ACCEPTED);
    note(s, 2, 20, STATE_NOT_ACCEPTED);
    note(s, 3, 30, STATE_NOT_ACCEPTED);
    note(s, 3, 30, STATE_ACCEPTED);
    note(s, 4, 40, STATE_ACCEPTED);
    publish_and_finish(s);
    assert_false(is_accepted(s, 1, 10));
    assert_true(is_accepted(s, 1, 11));
    assert_false(is_accepted(s, 2, 20));
    assert_true(is_accepted(s, 3, 30));
    assert_true(is_accepted(s, 4, 40));
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 12, STATE_ACCEPTED);
    note(s, 3, 30, STATE_NOT_ACCEPTED);
    note(s, 5, 50, STATE_ACCEPTED);
    assert_true(is_accepted(s, 1, 11)); /* of earlier runs only */
    assert_true(is_accepted(s, 3, 30));
    publish_and_finish(s);
    assert_false(is_accepted(s, 1, 11));
    assert_true(is_accepted(s, 1, 12));
    assert_false(is_accepted(s, 3, 30));
    assert_true(is_accepted(s, 4, 40));
    assert_true(is_accepted(s, 5, 50));
    state_close(s);
}

/* A run that withholds its outputs: what it would have published is not accepted, and what an
 * earlier run published with the same content still is. */
static void withheld(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    for (unsigned char lead = 1; lead <= 4; lead++)
        note(s, lead, (unsigned char)(10 * lead), STATE_ACCEPTED);
    publish_and_finish(s);
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, STATE_ACCEPTED);     /* as before */
    note(s, 2, 21, STATE_ACCEPTED);     /* changed */
    note(s, 3, 30, STATE_NOT_ACCEPTED); /* refused */
    note(s, 5, 50, STATE_ACCEPTED);     /* new */
    finish_run(s, false);
    s = crash(s, "s");
    assert_true(is_accepted(s, 1, 10));
    assert_false(is_accepted(s, 2, 21));
    assert_false(is_accepted(s, 2, 20)); /* a receiver may have 21 */
    assert_false(is_accepted(s, 3, 30));
    assert_true(is_accepted(s, 4, 40));
    assert_false(is_accepted(s, 5, 50));
    assert_int_equal(state_phase(s), STATE_FINISHED);
    state_close(s);
}

/* Sinks that a state knows, sinks of the next run, and does what was accepted still count? */
static void other_sinks(void **state)
{
    (void)state;
    static const struct {
        const char *before[2], *then[2];
        bool counts;
    } rows[] = {
        {{"a", NULL}, {"a", NULL}, true}, {{"a", "b"}, {"a", "b"}, true},
        {{"a", "b"}, {"b", "a"}, true},   {{"a", "b"}, {"a", NULL}, true},
        {{"a", "b"}, {"b", NULL}, true},  {{"a", NULL}, {"a", "b"}, false},
        {{"a", NULL}, {"b", "a"}, false}, {{"a", NULL}, {"b", NULL}, false},
        {{"a", "b"}, {"a", "c"}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[8];
        (void)snprintf(path, sizeof path, "s%zu", i);
        struct state *s = open_ok(path);
        begin_run(s);
        accept_by(s, rows[i].before[0], rows[i].before[1]);
        note(s, 1, 10, STATE_ACCEPTED);
        publish_and_finish(s);
        accept_by(s, rows[i].then[0], rows[i].then[1]);
        s = crash(s, path);
        assert_true(is_accepted(s, 1, 10) == rows[i].counts);
        assert_true(has_accepted(s) == rows[i].counts);
        begin_run(s);
        note(s, 2, 20, STATE_ACCEPTED);
        publish_and_finish(s);
        accept_by(s, rows[i].then[0], rows[i].then[1]);
        assert_true(is_accepted(s, 2, 20)); /* the state has the new ones */
        state_close(s);
    }
}

/* A sink that was left out for one run has missed what happened in it. */
static void a_sink_that_comes_back(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", "b");
    note(s, 1, 10, STATE_ACCEPTED);
    publish_and_finish(s);
    accept_by(s, "a", NULL);
    assert_true(is_accepted(s, 1, 10));
    accept_by(s, "a", "b");
    assert_false(is_accepted(s, 1, 10));
    state_close(s);
}

/* What was noted before other sinks came is not theirs. */
static void other_sinks_within_a_run(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, STATE_ACCEPTED);
    accept_by(s, "b", NULL);
    note(s, 2, 20, STATE_ACCEPTED);
    publish_and_finish(s);
    assert_false(is_accepted(s, 1, 10));
    assert_true(is_accepted(s, 2, 20));
    state_close(s);
}

static void a_run_that_is_forgotten(void **state)
{
    (void)state;
    struct err e = {0};
    for (int published = 0; published < 2; published++) {
        remove_state("s");
        struct state *s = open_ok("s");
        begin_run(s);
        accept_by(s, "a", NULL);
        note(s, 1, 10, STATE_ACCEPTED);
        note(s, 2, 20, STATE_ACCEPTED);
        publish_and_finish(s);
        begin_run(s);
        note(s, 1, 11, STATE_ACCEPTED);
        note(s, 3, 30, STATE_ACCEPTED);
        if (published)
            OK(state_publish(s, NULL, 0, STR("record"), &e));
        OK(state_forget(s, &e));
        s = crash(s, "s");
        assert_int_equal(state_phase(s), STATE_EMPTY);
        assert_false(is_accepted(s, 1, 10)); /* the sink may have 11 now */
        assert_false(is_accepted(s, 1, 11));
        assert_true(is_accepted(s, 2, 20));
        assert_false(is_accepted(s, 3, 30));
        begin_run(s);
        publish_and_finish(s);
        assert_false(is_accepted(s, 1, 11)); /* nor does it come later */
        state_close(s);
    }
}

/* As by state_forget(), where a run begins without it. */
static void a_run_that_is_replaced(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, STATE_ACCEPTED);
    publish_and_finish(s);
    begin_run(s);
    note(s, 1, 11, STATE_ACCEPTED);
    begin_run(s);
    assert_false(is_accepted(s, 1, 10));
    publish_and_finish(s);
    assert_false(is_accepted(s, 1, 11));
    state_close(s);
}

static void notes_survive_with_the_checkpoint(void **state)
{
    (void)state;
    struct err e = {0};
    const struct state_checkpoint c = {.progress.high = 1};
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, STATE_ACCEPTED);
    OK(state_checkpoint(s, &c, &e));
    note(s, 2, 20, STATE_ACCEPTED);
    s = crash(s, "s");
    publish_and_finish(s);
    assert_true(is_accepted(s, 1, 10));
    assert_false(is_accepted(s, 2, 20));
    state_close(s);
}

/* A lead for which nothing was sent, such as a missing one, in a run that was resumed: what holds is
 * what earlier runs left, unless this run had sent something. */
static void as_before(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    for (int published = 1; published >= 0; published--) {
        begin_run(s);
        accept_by(s, "a", NULL);
        for (unsigned lead = 1; lead <= 4; lead++)
            note(s, lead, 10 * lead, STATE_ACCEPTED);
        publish_and_finish(s);
        begin_run(s);
        accept_by(s, "a", NULL);
        note(s, 1, 0, STATE_AS_BEFORE);
        note(s, 2, 21, STATE_ACCEPTED);
        note(s, 2, 0, STATE_AS_BEFORE);
        note(s, 3, 0, STATE_AS_BEFORE);
        note(s, 3, 31, STATE_ACCEPTED);
        note(s, 4, 0, STATE_NOT_ACCEPTED);
        note(s, 4, 0, STATE_AS_BEFORE);
        note(s, 5, 0, STATE_AS_BEFORE);
        finish_run(s, published);
        s = crash(s, "s");
        assert_true(is_accepted(s, 1, 10));
        assert_false(is_accepted(s, 2, 20)); /* a receiver may have 21, */
        assert_false(is_accepted(s, 2, 21)); /* and the file has not */
        assert_true(is_accepted(s, 3, 31) == published);
        assert_false(is_accepted(s, 4, 40));
        assert_false(is_accepted(s, 5, 0));
    }
    state_close(s);
}

/* ---- many ----------------------------------------------------------------------------------- */

#define MANY 450000u /* more notes than are sorted at once */

/* The rule for what run `run` notes of a key: 0 nothing, 1 accepted, 2 forgotten, 3 as before,
 * 4 accepted and later as before. */
static int rule(unsigned run, unsigned key)
{
    if (run == 0)
        return key % 3 != 0;
    return key % 7 < 5 ? (int)(key % 7) : 0;
}

static void note_many(struct state *s, unsigned run)
{
    static const enum state_acceptance of_rule[] = {0, STATE_ACCEPTED, STATE_NOT_ACCEPTED,
                                                    STATE_AS_BEFORE, STATE_ACCEPTED};
    struct err e = {0};
    struct state_content batch[64];
    size_t n = 0;
    for (unsigned key = 0; key < MANY; key++) {
        if (rule(run, key) != 0)
            batch[n++] = content(key, key + run, of_rule[rule(run, key)]);
        if (n == 64 || key == MANY - 1) {
            OK(state_note_accepted(s, batch, n, &e));
            n = 0;
        }
    }
    for (unsigned key = 0; key < MANY; key++)
        if (rule(run, key) == 4)
            note(s, key, 0, STATE_AS_BEFORE);
}

static bool should_be(unsigned key, unsigned fingerprint)
{
    int last = rule(1, key);
    return last == 1                ? fingerprint == key + 1
           : last == 2 || last == 4 ? false
                                    : rule(0, key) && fingerprint == key;
}

static void many(void **state)
{
    (void)state;
    struct err e = {0};
    struct state *s = open_ok("s");
    accept_by(s, "a", NULL);
    for (unsigned run = 0; run < 2; run++) {
        begin_run(s);
        note_many(s, run);
        publish_and_finish(s);
    }
    s = crash(s, "s");
    for (unsigned key = 0; key < MANY; key += 250) {
        struct state_content batch[100];
        bool accepted[100];
        for (unsigned i = 0; i < 100; i++)
            batch[i] = content(key + i / 2, key + i / 2 + i % 2, STATE_ACCEPTED);
        OK(state_is_accepted(s, batch, 100, accepted, &e));
        for (unsigned i = 0; i < 100; i++)
            assert_true(accepted[i] == should_be(key + i / 2, key + i / 2 + i % 2));
    }
    state_close(s);
}

/* Digests are not; but whoever makes IDs may try. */
static void many_that_are_alike(void **state)
{
    keys_are_alike = true;
    many(state);
    keys_are_alike = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(holds_from_the_end_of_the_run),
        IN_FOLDER(by_which_hash),
        IN_FOLDER(the_last_one_holds),
        IN_FOLDER(withheld),
        IN_FOLDER(as_before),
        IN_FOLDER(other_sinks),
        IN_FOLDER(a_sink_that_comes_back),
        IN_FOLDER(other_sinks_within_a_run),
        IN_FOLDER(a_run_that_is_forgotten),
        IN_FOLDER(a_run_that_is_replaced),
        IN_FOLDER(notes_survive_with_the_checkpoint),
        IN_FOLDER(many),
        IN_FOLDER(many_that_are_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
