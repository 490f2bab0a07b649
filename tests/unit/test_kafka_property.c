/* Which properties a user may set, and what a target is. */
#include "cmocka_all.h"

#include <stdio.h>

#include "core/kafka/kafka_property.h"

static const struct {
    const char *text, *name, *value; /* name NULL: refused */
} splits[] = {
    {"a=b", "a", "b"},
    {"sasl.mechanism=PLAIN", "sasl.mechanism", "PLAIN"},
    {"a=b=c", "a", "b=c"},
    {"a=", "a", ""},
    {"socket_x-1=2", "socket_x-1", "2"},
    {"", NULL, NULL},
    {"a", NULL, NULL},
    {"=b", NULL, NULL},
    {" a=b", NULL, NULL},
    {"a b=c", NULL, NULL},
    {"\xc3\xa4=b", NULL, NULL},
};

static void properties_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        struct str name = STR_NONE, value = STR_NONE;
        bool good = kafka_property_split(str_c(splits[i].text), &name, &value);
        if (good != (splits[i].name != NULL) ||
            (good && (!str_eq_c(name, splits[i].name) || !str_eq_c(value, splits[i].value))))
            fail_msg("\"%s\": got %d \"" STR_FMT "\" \"" STR_FMT "\", want \"%s\" \"%s\"",
                     splits[i].text, good, STR_ARG(name), STR_ARG(value),
                     splits[i].name ? splits[i].name : "nothing",
                     splits[i].value ? splits[i].value : "");
    }
}

static const struct {
    const char *name;
    bool is_owned, is_secret;
} kinds[] = {
    {"acks", true, false},
    {"request.required.acks", true, false},
    {"transactional.id", true, false},
    {"enable.idempotence", true, false},
    {"max.in.flight", true, false},
    {"bootstrap.servers", true, false},
    {"compression.codec", true, false},
    {"message.timeout.ms", true, false},
    {"linger.ms", false, false},
    {"security.protocol", false, false},
    {"sasl.username", false, false},
    {"sasl.password", false, true},
    {"ssl.key.password", false, true},
    {"ssl.key.pem", false, true},
    {"ssl.keystore.password", false, true},
    {"sasl.oauthbearer.client.secret", false, true},
    {"sasl.oauthbearer.assertion.private.key.passphrase", false, true},
    {"sasl.oauthbearer.assertion.private.key.pem", false, true},
    {"sasl.oauthbearer.assertion.private.key.file", false, false},
    {"ack", false, false},
    {"", false, false},
};

static void some_are_not_the_user_s(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool is_owned = kafka_property_refusal(str_c(kinds[i].name)) != NULL;
        bool is_secret = kafka_property_is_secret(str_c(kinds[i].name));
        if (is_owned != kinds[i].is_owned || is_secret != kinds[i].is_secret)
            fail_msg("%s: got owned %d, secret %d; want %d, %d", kinds[i].name, is_owned, is_secret,
                     kinds[i].is_owned, kinds[i].is_secret);
    }
}

static const struct {
    const char *text, *brokers, *topic; /* brokers NULL: refused */
    const char *says;
} targets[] = {
    {"b:9092/t", "b:9092", "t", NULL},
    {"b/t", "b", "t", NULL},
    {"b1:1,b2:65535/crm.leads-v1_x", "b1:1,b2:65535", "crm.leads-v1_x", NULL},
    {"10.0.0.1:9092/t", "10.0.0.1:9092", "t", NULL},
    {"[::1]:9092/t", "[::1]:9092", "t", NULL},
    {"[fe80::1%eth0]/t", "[fe80::1%eth0]", "t", NULL},
    {"", NULL, NULL, "BROKERS/TOPIC"},
    {"t", NULL, NULL, "BROKERS/TOPIC"},
    {"/t", NULL, NULL, "begin with brokers"},
    {"b:/t", NULL, NULL, "begin with brokers"},
    {"b:0/t", NULL, NULL, "begin with brokers"},
    {"b:65536/t", NULL, NULL, "begin with brokers"},
    {"b:99999999999999999999/t", NULL, NULL, "begin with brokers"},
    {"b:x/t", NULL, NULL, "begin with brokers"},
    {"b,/t", NULL, NULL, "begin with brokers"},
    {",b/t", NULL, NULL, "begin with brokers"},
    {"u:p@b:1/t", NULL, NULL, "begin with brokers"},
    {"ssl://b:1/t", NULL, NULL, "begin with brokers"},
    {"[]:1/t", NULL, NULL, "begin with brokers"},
    {"b/", NULL, NULL, "end with a topic"},
    {"b/.", NULL, NULL, "end with a topic"},
    {"b/..", NULL, NULL, "end with a topic"},
    {"b/a b", NULL, NULL, "end with a topic"},
    {"b/\xc3\xa4", NULL, NULL, "end with a topic"},
};

static void targets_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct str brokers = STR_NONE, topic = STR_NONE;
        const char *fault = kafka_target_split(str_c(targets[i].text), &brokers, &topic);
        if (!fault != !targets[i].says || (fault && !strstr(fault, targets[i].says)) ||
            (!fault &&
             (!str_eq_c(brokers, targets[i].brokers) || !str_eq_c(topic, targets[i].topic))))
            fail_msg("\"%s\": got \"" STR_FMT "\" \"" STR_FMT "\" (%s), want \"%s\" \"%s\" (%s)",
                     targets[i].text, STR_ARG(brokers), STR_ARG(topic), fault ? fault : "good",
                     targets[i].brokers ? targets[i].brokers : "",
                     targets[i].topic ? targets[i].topic : "",
                     targets[i].says ? targets[i].says : "good");
    }
}

static void a_topic_is_at_most_so_long(void **state)
{
    char name[KAFKA_TOPIC_BYTES_MAX + 2];
    (void)state;
    memset(name, 'a', sizeof name);
    assert_true(kafka_topic_is_valid((struct str){name, KAFKA_TOPIC_BYTES_MAX}));
    assert_false(kafka_topic_is_valid((struct str){name, KAFKA_TOPIC_BYTES_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_split),
        cmocka_unit_test(some_are_not_the_user_s),
        cmocka_unit_test(targets_are_split),
        cmocka_unit_test(a_topic_is_at_most_so_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
