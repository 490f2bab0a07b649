/* Splitting a command into words: as a shell does it, without any expansion. */
#include "monitor/hook.h"

#include <string.h>

#include "cmocka_all.h"

#define WORDS_MAX 6

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *want[WORDS_MAX];
    } rows[] = {
        {"a", {"a"}},
        {" \t\n a  b\tc\nd ", {"a", "b", "c", "d"}},
        {"a 'b c' \"d e\"", {"a", "b c", "d e"}},
        {"a'b'\"c\"d", {"abcd"}},
        {"a '' \"\" b", {"a", "", "", "b"}},
        {"a\\ b c\\'d \\\"", {"a b", "c'd", "\""}},
        {"a 'b\\c' 'd\"e'", {"a", "b\\c", "d\"e"}},
        {"a \"b\\c\\\\d\\\"e\\$f\\`g\"", {"a", "b\\c\\d\"e$f`g"}},
        {"a \"b'c\" \"d\\\ne\" f\\\ng", {"a", "b'c", "de", "fg"}},
        {"a \\\n b", {"a", "b"}},
        {"a $HOME `b` $(c) *", {"a", "$HOME", "`b`", "$(c)", "*"}},
        {"a|b >c & d;e #f", {"a|b", ">c", "&", "d;e", "#f"}},
        {"\xC3\xA9 '\xff'", {"\xC3\xA9", "\xff"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hook_words w;
        struct err e = {RC_OK, ""};
        if (hook_split(&w, rows[i].command, &e) != RC_OK)
            fail_msg("%s: %s", rows[i].command, e.msg);
        size_t k = 0;
        for (; k < WORDS_MAX && rows[i].want[k]; k++) {
            if (k >= w.n || strcmp(w.items[k], rows[i].want[k]) != 0)
                fail_msg("%s: word %zu is \"%s\", not \"%s\"", rows[i].command, k,
                         k < w.n ? w.items[k] : "(none)", rows[i].want[k]);
        }
        assert_int_equal(w.n, k);
        assert_null(w.items[k]);
        hook_words_free(&w);
    }
}

static void no_words(void **state)
{
    (void)state;
    static const char *const rows[] = {"",      " \n\t",     "'",      "\"",     "a 'b",
                                       "a \"b", "a \"b\\\"", "a\\",    "a \"\\", "'a' '",
                                       "'' b",  "\"\"",      "a 'b\"", "\\\n"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hook_words w = {0};
        struct err e = {RC_OK, ""};
        if (hook_split(&w, rows[i], &e) != RC_SYNTAX || w.items || !e.msg[0])
            fail_msg("\"%s\" is taken", rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(no_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
