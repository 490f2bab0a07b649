/* The name of a static member: from the host's name, and for one process at a time. */
#include "cmocka_all.h"

#include <stdio.h>

#include "core/kafka/kafka_instance.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
    const char *host, *name; /* NULL: it is not the name of one host */
} hosts[] = {
    {"worker-1", "worker-1"},
    {"ip-10-0-0-1.eu.internal", "ip-10-0-0-1.eu.internal"},
    {"A_b.c", "A_b.c"},
    {"", NULL},
    {"(none)", NULL},
    {"localhost", NULL},
    {"LocalHost", NULL},
    {"localhost.localdomain", NULL},
    {"localhost2", "localhost2"},
    {"two words", "two_words-3a33a72c"},
    {"two_words", "two_words"},
    {"two/words", "two_words-20141791"},
    {".", ".-075d3ddf"},
    {"..", "..-ef9ba28d"},
    {"b\xc3\xbcro\n", "b__ro_-3e6158da"},
    {HUNDRED HUNDRED TEN TEN TEN TEN "012345678", HUNDRED HUNDRED TEN TEN TEN TEN "012345678"},
    {HUNDRED HUNDRED TEN TEN TEN TEN TEN, HUNDRED HUNDRED TEN TEN TEN TEN "-5f553c70"},
};

static void hosts_have_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char name[KAFKA_INSTANCE_BYTES] = "";
        bool has = kafka_instance_of_host(hosts[i].host, name);
        bool is_right = hosts[i].name ? has && strcmp(name, hosts[i].name) == 0 : !has;
        if (!is_right)
            fail_msg("\"%s\": got \"%s\", want \"%s\"", hosts[i].host, has ? name : "(none)",
                     hosts[i].name ? hosts[i].name : "(none)");
        if (has)
            assert_true(kafka_topic_is_valid(str_c(name)));
    }
}

/* Whatever the host is called where this runs. */
static void names_are_claimed_once(void **state)
{
    (void)state;
    char group[64];
    const char *why;
    struct kafka_instance first, second, other;
    (void)snprintf(group, sizeof group, "test-%p", (void *)&first);
    if (!kafka_instance_claim(&first, group, &why))
        skip();
    assert_false(kafka_instance_claim(&second, group, &why));
    assert_string_equal(why, "another worker of this host has its name");
    kafka_instance_release(&second);
    assert_true(kafka_instance_claim(&other, "another group of this test", &why));
    kafka_instance_release(&other);
    kafka_instance_release(&first);
    assert_true(kafka_instance_claim(&second, group, &why));
    kafka_instance_release(&second);
    kafka_instance_release(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_have_names),
        cmocka_unit_test(names_are_claimed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
