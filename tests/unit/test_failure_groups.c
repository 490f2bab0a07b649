/* Failed leads by reason, whatever failed. */
#include "core/run/failure_groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

static struct failure_groups *groups_new(void)
{
    struct failure_groups *g = calloc(1, sizeof *g);
    assert_non_null(g);
    return g;
}

static void add(struct failure_groups *g, const char *id, const char *stage, int status,
                const char *code)
{
    const struct failure_seen seen = {
        .id = str_c(id),
        .stage = str_c(stage),
        .code = str_c(code),
        .error = STR("an error"),
        .http_status = status,
    };
    failure_groups_add(g, &seen);
}

static void reasons(void **state)
{
    (void)state;
    struct failure_groups *g = groups_new();
    const struct failure_group *sorted[FAILURE_GROUPS_MAX];
    static const struct {
        const char *stage;
        int status;
        const char *code;
        int leads;
    } rows[] = {
        {"fetch", 500, NULL, 3},   {"fetch", 0, "timeout", 25}, {"fetch", 400, NULL, 1},
        {"parse", 200, "bad", 25}, {"sink", 500, NULL, 7},
    };
    static const size_t order[] = {1, 3, 4, 0, 2}; /* of as many the one that came first */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int k = 0; k < rows[i].leads; k++) {
            char id[24];
            (void)snprintf(id, sizeof id, "lead-%d", k);
            add(g, id, rows[i].stage, rows[i].status, rows[i].code);
        }
    }
    assert_int_equal(g->n, 5);
    assert_int_equal(g->others.n, 0);
    failure_groups_sort(g, sorted);
    for (size_t i = 0; i < g->n; i++) {
        size_t want = order[i];
        size_t examples = rows[want].leads < FAILURE_EXAMPLES_MAX ? (size_t)rows[want].leads
                                                                  : FAILURE_EXAMPLES_MAX;
        if ((int)sorted[i]->n != rows[want].leads ||
            strcmp(sorted[i]->stage, rows[want].stage) != 0 ||
            sorted[i]->http_status != rows[want].status || sorted[i]->n_examples != examples)
            fail_msg("place %zu: %d %s %d with %zu examples", i, (int)sorted[i]->n,
                     sorted[i]->stage, sorted[i]->http_status, sorted[i]->n_examples);
    }
    assert_string_equal(sorted[0]->examples[9].id, "lead-9");
    free(g);
}

/* Each lead with a reason of its own: what has no group is summed, and nothing is lost. */
static void too_many_reasons(void **state)
{
    (void)state;
    struct failure_groups *g = groups_new();
    uint64_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        char code[32];
        (void)snprintf(code, sizeof code, "code-%d", i);
        add(g, code, "fetch", 200, code);
    }
    add(g, "again", "fetch", 200, "code-3");
    for (size_t i = 0; i < g->n; i++)
        sum += g->groups[i].n;
    assert_int_equal(g->n, FAILURE_GROUPS_MAX);
    assert_int_equal(g->groups[3].n, 2);
    assert_int_equal(g->others.n, 1000 - FAILURE_GROUPS_MAX);
    assert_int_equal(g->others.n_examples, FAILURE_EXAMPLES_MAX);
    assert_int_equal(sum + g->others.n, 1001);
    free(g);
}

static void long_texts(void **state)
{
    (void)state;
    struct failure_groups *g = groups_new();
    static char text[100000];
    for (size_t pad = 0; pad < 4; pad++) { /* a character of three bytes is never cut in two */
        memset(text, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        const struct failure_seen seen = {.id = str_c(text),
                                          .stage = STR("sink"),
                                          .sink = str_c(text),
                                          .code = str_c(text),
                                          .error = str_c(text)};
        failure_groups_add(g, &seen);
        const struct failure_group *one = &g->groups[pad];
        const char *const cut[] = {one->sink, one->code, one->examples[0].id,
                                   one->examples[0].error};
        static const size_t sizes[] = {FAILURE_WORD_BYTES, FAILURE_WORD_BYTES, FAILURE_ID_BYTES,
                                       FAILURE_ERROR_BYTES};
        for (size_t i = 0; i < 4; i++) {
            size_t n = strlen(cut[i]);
            if (n >= sizes[i] || n + 4 < sizes[i] - 3 || !utf8_valid(cut[i], n) ||
                strcmp(cut[i] + n - 3, "...") != 0)
                fail_msg("text %zu has %zu of %zu bytes: %s", i, n, sizes[i], cut[i]);
        }
    }
    free(g);
}

static void texts_at_the_limit(void **state)
{
    (void)state;
    static const struct {
        size_t given, want;
    } rows[] = {{0, 0},
                {1, 1},
                {FAILURE_WORD_BYTES - 2, FAILURE_WORD_BYTES - 2},
                {FAILURE_WORD_BYTES - 1, FAILURE_WORD_BYTES - 1},
                {FAILURE_WORD_BYTES, FAILURE_WORD_BYTES - 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct failure_groups *g = groups_new();
        char text[FAILURE_WORD_BYTES + 1];
        memset(text, 'a', sizeof text);
        const struct failure_seen seen = {.stage = STR("fetch"), .code = {text, rows[i].given}};
        failure_groups_add(g, &seen);
        if (strlen(g->groups[0].code) != rows[i].want)
            fail_msg("%zu bytes: \"%s\"", rows[i].given, g->groups[0].code);
        free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons),
        cmocka_unit_test(too_many_reasons),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(texts_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
