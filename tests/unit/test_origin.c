#include "core/http/origin.h"

#include "cmocka_all.h"
#include "core/http/backoff.h"

#define S INT64_C(1000000)

struct world {
    struct origin o;
    struct rng rng;
    struct origin_client c[64];
    int64_t now_us;
};

static void begin(struct world *w)
{
    *w = (struct world){.now_us = 1000 * S};
    rng_seed(&w->rng, 1);
    origin_init(&w->o, &w->rng);
}

/* A whole try of client `i`. */
static unsigned try_once(struct world *w, size_t i, enum try_end end, int64_t retry_after_us)
{
    origin_started(&w->o, &w->c[i]);
    return origin_ended(&w->o, &w->c[i], end, retry_after_us, w->now_us);
}

/* What a row of tries, one after the other, does: each letter is a client's try. Upper-case letters
 * name clients; what follows is the end: g good, b busy, w gateway, s silent, u unreached. */
static unsigned play(struct world *w, const char *script)
{
    unsigned change = 0;
    for (; *script; script += 2) {
        enum try_end end = script[1] == 'g'   ? TRY_GOOD
                           : script[1] == 'b' ? TRY_BUSY
                           : script[1] == 'w' ? TRY_GATEWAY
                           : script[1] == 's' ? TRY_SILENT
                                              : TRY_UNREACHED;
        change = try_once(w, (size_t)(script[0] - 'A'), end, 0);
        bool unanswered = end == TRY_SILENT || end == TRY_UNREACHED;
        if (unanswered && !(change & (ORIGIN_UNCOUNTED | ORIGIN_OWN_FAULT)))
            origin_counted(&w->o, &w->c[script[0] - 'A']);
        if (script[2] == ' ')
            script++;
    }
    return change;
}

/* A limit that the body of a good answer tells is as a 429: gate, rounds and trouble clock. */
static void a_limit_is_as_a_429(void **state)
{
    (void)state;
    struct world busy, limited;
    begin(&busy);
    begin(&limited);
    for (size_t i = 0; i < 8; i++) {
        unsigned change = try_once(&busy, i, TRY_BUSY, 0);
        (void)try_once(&limited, i, TRY_GOOD, 0);
        assert_int_equal(origin_limited(&limited.o, &limited.c[i], limited.now_us), change);
        assert_int_equal(limited.o.gate_us, busy.o.gate_us);
        assert_int_equal(limited.o.busy_rounds, i + 1);
        assert_int_equal(origin_trouble_us(&limited.o, limited.now_us),
                         origin_trouble_us(&busy.o, busy.now_us));
        busy.now_us += 60 * S;
        limited.now_us += 60 * S;
    }
    (void)try_once(&limited, 9, TRY_GOOD, 0);
    assert_int_equal(limited.o.busy_rounds, 0);
    assert_int_equal(origin_trouble_us(&limited.o, limited.now_us), 0);
}

static void goes_down(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        bool down;
    } cases[] = {
        {"As Bs", false},
        {"As Bs Cs", true},
        {"As As As", false},          /* one request only: its own trouble */
        {"As As As As As As", false}, /**/
        {"As As Bs", true},           /**/
        {"Au Au", false},             /**/
        {"Au Au Au", true},           /* no connection: never the request's fault */
        {"Au As Au", false},          /* ... but this one had a connection in between */
        {"As Bs Cg Ds Es", false},    /**/
        {"As Bs Cw Ds Es", false},    /* an answer is an answer */
        {"As Bs Cb Ds Es", false},    /**/
        {"Aw Bw Cw Dw Ew Fw Gw", false},
        {"Aw Bw Cw Dw Ew Fw Gw Hw", true},
        {"Aw Aw Aw Aw Aw Aw Aw Aw Aw Aw", false},
        {"Aw Bw Cs Dw Es Fw Gw Hs", true}, /* both kinds together */
        {"Aw Bw Cw Dw Eg Fw Gw Hw Iw Jw", false},
        /* others were served after its first failure: held against the request */
        {"As Bg As As As As", false},
        {"As Bs Cg As Bs As Bs As Bs", false},
        {"As Bs Cg Ds As Bs Es Fs", true}, /* D, E and F speak against the origin */
        {"Aw Bg Aw Aw Aw Aw Aw Aw Aw Aw Aw", false},
        {"As Bg Au Au Au", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        begin(&w);
        (void)play(&w, cases[i].script);
        if (origin_is_down(&w.o) != cases[i].down)
            fail_msg("\"%s\": %s, expected %s", cases[i].script,
                     origin_is_down(&w.o) ? "down" : "up", cases[i].down ? "down" : "up");
    }
}

