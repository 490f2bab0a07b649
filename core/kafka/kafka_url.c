#include "core/kafka/kafka_url.h"

#include <stdio.h>

#define URL_BYTES_MAX ((size_t)64 << 10)
#define WHO_BYTES 512
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define GROUP_MAX TEXT(KAFKA_GROUP_BYTES_MAX)
#define INSTANCE_MAX TEXT(KAFKA_TOPIC_BYTES_MAX)
#define SCHEME_BYTES (sizeof KAFKA_URL_SCHEME - 1)

static const char form[] =
    "kafka://BROKERS/TOPIC?group=GROUP, with &property=NAME=VALUE, &property-env=NAME=VARIABLE and "
    "&instance=NAME and &rate-of=group|worker as needed";
static const char a_group[] =
    "a consumer group (1 to " GROUP_MAX " bytes of UTF-8 without control characters)";
static const char whose_rate[] = "what --rate is for (group or worker)";
static const char an_instance[] =
    "a member of a group (1 to " INSTANCE_MAX " letters, digits and . _ -)";

bool kafka_url_is(const char *text)
{
    return strncmp(text, KAFKA_URL_SCHEME, SCHEME_BYTES) == 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* NULL: out of memory, or *is_bad. A text with a NUL in it would be another one. */
static char *decode(struct arena *a, struct str s, bool *is_bad)
{
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;
    *is_bad = false;
    for (size_t i = 0; out && i < s.len; i++) {
        out[n] = s.ptr[i];
        if (s.ptr[i] == '%') {
            int high = i + 2 < s.len ? digit(s.ptr[i + 1]) : -1;
            int low = high >= 0 ? digit(s.ptr[i + 2]) : -1;
            *is_bad |= low < 0 || (high == 0 && low == 0);
            if (*is_bad)
                return NULL;
            out[n] = (char)(high * 16 + low);
            i += 2;
        }
        n++;
    }
    if (out)
        out[n] = '\0';
    return out;
}

/* ---- parameters ------------------------------------------------------------------------------ */

static bool is_group(const char *value)
{
    size_t len = strlen(value);
    bool is_plain = len > 0 && len <= KAFKA_GROUP_BYTES_MAX && utf8_valid(value, len);
    for (size_t i = 0; i < len; i++)
        is_plain &= (unsigned char)value[i] >= 0x20 && value[i] != 0x7F;
    return is_plain;
}

/* `allowed`: what it must be the name of. */
static enum rc take_name(const char **out, const char *value, bool is_valid, const char *allowed,
                         const char *who, struct err *e)
{
    if (*out)
        return err_set(e, RC_USAGE, "%s: is given twice", who);
    if (!is_valid)
        return err_set(e, RC_USAGE, "%s: is not the name of %s", who, allowed);
    *out = value;
    return RC_OK;
}

static enum rc take_parameter(struct kafka_url *u, struct kafka_properties *list, struct str text,
                              struct err *e)
{
    char who[WHO_BYTES];
    const char *equals = text.len ? memchr(text.ptr, '=', text.len) : NULL;
    struct str name = {text.ptr, equals ? (size_t)(equals - text.ptr) : text.len};
    struct str rest = equals ? (struct str){equals + 1, text.len - name.len - 1} : STR("");
    bool is_bad;
    const char *value = decode(&u->arena, rest, &is_bad);
    if (is_bad) {
        if (secrets_add(list->secrets, rest) != RC_OK)
            return err_nomem(e);
        return err_set(e, RC_USAGE,
                       "%s: after a %% there must be two hexadecimal digits, other than 00; write "
                       "%%25 for a %% itself",
                       u->name);
    }
    if (!value)
        return err_nomem(e);
    (void)snprintf(who, sizeof who, "%s: %.*s", u->name, name.len < 64 ? (int)name.len : 64,
                   name.ptr ? name.ptr : "");
    if (str_eq_c(name, "group"))
        return take_name(&u->group, value, is_group(value), a_group, who, e);
    if (str_eq_c(name, "instance"))
        return take_name(&u->instance, value, kafka_topic_is_valid(str_c(value)), an_instance, who,
                         e);
    if (str_eq_c(name, "rate-of"))
        return take_name(&u->rate_of, value,
                         strcmp(value, "group") == 0 || strcmp(value, "worker") == 0, whose_rate,
                         who, e);
    if (str_eq_c(name, "property"))
        return kafka_properties_add(list, who, value, e);
    if (str_eq_c(name, "property-env"))
        return kafka_properties_add_from_env(list, who, value, e);
    if (secrets_add(list->secrets, str_c(value)) != RC_OK)
        return err_nomem(e);
    return err_set(
        e, RC_USAGE,
        "%s: is not a parameter (allowed: group, property, property-env, instance, rate-of)", who);
}

static enum rc take_parameters(struct kafka_url *u, struct str text, struct secrets *secrets,
                               struct err *e)
{
    struct kafka_properties list;
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '&';
    enum rc rc = kafka_properties_init(&list, &u->arena, secrets, n);
    if (rc != RC_OK)
        return err_nomem(e);
    while (rc == RC_OK && text.ptr) {
        const char *end = text.len ? memchr(text.ptr, '&', text.len) : NULL;
        struct str one = {text.ptr, end ? (size_t)(end - text.ptr) : text.len};
        rc = take_parameter(u, &list, one, e);
        text = end ? (struct str){end + 1, text.len - one.len - 1} : STR_NONE;
    }
    u->properties = list.list;
    u->n_properties = list.n;
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* USER:PASSWORD@HOST is not possible, and may have been tried. */
static enum rc refuse_target(struct str target, const char *fault, struct secrets *secrets,
                             struct err *e)
{
    const char *at = target.len ? memrchr(target.ptr, '@', target.len) : NULL;
    const char *colon = at ? memchr(target.ptr, ':', (size_t)(at - target.ptr)) : NULL;
    if (colon && secrets_add(secrets, (struct str){colon + 1, (size_t)(at - colon) - 1}) != RC_OK)
        return err_nomem(e);
    return err_set(e, RC_USAGE, "FILE kafka://: what follows %s; write %s", fault, form);
}

static enum rc identify(struct kafka_url *u, struct err *e)
{
    char text[sizeof "kafka:?group=" + KAFKA_TOPIC_BYTES_MAX + KAFKA_GROUP_BYTES_MAX];
    (void)snprintf(text, sizeof text, "kafka:%s?group=%s", u->topic, u->group);
    u->identity = arena_strdup(&u->arena, str_c(text));
    return u->identity ? RC_OK : err_nomem(e);
}

static enum rc parse(struct kafka_url *u, const char *text, struct secrets *secrets, struct err *e)
{
    struct str rest = str_c(text + SCHEME_BYTES);
    const char *mark = rest.len ? memchr(rest.ptr, '?', rest.len) : NULL;
    struct str target = {rest.ptr, mark ? (size_t)(mark - rest.ptr) : rest.len};
    struct str brokers, topic;
    const char *fault = kafka_target_split(target, &brokers, &topic);
    if (fault)
        return refuse_target(target, fault, secrets, e);
    u->brokers = arena_strdup(&u->arena, brokers);
    u->topic = arena_strdup(&u->arena, topic);
    u->name = arena_strdup(&u->arena, (struct str){text, SCHEME_BYTES + target.len});
    if (!u->brokers || !u->topic || !u->name)
        return err_nomem(e);
    enum rc rc =
        mark ? take_parameters(u, (struct str){mark + 1, rest.len - target.len - 1}, secrets, e)
             : RC_OK;
    if (rc == RC_OK && !u->group)
        rc = err_set(e, RC_USAGE,
                     "%s: the consumer group is missing, for which Kafka keeps how far the topic "
                     "was read; write %s",
                     u->name, form);
    return rc == RC_OK ? identify(u, e) : rc;
}

enum rc kafka_url_parse(struct kafka_url *out, const char *text, struct secrets *secrets,
                        struct err *e)
{
    struct kafka_url u = {.name = NULL};
    size_t len = strlen(text);
    if (len > URL_BYTES_MAX / 8)
        return err_set(e, RC_USAGE, "FILE kafka://: has %zu bytes (at most %zu are allowed)", len,
                       URL_BYTES_MAX / 8);
    arena_init(&u.arena, 64 * URL_BYTES_MAX);
    enum rc rc = parse(&u, text, secrets, e);
    if (rc != RC_OK) {
        kafka_url_free(&u);
        return rc;
    }
    *out = u;
    return RC_OK;
}

void kafka_url_free(struct kafka_url *u)
{
    arena_free(&u->arena);
    *u = (struct kafka_url){.name = NULL};
}
