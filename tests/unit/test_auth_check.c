#include "core/http/auth_check.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define ENDS_MAX 5
#define KINDS (AUTH_NO_RESPONSE + 1)

static const char letters[KINDS] = {'o', 'r', '>', '-'};

/* How requests ended, one after the other: which one, and how. */
struct ends {
    size_t n;
    unsigned ordinal[ENDS_MAX], kind[ENDS_MAX];
    char text[ENDS_MAX * 4 + 1];
};

static bool is_turned_away(unsigned kind)
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

/* Of the first `n` ends: how many below that ordinal were turned away? */
static size_t turned_away_below(const struct ends *e, size_t n, size_t ordinal)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += is_turned_away(e->kind[i]) && e->ordinal[i] < ordinal;
    return found;
}

/* What the header says, in so many words: of the first `n` ends. */
static enum auth_verdict expected(const struct ends *e, size_t n)
{
    if (count_kind(e, n, AUTH_OTHER))
        return AUTH_THEIRS;
    size_t among_first = AUTH_FIRST;
    for (size_t i = 0; i < n; i++)
        among_first +=
            e->kind[i] == AUTH_NO_RESPONSE && turned_away_below(e, i, e->ordinal[i]) < AUTH_FIRST;
    return turned_away_below(e, n, among_first) >= AUTH_FIRST ? AUTH_FATAL : AUTH_WAIT;
}

/* Are the first AUTH_FIRST requests that can get a response known, and were all turned away? Only ends of
 * lower requests count, however many there are above. */
static bool is_certain(const struct ends *e, size_t n)
{
    size_t turned_away = 0;
    for (unsigned ordinal = 0; turned_away < AUTH_FIRST; ordinal++) {
        size_t i = 0;
        while (i < n && e->ordinal[i] != ordinal)
            i++;
        if (i == n || e->kind[i] == AUTH_OTHER)
            return false;
        turned_away += e->kind[i] != AUTH_NO_RESPONSE;
    }
    return count_kind(e, n, AUTH_OTHER) == 0;
}

static enum auth_verdict expected_of_all(const struct ends *e)
{
    bool are_few = e->n > 0 && e->n < AUTH_FIRST;
    return are_few && count_kind(e, e->n, AUTH_REFUSED) == e->n ? AUTH_FATAL : AUTH_THEIRS;
}

static void expect_verdict(const struct ends *e, size_t n, enum auth_verdict got,
                           enum auth_verdict want)
{
    if (got != want)
        fail_msg("%s: after %zu: verdict %d, wanted %d", e->text, n, (int)got, (int)want);
}

