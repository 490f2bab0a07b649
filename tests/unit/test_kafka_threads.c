/* Where threads cannot be started, a client of Kafka says so: librdkafka would end the program. */
#include "core/kafka/kafka_client.h"

#include <string.h>

#include "tests/unit/no_threads.h"

static const struct kafka_client_cfg cfg = {.subject = "kafka:h/leads",
                                            .clock = &clock_system,
                                            .brokers = "127.0.0.1:1",
                                            .own =
                                                (const struct kafka_property[]){{"group.id", "g"}},
                                            .n_own = 1,
                                            .is_consumer = true};

static int open_client(void)
{
    struct kafka_client c = {.handle = NULL};
    struct err e = {RC_OK, ""};
    if (kafka_client_open(&c, &cfg, &e) != RC_NOMEM)
        return 1;
    return strstr(e.msg, "kafka:h/leads: librdkafka cannot start its threads: ") ? 0 : 2;
}

static void no_thread_can_be_started(void **state)
{
    (void)state;
    without_threads(open_client);
}

static void some_can(void **state)
{
    (void)state;
    assert_int_equal(thread_try(THREADS_TRIED_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_thread_can_be_started),
                                       cmocka_unit_test(some_can)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
