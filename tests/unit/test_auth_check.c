#include "core/run/auth_check.h"

#include <stdio.h>

#include "cmocka_all.h"

#define ANSWERS_MAX 5
#define UNANSWERED (AUTH_REDIRECTED + 1)
#define KINDS (UNANSWERED + 1)

static const char letters[KINDS] = {'o', 'r', '>', '-'};

/* How requests ended, one after the other: which one, and how. */
struct ends {
    size_t n;
    unsigned ordinal[ANSWERS_MAX], kind[ANSWERS_MAX];
    char text[ANSWERS_MAX * 4 + 1];
};

static bool turn_away(unsigned kind)
{
    return kind == AUTH_REFUSED || kind == AUTH_REDIRECTED;
}

static size_t count_kind(const struct ends *e, size_t n, unsigned kind)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += e->kind[i] == kind;
    return found;
}

/* What the header says, in so many words: of the first `n` ends, with `n_waiting` that wait. */
static enum auth_verdict expected(const struct ends *e, size_t n, size_t n_waiting)
{
    if (count_kind(e, n, AUTH_OTHER))
        return AUTH_THEIRS;
    size_t counting = AUTH_LEADS + count_kind(e, n, UNANSWERED), turned_away = 0;
    for (size_t i = 0; i < n; i++)
        turned_away += turn_away(e->kind[i]) && e->ordinal[i] < counting;
    return n_waiting && turned_away >= AUTH_LEADS ? AUTH_FATAL : AUTH_WAIT;
}

/* Are the first AUTH_LEADS requests that can get an answer known, and were all turned away? Only ends of
 * lower requests count, however many there are above. */
static bool is_certain(const struct ends *e, size_t n)
{
    size_t turned_away = 0;
    for (unsigned ordinal = 0; turned_away < AUTH_LEADS; ordinal++) {
        size_t i = 0;
        while (i < n && e->ordinal[i] != ordinal)
            i++;
        if (i == n || e->kind[i] == AUTH_OTHER)
            return false;
        turned_away += e->kind[i] != UNANSWERED;
    }
    return true;
}

static enum auth_verdict expected_end(const struct ends *e, size_t n_waiting)
{
    bool all_refused = e->n < AUTH_LEADS && count_kind(e, e->n, AUTH_REFUSED) == e->n;
    return n_waiting && all_refused ? AUTH_FATAL : AUTH_THEIRS;
}

/* Those that wait, in the order in which they came. */
struct waiting {
    struct auth_wait *items[ANSWERS_MAX];
    size_t n;
};

static void take_all(struct auth_check *c, struct waiting *w, const struct ends *e)
{
    while (w->n) {
        const struct auth_wait *got = auth_take(c), *want = w->items[--w->n];
        if (got != want || c->n_waiting != w->n)
            fail_msg("%s: took %p, wanted %p; %llu wait, wanted %zu", e->text, (const void *)got,
                     (const void *)want, (unsigned long long)c->n_waiting, w->n);
    }
    assert_null(auth_take(c));
}

static void expect_verdict(const struct ends *e, size_t n, enum auth_verdict got,
                           enum auth_verdict want)
{
    if (got != want)
        fail_msg("%s: after %zu: verdict %d, wanted %d", e->text, n, (int)got, (int)want);
}

static enum auth_verdict end_one(struct auth_check *c, const struct ends *e, size_t i,
                                 struct auth_wait *w)
{
    *w = (struct auth_wait){.owner = w, .ordinal = e->ordinal[i]};
    return e->kind[i] == UNANSWERED ? auth_unanswered(c)
                                    : auth_answered(c, (enum auth_answer)e->kind[i], w);
}

static void check_sequence(const struct ends *e)
{
    struct auth_check c = {0};
    struct auth_wait all[ANSWERS_MAX];
    struct waiting waiting = {.n = 0};
    for (size_t i = 0; i < e->n; i++) {
        bool waits = turn_away(e->kind[i]) && !count_kind(e, i, AUTH_OTHER);
        if (waits)
            waiting.items[waiting.n++] = &all[i];
        enum auth_verdict want = expected(e, i + 1, waiting.n);
        enum auth_verdict got = end_one(&c, e, i, &all[i]);
        expect_verdict(e, i + 1, got, want);
        if (waits && c.waiting)
            assert_int_equal(c.waiting->answer, e->kind[i]); /* the newest says which it was */
        if (waiting.n && is_certain(e, i + 1))
            expect_verdict(e, i + 1, got, AUTH_FATAL);
        if (got != AUTH_WAIT)
            take_all(&c, &waiting, e);
    }
    expect_verdict(e, e->n, auth_ended(&c, e->n), expected_end(e, waiting.n));
    take_all(&c, &waiting, e);
}

