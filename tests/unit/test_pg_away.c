/* How long a server is waited for that is not there, by a clock that goes on by itself. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "core/provider/profile.h"
#include "sinks/postgres/load.h"

#define LIMIT_US ((int64_t)300000000)

static int64_t now_us;
static int64_t step_us = 60000000; /* between two readings: few pauses are really waited for */

static int64_t read_clock(const struct clock *c)
{
    (void)c;
    return now_us += step_us;
}

static const struct clock fast = {.mono_us = read_clock};

static char said[4096];

static void hear(void *ctx, enum log_level level, const char *subject, const char *msg)
{
    (void)ctx;
    (void)subject;
    size_t n = strlen(said);
    if (level == LOG_LEVEL_WARN)
        (void)snprintf(said + n, sizeof said - n, "%s\n", msg);
}

static const struct log_hook ear = {.write = hear, .level = LOG_LEVEL_WARN};

static struct pg_link link_to_nobody(void)
{
    said[0] = '\0';
    return (struct pg_link){.wait_ms = -1,
                            .cfg = {.conninfo = "host=/nonexistent/folder dbname=d user=u",
                                    .spec = "postgres:d",
                                    .log = &ear,
                                    .clock = &fast}};
}

static void check_time(int64_t since_us)
{
    if (now_us - since_us < LIMIT_US || now_us - since_us > LIMIT_US + 3 * step_us)
        fail_msg("gave up after %lld s, and not after %lld s",
                 (long long)((now_us - since_us) / 1000000), (long long)(LIMIT_US / 1000000));
}

static void test_open_again(void **state)
{
    (void)state;
    struct pg_link link = link_to_nobody();
    struct err e;
    int64_t since_us = now_us;
    assert_int_equal(pg_link_open_again(&link, since_us, LIMIT_US / 1000, &e), RC_NET);
    check_time(since_us);
    assert_non_null(strstr(e.msg, "; gave up after 5m without a connection"));
    assert_string_equal(said, "still no connection after 1m; giving up at 5m\n"
                              "still no connection after 2m; giving up at 5m\n"
                              "still no connection after 3m; giving up at 5m\n"
                              "still no connection after 4m; giving up at 5m\n");
}

/* An outage that began earlier is not waited for once more. */
static void test_began_earlier(void **state)
{
    (void)state;
    struct pg_link link = link_to_nobody();
    struct err e;
    int64_t before_us = now_us;
    assert_int_equal(pg_link_open_again(&link, now_us - LIMIT_US, LIMIT_US / 1000, &e), RC_NET);
    assert_int_equal(now_us - before_us, step_us);
}

/* No loop around the wait begins it anew. */
static void test_load(void **state)
{
    (void)state;
    struct pg_link link = link_to_nobody();
    struct pg_place place = {.dialect = sql_dialect(0)};
    struct profile *profile;
    struct arena memory;
    struct pg_load load;
    struct err e;
    arena_init(&memory, (size_t)64 << 20);
    assert_int_equal(profile_load(&profile, "omni", &e), RC_OK);
    assert_int_equal(
        sql_relations_make(&place.relations, &memory, place.dialect, profile, NULL, false, &e),
        RC_OK);
    assert_int_equal(pg_load_new(&load, &place, profile, &link, STR_NONE, &e), RC_OK);
    step_us = 100000000;
    int64_t since_us = now_us;
    assert_int_equal(pg_load_flush(&load, &e), RC_NET);
    check_time(since_us);
    assert_non_null(strstr(said, "connecting again"));
    pg_load_free(&load);
    profile_free(profile);
    arena_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_again),
        cmocka_unit_test(test_began_earlier),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