static void comes_up(void **state)
{
    (void)state;
    static const struct {
        const char *end;
        bool down;
    } cases[] = {{"Dg", false}, {"Db", false}, {"Dw", true}, {"Ds", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        begin(&w);
        assert_true(play(&w, "As Bs Cs") & ORIGIN_WENT_DOWN);
        unsigned change = play(&w, cases[i].end);
        if (origin_is_down(&w.o) != cases[i].down || !(change & ORIGIN_CAME_UP) != cases[i].down)
            fail_msg("after %s: %s, change %u", cases[i].end, origin_is_down(&w.o) ? "down" : "up",
                     change);
    }
}

/* An answer that was on its way while the server went away. */
static void a_late_answer(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    origin_started(&w.o, &w.c[9]);
    assert_true(play(&w, "Au Bu Cu") & ORIGIN_WENT_DOWN);
    assert_int_equal(origin_ended(&w.o, &w.c[9], TRY_GOOD, 0, w.now_us), 0);
    assert_true(origin_is_down(&w.o));
    assert_int_equal(origin_trouble_us(&w.o, w.now_us + S), 0); /* but a success it is */
    assert_true(play(&w, "Dg") & ORIGIN_CAME_UP);
}

static void probes_one_at_a_time(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    (void)play(&w, "Au Bu Cu");
    int64_t longest_us = 0;
    for (int n = 0; n < 40; n++) {
        int64_t due_us = origin_due_us(&w.o);
        if (due_us - w.now_us > longest_us)
            longest_us = due_us - w.now_us;
        w.now_us = due_us > w.now_us ? due_us : w.now_us;
        origin_started(&w.o, &w.c[n]);
        assert_true(origin_due_us(&w.o) == INT64_MAX);
        (void)origin_ended(&w.o, &w.c[n], TRY_UNREACHED, 0, w.now_us);
    }
    assert_in_range(longest_us, 4 * S, ORIGIN_PROBE_MAX_US);
    /* by itself: the next probe need not wait */
    origin_started(&w.o, &w.c[0]);
    (void)origin_ended(&w.o, &w.c[0], TRY_ABORTED, 0, w.now_us);
    assert_true(origin_due_us(&w.o) < INT64_MAX);
}

static void what_counts(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (size_t i = 0; i < 6; i++)
        origin_started(&w.o, &w.c[i]);
    assert_false(origin_ended(&w.o, &w.c[0], TRY_SILENT, 0, w.now_us) & ORIGIN_UNCOUNTED);
    assert_false(origin_ended(&w.o, &w.c[1], TRY_SILENT, 0, w.now_us) & ORIGIN_UNCOUNTED);
    /* with this one it is down, and those in flight with it do not count */
    assert_true(origin_ended(&w.o, &w.c[2], TRY_SILENT, 0, w.now_us) & ORIGIN_UNCOUNTED);
    assert_true(origin_ended(&w.o, &w.c[3], TRY_SILENT, 0, w.now_us) & ORIGIN_UNCOUNTED);
    assert_false(origin_ended(&w.o, &w.c[4], TRY_GATEWAY, 0, w.now_us) & ORIGIN_UNCOUNTED);
    assert_true(try_once(&w, 6, TRY_UNREACHED, 0) & ORIGIN_UNCOUNTED);
    assert_true(try_once(&w, 7, TRY_GOOD, 0) & ORIGIN_CAME_UP);
    /* was under way all the time it was down */
    assert_true(origin_ended(&w.o, &w.c[5], TRY_SILENT, 0, w.now_us) & ORIGIN_UNCOUNTED);
    assert_false(try_once(&w, 5, TRY_SILENT, 0) & ORIGIN_UNCOUNTED);
}

/* The tries by which it goes down do not count either, whichever request's they are. */
static void what_is_pardoned(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        unsigned a, b, c; /* expected */
    } rows[] = {
        {"As Bs Cs", 1, 1, 0}, /* the last one was not counted */
        {"As As Bs", 2, 0, 0},          {"Au Au Au", 2, 0, 0},
        {"As Bg Cs Bs Ds", 0, 1, 1},    /* a good answer between: the first one was ordinary */
        {"Aw Bs As Cs", 1, 1, 0},       /* a gateway's answer counts */
        {"As Bg As Cs Ds Es", 0, 0, 1}, /* was passed by */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        begin(&w);
        unsigned change = play(&w, rows[i].script);
        unsigned a = origin_pardoned(&w.o, &w.c[0]), b = origin_pardoned(&w.o, &w.c[1]),
                 c = origin_pardoned(&w.o, &w.c[2]);
        if (!(change & ORIGIN_WENT_DOWN) || a != rows[i].a || b != rows[i].b || c != rows[i].c)
            fail_msg("%s: %s, pardoned %u, %u, %u", rows[i].script,
                     change & ORIGIN_WENT_DOWN ? "down" : "not down", a, b, c);
        assert_int_equal(origin_pardoned(&w.o, &w.c[0]), 0); /* once */
    }
}

static void gate(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    assert_true(origin_due_us(&w.o) <= w.now_us);
    assert_true(try_once(&w, 0, TRY_BUSY, 10 * S) & ORIGIN_GATE_CLOSED);
    assert_int_equal(origin_due_us(&w.o), w.now_us + 10 * S);
    assert_false(try_once(&w, 1, TRY_BUSY, 4 * S) & ORIGIN_GATE_CLOSED); /* never shorter */
    assert_int_equal(origin_due_us(&w.o), w.now_us + 10 * S);
    assert_true(try_once(&w, 2, TRY_HELD, 20 * S) & ORIGIN_GATE_CLOSED);
    assert_int_equal(origin_gate_us(&w.o, w.now_us), 20 * S);
    assert_int_equal(origin_gate_us(&w.o, w.now_us + 30 * S), 0);
    assert_false(origin_is_down(&w.o));
}

