/* What a FILE kafka://... says, and what is refused. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/kafka/kafka_url.h"

static const struct {
    const char *url, *says; /* what is read, or a part of why it is refused */
    bool is_good;
} urls[] = {
    {"kafka://b:9092/ids?group=g", "kafka://b:9092/ids b:9092 ids g -", true},
    {"kafka://b1,b2:1/a.b_c-d?group=g&instance=i-1",
     "kafka://b1,b2:1/a.b_c-d b1,b2:1 a.b_c-d g i-1", true},
    {"kafka://b/t?group=two%20words%26", "kafka://b/t b t two words& -", true},
    {"kafka://b/t?group=g&property=a.b=c=d&property=e=%2B", "kafka://b/t b t g - a.b=c=d e=+",
     true},
    {"kafka://b/t?property=a=&group=g", "kafka://b/t b t g - a=", true},
    {"kafka://b/t?group=g&property-env=sasl.password=KAFKA_TEST_PASSWORD",
     "kafka://b/t b t g - sasl.password=from-the-environment", true},
    {"kafka://b/t?group=g&rate-of=worker", "kafka://b/t b t g - rate-of worker", true},
    {"kafka://b/t?rate-of=group&group=g", "kafka://b/t b t g - rate-of group", true},
    {"kafka://b/t?group=g&rate-of=all",
     "rate-of: is not the name of what --rate is for (group or worker)", false},
    {"kafka://b/t?group=g&rate-of=", "rate-of: is not the name of", false},
    {"kafka://b/t?group=g&rate-of=group&rate-of=worker", "rate-of: is given twice", false},
    {"kafka://b/t", "kafka://b/t: the consumer group is missing", false},
    {"kafka://b/t?",
     ": is not a parameter (allowed: group, property, property-env, instance, rate-of)", false},
    {"kafka://b/t?group=", "kafka://b/t: group: is not the name of a consumer group", false},
    {"kafka://b/t?group=a%0Ab", "without control characters", false},
    {"kafka://b/t?group=%FF", "is not the name of a consumer group", false},
    {"kafka://b/t?group=g&group=h", "group: is given twice", false},
    {"kafka://b/t?group=g&", "is not a parameter", false},
    {"kafka://b/t?group=g&topic=x", "kafka://b/t: topic: is not a parameter", false},
    {"kafka://b/t?group=g&instance=two%20words", "instance: is not the name of a member", false},
    {"kafka://b/t?group=g&instance=", "instance: is not the name of a member", false},
    {"kafka://b/t?group=g&instance=a&instance=b", "instance: is given twice", false},
    {"kafka://b/t?group=a%0", "after a % there must be two hexadecimal digits", false},
    {"kafka://b/t?group=a%00b", "other than 00", false},
    {"kafka://b/t?group=a%zz", "after a % there must be two hexadecimal digits", false},
    {"kafka://b/?group=g", "does not end with a topic", false},
    {"kafka://b?group=g", "is not BROKERS/TOPIC", false},
    {"kafka:///t?group=g", "does not begin with brokers", false},
    {"kafka://user:secret-word@b/t?group=g", "users, passwords and TLS are properties", false},
    {"kafka://b/t?group=g&property=a", "property: must be NAME=VALUE", false},
    {"kafka://b/t?group=g&property=group.id=x", "the property group.id cannot be set", false},
    {"kafka://b/t?group=g&property=enable.auto.commit=true",
     "the property enable.auto.commit cannot be set", false},
    {"kafka://b/t?group=g&property=sasl.password=secret-word",
     "use property-env=sasl.password=", false},
    {"kafka://b/t?group=g&property-env=sasl.password=NOT_THERE_AT_ALL",
     "the environment variable NOT_THERE_AT_ALL (of property sasl.password) is not set", false},
};

static void show(const struct kafka_url *u, char *out, size_t size)
{
    int n = snprintf(out, size, "%s %s %s %s %s", u->name, u->brokers, u->topic, u->group,
                     u->instance ? u->instance : "-");
    if (u->rate_of)
        n += snprintf(out + n, size - (size_t)n, " rate-of %s", u->rate_of);
    for (size_t i = 0; i < u->n_properties; i++)
        n += snprintf(out + n, size - (size_t)n, " %s=%s", u->properties[i].name,
                      u->properties[i].value);
}

static void urls_are_parsed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct kafka_url u = {.name = NULL};
        struct secrets *secrets = NULL;
        struct err e = {.msg = ""};
        char shown[1024] = "";
        assert_int_equal(setenv("KAFKA_TEST_PASSWORD", "from-the-environment", 1), 0);
        assert_int_equal(secrets_new(&secrets), RC_OK);
        enum rc rc = kafka_url_parse(&u, urls[i].url, secrets, &e);
        if (rc == RC_OK)
            show(&u, shown, sizeof shown);
        bool is_as_said = rc == RC_OK ? strcmp(shown, urls[i].says) == 0
                                      : rc == RC_USAGE && strstr(e.msg, urls[i].says);
        if ((rc == RC_OK) != urls[i].is_good || !is_as_said)
            fail_msg("%s: got %s \"%s\", want \"%s\"", urls[i].url, rc_text(rc),
                     rc == RC_OK ? shown : e.msg, urls[i].says);
        if (strstr(e.msg, "secret-word"))
            fail_msg("%s: shown: %s", urls[i].url, e.msg);
        kafka_url_free(&u);
        secrets_free(secrets);
    }
}

static void schemes_are_told_apart(void **state)
{
    (void)state;
    assert_true(kafka_url_is("kafka://b/t"));
    assert_false(kafka_url_is("kafka:b/t"));
    assert_false(kafka_url_is("ids.txt"));
    assert_false(kafka_url_is(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_parsed),
        cmocka_unit_test(schemes_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
