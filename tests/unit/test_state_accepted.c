#include "state_world.h"

/* A key and a fingerprint, each of one number. */
static struct state_content content(unsigned key, unsigned fingerprint, bool accepted)
{
    struct state_content c = {.accepted = accepted};
    for (int i = 0; i < 4; i++) {
        c.key[i] = (unsigned char)(key * UINT32_C(2654435761) >> 8 * i);
        c.fingerprint[i] = (unsigned char)(fingerprint >> 8 * i);
    }
    return c;
}

static void note(struct state *s, unsigned key, unsigned fingerprint, bool accepted)
{
    struct err e = {0};
    const struct state_content c = content(key, fingerprint, accepted);
    OK(state_note_accepted(s, &c, 1, &e));
}

static bool is_accepted(struct state *s, unsigned key, unsigned fingerprint)
{
    struct err e = {0};
    const struct state_content c = content(key, fingerprint, false);
    bool out = false;
    OK(state_is_accepted(s, &c, 1, &out, &e));
    return out;
}

static void accept_by(struct state *s, const char *a, const char *b)
{
    struct err e = {0};
    const struct str sinks[] = {str_c(a), str_c(b)};
    OK(state_accept_by(s, sinks, b ? 2 : 1, &e));
}

static bool has_accepted(struct state *s)
{
    struct err e = {0};
    bool any = false;
    OK(state_has_accepted(s, &any, &e));
    return any;
}

static void publish_and_finish(struct state *s)
{
    struct err e = {0};
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, &e));
}

static void holds_from_the_end_of_the_run(void **state)
{
    (void)state;
    struct state *s = open_ok("s");
    begin_run(s);
    accept_by(s, "a", NULL);
    note(s, 1, 10, true);
    note(s, 2, 20, true);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(holds_from_the_end_of_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