static void check_sequence(const struct ends *e)
{
    struct auth_check c = {0};
    for (size_t i = 0; i < e->n; i++) {
        enum auth_verdict got = auth_check(&c, e->ordinal[i], (enum auth_end)e->kind[i]);
        expect_verdict(e, i + 1, got, expected(e, i + 1));
        if (is_certain(e, i + 1))
            expect_verdict(e, i + 1, got, AUTH_FATAL);
    }
    expect_verdict(e, e->n, auth_check_all(&c, e->n), expected_of_all(e));
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
    if (at >= ENDS_MAX || at == e->n) {
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
    for (size_t n = 0; n <= ENDS_MAX; n++) {
        struct ends e = {.n = n};
        for (size_t i = 0; i < n; i++)
            e.ordinal[i] = (unsigned)i;
        each_order(&e, 0);
    }
}

/* By hand, so that the model is not the only one to say so. "o", "r", ">" and "-" as above, each at the
 * place of its request; the digits say in which order the requests end. */
static void known_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *ends, *order; /* NULL: their own */
        enum auth_verdict last, all;
    } cases[] = {
        {"", NULL, AUTH_WAIT, AUTH_THEIRS},
        {"r", NULL, AUTH_WAIT, AUTH_FATAL},
        {"rr", NULL, AUTH_WAIT, AUTH_FATAL},
        {"rrr", NULL, AUTH_FATAL, AUTH_THEIRS},
        {"rrrr-", NULL, AUTH_FATAL, AUTH_THEIRS},
        {">", NULL, AUTH_WAIT, AUTH_THEIRS},
        {"r>", NULL, AUTH_WAIT, AUTH_THEIRS},
        {">>>", NULL, AUTH_FATAL, AUTH_THEIRS},
        {"r>r", NULL, AUTH_FATAL, AUTH_THEIRS},
        {"o", NULL, AUTH_THEIRS, AUTH_THEIRS},
        {"ro", NULL, AUTH_THEIRS, AUTH_THEIRS},
        {"rro", NULL, AUTH_THEIRS, AUTH_THEIRS},
        {"orrr", NULL, AUTH_THEIRS, AUTH_THEIRS},
        {"rrro", NULL, AUTH_THEIRS, AUTH_THEIRS},
        {"-", NULL, AUTH_WAIT, AUTH_THEIRS},
        {"r-", NULL, AUTH_WAIT, AUTH_THEIRS},
        {"rr-", NULL, AUTH_WAIT, AUTH_THEIRS},
        {"rr-r", NULL, AUTH_FATAL, AUTH_THEIRS},
        {"---rr", NULL, AUTH_WAIT, AUTH_THEIRS},
        {"--rrr", NULL, AUTH_FATAL, AUTH_THEIRS},
        /* an earlier one decides, however quick the others are refused */
        {"orrr", "123", AUTH_WAIT, AUTH_THEIRS},
        {"orrr", "1230", AUTH_THEIRS, AUTH_THEIRS},
        {"rrrr", "3210", AUTH_FATAL, AUTH_THEIRS},
        {"rrrr", "321", AUTH_WAIT, AUTH_THEIRS},
        /* a later one shows that the key is good, however late the others are refused */
        {"rrro", "3012", AUTH_THEIRS, AUTH_THEIRS},
        /* what was sent after three that were turned away does not stand for an earlier one */
        {"orrr-", "1234", AUTH_WAIT, AUTH_THEIRS},
        {"-rrr", "1230", AUTH_FATAL, AUTH_THEIRS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *order = cases[i].order ? cases[i].order : "01234";
        struct auth_check c = {0};
        enum auth_verdict last = AUTH_WAIT;
        size_t n = cases[i].order ? strlen(order) : strlen(cases[i].ends);
        for (size_t at = 0; at < n; at++) {
            size_t ordinal = (size_t)(order[at] - '0'), kind = 0;
            while (letters[kind] != cases[i].ends[ordinal])
                kind++;
            last = auth_check(&c, ordinal, (enum auth_end)kind);
        }
        enum auth_verdict all = auth_check_all(&c, n);
        if (last != cases[i].last || all != cases[i].all)
            fail_msg("\"%s\" in the order %s: last %d, all %d; wanted %d, %d", cases[i].ends, order,
                     (int)last, (int)all, (int)cases[i].last, (int)cases[i].all);
    }
}

/* However many are silent: nothing is counted in a fixed room. */
static void many_without_a_response(void **state)
{
    (void)state;
    for (uint64_t silent = 0; silent < 5000; silent = silent * 2 + 1) {
        struct auth_check c = {0};
        for (uint64_t i = 0; i < silent; i++)
            assert_int_equal(auth_check(&c, i, AUTH_NO_RESPONSE), AUTH_WAIT);
        assert_int_equal(auth_check(&c, silent + 2, AUTH_REFUSED), AUTH_WAIT);
        assert_int_equal(auth_check(&c, silent + 1, AUTH_REFUSED), AUTH_WAIT);
        assert_int_equal(auth_check(&c, silent + 3, AUTH_REFUSED), AUTH_WAIT);
        assert_int_equal(auth_check(&c, silent, AUTH_REFUSED), AUTH_FATAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_in_every_order),
        cmocka_unit_test(known_sequences),
        cmocka_unit_test(many_without_a_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
