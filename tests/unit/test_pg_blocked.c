/* When it is told that a statement waits for somebody else's lock, and when that is given up. */
#include "cmocka_all.h"

#include "sinks/postgres/blocked.h"

#define SECOND_US ((int64_t)1000000)

static const char *name(enum pg_blocked_step step)
{
    return step == PG_BLOCKED_TELL ? "tell" : step == PG_BLOCKED_GIVE_UP ? "give up" : "wait";
}

static void test_decide(void **state)
{
    (void)state;
    static const struct {
        int64_t blocked_s;
        bool gives_up;
        int64_t minute;
        const char *step;
        int64_t minute_after;
    } rows[] = {
        {0, true, -1, "tell", 0},      {10, true, 0, "wait", 0},     {59, true, 0, "wait", 0},
        {60, true, 0, "tell", 1},      {70, true, 1, "wait", 1},     {185, true, 1, "tell", 3},
        {299, true, 4, "wait", 4},     {300, true, 4, "give up", 4}, {300, true, -1, "give up", -1},
        {3600, true, 4, "give up", 4}, {299, false, 3, "tell", 4},   {3600, false, 4, "tell", 60},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t minute = rows[i].minute;
        const char *step =
            name(pg_blocked_decide(rows[i].blocked_s * SECOND_US, rows[i].gives_up, &minute));
        if (strcmp(step, rows[i].step) != 0 || minute != rows[i].minute_after)
            fail_msg("blocked for %d s, told minute %d: %s, minute %d and not %s, minute %d",
                     (int)rows[i].blocked_s, (int)rows[i].minute, step, (int)minute, rows[i].step,
                     (int)rows[i].minute_after);
    }
}

/* Whoever looks after each pause finds a lock within seconds, and asks at most every ten. */
static void test_pauses(void **state)
{
    (void)state;
    static const struct {
        int64_t waited_us, pause_ms;
    } rows[] = {
        {0, 2000}, {500000, 1500}, {1999999, 1}, {2000000, 10000}, {SECOND_US * 900, 10000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(pg_blocked_pause_ms(rows[i].waited_us), rows[i].pause_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
