#include "sinks/delivery/lead_text.h"

#include "cmocka_all.h"

#define N_PARAMS 2

#define N 3

struct world {
    struct str params[N][N_PARAMS];
    struct unacked_lead leads[N];
    struct buf text;
    size_t ends[N]; /* of the text, after each lead */
    struct arena arena;
};

static void make_leads(struct world *w)
{
    static const char digest_0[] = "0123456789abcdef0123456789abcde\xff";
    static const char digest_1[] = "\0\1\2\3\4\5\6\7\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0"
                                   "\0\1\2\3\4\5\6\7\x80\x90\xa0\xb0\xc0\xd0\xe0\xf0";
    static const char digest_2[] = "the thirty-two bytes of a digest";
    w->params[0][0] = STR("a-1");
    w->params[1][0] = STR("");
    w->params[1][1] = STR("\n\n");
    w->leads[0] = (struct unacked_lead){0, STR("x"), w->params[0], (const void *)digest_0};
    w->leads[1] =
        (struct unacked_lead){INT64_MAX - 1, STR("1:2 3:-:"), w->params[1], (const void *)digest_1};
    w->leads[2] = (struct unacked_lead){7, STR("l\xc3\xa9"), w->params[2], (const void *)digest_2};
}

static int enter(void **state)
{
    static struct world w;
    w = (struct world){.ends = {0}};
    make_leads(&w);
    buf_init(&w.text, 1 << 20);
    arena_init(&w.arena, 1 << 20);
    for (size_t i = 0; i < N; i++) {
        lead_text_put(&w.text, &w.leads[i], N_PARAMS);
        w.ends[i] = w.text.len;
    }
    *state = &w;
    return buf_rc(&w.text) == RC_OK ? 0 : -1;
}

static int leave(void **state)
{
    struct world *w = *state;
    buf_free(&w->text);
    arena_free(&w->arena);
    return 0;
}

static enum rc take(struct world *w, size_t len, struct lead_note **out, size_t *n)
{
    return lead_text_take(&w->arena, (struct str){w->text.data, len}, N_PARAMS, out, n);
}

static void what_is_put_is_taken(void **state)
{
    struct world *w = *state;
    struct lead_note *notes;
    size_t n;
    for (size_t count = 1; count <= N; count++) {
        assert_int_equal(take(w, w->ends[count - 1], &notes, &n), RC_OK);
        assert_int_equal(n, count);
        for (size_t i = 0; i < n; i++) {
            const struct unacked_lead *got = &notes[i].lead;
            const struct unacked_lead *want = &w->leads[i];
            assert_true(got->seq == want->seq && str_eq(got->id, want->id));
            assert_memory_equal(got->fingerprint, want->fingerprint, FINGERPRINT_BYTES);
            for (size_t k = 0; k < N_PARAMS; k++) {
                assert_true(str_eq(got->params[k], want->params[k]));
                assert_true(!got->params[k].ptr == !want->params[k].ptr);
            }
        }
    }
}

static void nothing_else_is_taken(void **state)
{
    struct world *w = *state;
    struct lead_note *notes;
    size_t n;
    size_t whole = 0;
    for (size_t len = 0; len < w->text.len; len++) {
        if (len == w->ends[whole])
            whole++;
        else
            assert_int_equal(take(w, len, &notes, &n), RC_SYNTAX);
    }
    assert_int_equal(whole, N - 1);
    /* Other parameters than there are. */
    struct str first = {w->text.data, w->ends[0]};
    assert_int_equal(lead_text_take(&w->arena, first, N_PARAMS - 1, &notes, &n), RC_SYNTAX);
    assert_int_equal(lead_text_take(&w->arena, first, N_PARAMS + 1, &notes, &n), RC_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_is_taken, enter, leave),
        cmocka_unit_test_setup_teardown(nothing_else_is_taken, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