static void rounds_of_429(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (unsigned round = 1; round <= 12; round++) {
        for (size_t i = 0; i < 8; i++)
            origin_started(&w.o, &w.c[i]);
        for (size_t i = 0; i < 8; i++)
            (void)origin_ended(&w.o, &w.c[i], TRY_BUSY, 0, w.now_us);
        assert_int_equal(w.o.busy_rounds, round);
        assert_in_range(origin_gate_us(&w.o, w.now_us), 0,
                        backoff_ceiling_us(round, BACKOFF_MAX_US));
        w.now_us += 60 * S;
    }
    (void)play(&w, "Ag");
    assert_int_equal(w.o.busy_rounds, 0);
}

/* Sixteen at a time where ten are admitted: the refusals come first, the good answers after them. */
static void rounds_refused_in_part(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 16; i++)
            origin_started(&w.o, &w.c[i]);
        for (size_t i = 10; i < 16; i++)
            (void)origin_ended(&w.o, &w.c[i], TRY_BUSY, 0, w.now_us);
        for (size_t i = 0; i < 10; i++)
            (void)origin_ended(&w.o, &w.c[i], TRY_GOOD, 0, w.now_us);
        assert_int_equal(w.o.busy_rounds, 1);
        w.now_us += 60 * S;
    }
}

static void trouble_clock(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        bool runs;
    } cases[] = {
        {"Ag", false},
        {"As", true},
        {"Aw", true},
        {"Ab", true},
        {"As Bg", false},
        {"As Bg As", false}, /* its own fault */
        {"Aw Bg Aw Aw Aw", false},
        {"As Bg As Cs", true},
        {"As Bg Au", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        begin(&w);
        (void)play(&w, cases[i].script);
        int64_t us = origin_trouble_us(&w.o, w.now_us + 7 * S);
        if (us != (cases[i].runs ? 7 * S : 0))
            fail_msg("\"%s\": %lld us, expected it to %s", cases[i].script, (long long)us,
                     cases[i].runs ? "run" : "stand still");
        origin_idle(&w.o);
        assert_int_equal(origin_trouble_us(&w.o, w.now_us + 7 * S), 0);
    }
}

static void held_clock(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    assert_int_equal(origin_held_us(&w.o, w.now_us), 0);
    (void)try_once(&w, 0, TRY_BUSY, 10 * S); /* held from 0 to 10 */
    assert_int_equal(origin_held_us(&w.o, w.now_us + 4 * S), 4 * S);
    assert_int_equal(origin_held_us(&w.o, w.now_us + 40 * S), 10 * S);
    w.now_us += 5 * S;
    (void)try_once(&w, 0, TRY_BUSY, 10 * S); /* extended to 15 */
    assert_int_equal(origin_held_us(&w.o, w.now_us + 40 * S), 15 * S);
    w.now_us += 15 * S;
    (void)play(&w, "Au Bu Cu"); /* down at 20, */
    w.now_us += 30 * S;
    assert_int_equal(origin_held_us(&w.o, w.now_us), 45 * S);
    (void)play(&w, "Ag"); /* up at 50 */
    assert_int_equal(origin_held_us(&w.o, w.now_us + 9 * S), 45 * S);
    (void)try_once(&w, 0, TRY_BUSY, 2 * S);
    assert_int_equal(origin_held_us(&w.o, w.now_us + 9 * S), 47 * S);
}

static void backoff(void **state)
{
    (void)state;
    static const int64_t ceilings_ms[] = {250, 250, 500, 1000, 2000, 4000, 8000, 16000, 30000};
    struct rng rng;
    rng_seed(&rng, 7);
    for (unsigned n = 0; n < 40; n++) {
        int64_t expected_us = (n < 9 ? ceilings_ms[n] : 30000) * 1000;
        assert_int_equal(backoff_ceiling_us(n, BACKOFF_MAX_US), expected_us);
        int64_t sum_us = 0;
        for (int i = 0; i < 1000; i++) {
            int64_t us = backoff_us(&rng, n);
            assert_in_range(us, 0, expected_us);
            sum_us += us;
        }
        assert_in_range(sum_us / 1000, expected_us * 45 / 100, expected_us * 55 / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_is_as_a_429),
        cmocka_unit_test(goes_down),
        cmocka_unit_test(comes_up),
        cmocka_unit_test(a_late_answer),
        cmocka_unit_test(probes_one_at_a_time),
        cmocka_unit_test(what_counts),
        cmocka_unit_test(what_is_pardoned),
        cmocka_unit_test(gate),
        cmocka_unit_test(rounds_of_429),
        cmocka_unit_test(rounds_refused_in_part),
        cmocka_unit_test(trouble_clock),
        cmocka_unit_test(held_clock),
        cmocka_unit_test(backoff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
