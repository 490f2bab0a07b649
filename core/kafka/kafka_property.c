#include "core/kafka/kafka_property.h"

static const char delivers_once[] = "is set by leadpipe, so that every message is delivered once";

static const struct {
    const char *name, *why;
} owned[] = {
    {"transactional.id", delivers_once},
    {"enable.idempotence", delivers_once},
    {"acks", delivers_once},
    {"request.required.acks", delivers_once},
    {"message.send.max.retries", delivers_once},
    {"retries", delivers_once},
    {"queuing.strategy", delivers_once},
    {"max.in.flight", delivers_once},
    {"max.in.flight.requests.per.connection", delivers_once},
    {"delivery.report.only.error", "is set by leadpipe, which needs every report"},
    {"group.id", "is set by leadpipe"},
    {"group.instance.id", "is set by leadpipe"},
    {"enable.auto.commit", "is set by leadpipe"},
    {"allow.auto.create.topics", "is set by leadpipe: an unknown topic is an error"},
    {"bootstrap.servers", "is set by the target, BROKERS/TOPIC"},
    {"metadata.broker.list", "is set by the target, BROKERS/TOPIC"},
    {"message.timeout.ms", "is set by --retry-max-time"},
    {"delivery.timeout.ms", "is set by --retry-max-time"},
    {"compression.codec", "is set by the option compression"},
    {"compression.type", "is set by the option compression"},
    {"queue.buffering.max.kbytes", "is set by --max-memory"},
    {"queue.buffering.max.messages", "is set by --max-memory"},
    {"test.mock.num.brokers", "is for tests of librdkafka"},
};

static const char *const secrets[] = {
    "sasl.password",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem",
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool has_only(struct str s, const char *others)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alnum(s.ptr[i]) && (!s.ptr[i] || !strchr(others, s.ptr[i])))
            return false;
    }
    return s.len > 0;
}

bool kafka_property_split(struct str text, struct str *name, struct str *value)
{
    const char *equals = text.len ? memchr(text.ptr, '=', text.len) : NULL;
    if (!equals)
        return false;
    struct str before = {text.ptr, (size_t)(equals - text.ptr)};
    if (!has_only(before, "._-"))
        return false;
    *name = before;
    *value = (struct str){equals + 1, text.len - before.len - 1};
    return true;
}

const char *kafka_property_refusal(struct str name)
{
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        if (str_eq_c(name, owned[i].name))
            return owned[i].why;
    }
    return NULL;
}

bool kafka_property_is_secret(struct str name)
{
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        if (str_eq_c(name, secrets[i]))
            return true;
    }
    return false;
}

/* ---- names ---------------------------------------------------------------------------------- */

bool kafka_topic_is_valid(struct str name)
{
    return has_only(name, "._-") && name.len <= KAFKA_TOPIC_BYTES_MAX && !str_eq_c(name, ".") &&
           !str_eq_c(name, "..");
}

static bool is_port(struct str s)
{
    unsigned port = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        port = port * 10 + (unsigned)(s.ptr[i] - '0');
        if (port > 65535)
            return false;
    }
    return port > 0;
}

/* HOST, HOST:PORT, [IPv6] or [IPv6]:PORT. */
static bool is_broker(struct str s)
{
    const char *colon = s.len && s.ptr[s.len - 1] != ']' ? memrchr(s.ptr, ':', s.len) : NULL;
    struct str host = {s.ptr, colon ? (size_t)(colon - s.ptr) : s.len};
    if (colon && !is_port((struct str){colon + 1, s.len - host.len - 1}))
        return false;
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return has_only((struct str){host.ptr + 1, host.len - 2}, ":.%");
    return has_only(host, ".-_");
}

const char *kafka_target_split(struct str target, struct str *brokers, struct str *topic)
{
    const char *slash = target.len ? memrchr(target.ptr, '/', target.len) : NULL;
    if (!slash)
        return "is not BROKERS/TOPIC (such as broker1:9092,broker2:9092/leads)";
    struct str before = {target.ptr, (size_t)(slash - target.ptr)};
    struct str after = {slash + 1, target.len - before.len - 1};
    for (struct str rest = before;;) {
        const char *comma = rest.len ? memchr(rest.ptr, ',', rest.len) : NULL;
        size_t n = comma ? (size_t)(comma - rest.ptr) : rest.len;
        if (!is_broker((struct str){rest.ptr, n}))
            return "does not begin with brokers (allowed: HOST or HOST:PORT, several separated by "
                   "commas; users, passwords and TLS are properties, such as "
                   "property=security.protocol=ssl)";
        if (!comma)
            break;
        rest = (struct str){comma + 1, rest.len - n - 1};
    }
    if (!kafka_topic_is_valid(after))
        return "does not end with a topic (allowed after the last slash: 1 to 249 letters, digits and . _ -)";
    *brokers = before;
    *topic = after;
    return NULL;
}