static void each_kinds(struct ends *e)
{
    size_t codes = 1;
    for (size_t i = 0; i < e->n; i++)
        codes *= KINDS;
    for (size_t code = 0; code < codes; code++) {
        size_t rest = code;
        char *at = e->text;
        for (size_t i = 0; i < e->n; i++, rest /= KINDS) {
            e->kind[i] = (unsigned)(rest % KINDS);
            at += sprintf(at, "%u%c ", e->ordinal[i], letters[e->kind[i]]);
        }
        check_sequence(e);
    }
}

/* All orders of the ordinals from number `at` on. */
static void each_order(struct ends *e, size_t at)
{
    if (at >= ANSWERS_MAX || at == e->n) {
        each_kinds(e);
        return;
    }
    for (size_t i = at; i < e->n; i++) {
        unsigned ordinal = e->ordinal[i];
        e->ordinal[i] = e->ordinal[at];
        e->ordinal[at] = ordinal;
        each_order(e, at + 1);
        e->ordinal[at] = e->ordinal[i];
        e->ordinal[i] = ordinal;
    }
}

static void every_sequence_in_every_order(void **state)
{
    (void)state;
    for (size_t n = 0; n <= ANSWERS_MAX; n++) {
        struct ends e = {.n = n};
        for (size_t i = 0; i < n; i++)
            e.ordinal[i] = (unsigned)i;
        each_order(&e, 0);
    }
}

/* By hand, so that the model is not the only one to say so: requests end in their own order. */
static void known_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *ends; /* "o", "r", ">" and "-" as above */
        enum auth_verdict last, ended;
    } cases[] = {
        {"", AUTH_WAIT, AUTH_THEIRS},       {"r", AUTH_WAIT, AUTH_FATAL},
        {"rr", AUTH_WAIT, AUTH_FATAL},      {"rrr", AUTH_FATAL, AUTH_THEIRS},
        {">", AUTH_WAIT, AUTH_THEIRS},      {"r>", AUTH_WAIT, AUTH_THEIRS},
        {">>>", AUTH_FATAL, AUTH_THEIRS},   {"r>r", AUTH_FATAL, AUTH_THEIRS},
        {"o", AUTH_THEIRS, AUTH_THEIRS},    {"rro", AUTH_THEIRS, AUTH_THEIRS},
        {"orrr", AUTH_THEIRS, AUTH_THEIRS}, {"-", AUTH_WAIT, AUTH_THEIRS},
        {"r-", AUTH_WAIT, AUTH_THEIRS},     {"rr-", AUTH_WAIT, AUTH_THEIRS},
        {"rr-r", AUTH_FATAL, AUTH_THEIRS},  {"---rr", AUTH_WAIT, AUTH_THEIRS},
        {"--rrr", AUTH_FATAL, AUTH_THEIRS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct auth_check c = {0};
        struct auth_wait all[ANSWERS_MAX];
        enum auth_verdict last = AUTH_WAIT;
        size_t n = 0;
        for (; cases[i].ends[n]; n++) {
            struct ends e = {.n = n};
            e.ordinal[n] = (unsigned)n;
            while (letters[e.kind[n]] != cases[i].ends[n])
                e.kind[n]++;
            last = end_one(&c, &e, n, &all[n]);
        }
        while (last != AUTH_WAIT && auth_take(&c))
            continue;
        enum auth_verdict ended = auth_ended(&c, n);
        if (last != cases[i].last || ended != cases[i].ended)
            fail_msg("\"%s\": last %d, ended %d; wanted %d, %d", cases[i].ends, (int)last,
                     (int)ended, (int)cases[i].last, (int)cases[i].ended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_in_every_order),
        cmocka_unit_test(known_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
