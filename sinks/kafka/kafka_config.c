#include "sinks/kafka/kafka_config.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/kafka/kafka_properties.h"
#include "core/kafka/kafka_url.h"
#include "core/sink_http.h"

#define CONFIG_BYTES_MAX ((size_t)4 << 20)
#define QUEUE_BYTES_MIN ((size_t)4 << 20)
#define QUEUE_BYTES_MAX ((size_t)32 << 20)
#define MESSAGE_BYTES_MAX 1000000000 /* of librdkafka */
#define WHO_BYTES 1024

#define AT(type, member) OPTION_AT(struct kafka_opts, type, member)

const struct option_spec kafka_options[] = {
    {.name = "layout",
     AT(CHOICE, layout),
     .choices = "lead|rows|raw", /* in the order of enum record_layout */
     .default_note = "lead; with topic-per-table rows, without _table",
     .help = "one message per lead, one per row, or per lead its payload as received"},
    {.name = "key",
     AT(CHOICE, key),
     .choices = "lead_id|none", /* in the order of enum kafka_key */
     .default_text = "lead_id",
     .help = "key of each message"},
    {.name = "topic-per-table",
     AT(FLAG, topic_per_table),
     .help = "the rows of each table go to a topic of their own, TOPIC.TABLE"},
    {.name = "compression",
     AT(CHOICE, compression),
     .choices = KAFKA_COMPRESSIONS,
     .default_text = "none",
     .flags = OPTION_MAY_CHANGE,
     .help = "compression of messages"},
    {.name = "missing",
     AT(TEXT, missing),
     .arg = "TOPIC",
     .default_note = "the topic with .missing behind its name",
     .flags = OPTION_MAY_CHANGE,
     .help = "with IDs from a topic of the same brokers: topic for missing leads"},
    {.name = "failed",
     AT(TEXT, failed),
     .arg = "TOPIC",
     .default_note = "the topic with .failed behind its name",
     .flags = OPTION_MAY_CHANGE,
     .help = "the same for failed leads"},
    {.name = "property",
     AT(LIST, properties),
     .arg = "NAME=VALUE",
     .flags = OPTION_MAY_CHANGE,
     .help = "set a property of librdkafka; repeatable"},
    {.name = "property-env",
     AT(LIST, property_envs),
     .arg = "NAME=VARIABLE",
     .flags = OPTION_MAY_CHANGE,
     .help = "the same, with the value in an environment variable: for passwords; repeatable"},
    {.name = NULL},
};

/* ---- properties ----------------------------------------------------------------------------- */

/* What is given in a wrong place may be a secret. */
static enum rc hide(const struct sink_cfg *cfg, struct str given, struct err *e)
{
    return secrets_add(cfg->secrets, given) == RC_OK ? RC_OK : err_nomem(e);
}

/* The partitioner of the Java client, so that topics written by both can be joined. */
static const struct kafka_property defaults[] = {
    {"partitioner", "murmur2_random"},
    {"client.id", "leadpipe"},
};

#define N_DEFAULTS (sizeof defaults / sizeof *defaults)

static enum rc make_properties(struct kafka_config *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct kafka_opts *opts = cfg->opts;
    struct kafka_properties list;
    char who[WHO_BYTES];
    const struct kafka_url *from = c->failed ? cfg->ids_topic : NULL;
    size_t n_inherited = from ? from->n_properties : 0;
    enum rc rc = kafka_properties_init(&list, &c->arena, cfg->secrets,
                                       N_DEFAULTS + n_inherited + opts->properties.n +
                                           opts->property_envs.n);
    if (rc != RC_OK)
        return err_nomem(e);
    for (; list.n < N_DEFAULTS; list.n++)
        list.list[list.n] = defaults[list.n];
    for (size_t i = 0; i < n_inherited; i++)
        list.list[list.n++] = from->properties[i];
    (void)snprintf(who, sizeof who, "%s: option property", cfg->spec);
    for (size_t i = 0; rc == RC_OK && i < opts->properties.n; i++)
        rc = kafka_properties_add(&list, who, opts->properties.items[i], e);
    (void)snprintf(who, sizeof who, "%s: option property-env", cfg->spec);
    for (size_t i = 0; rc == RC_OK && i < opts->property_envs.n; i++)
        rc = kafka_properties_add_from_env(&list, who, opts->property_envs.items[i], e);
    c->properties = list.list;
    c->n_properties = list.n;
    c->message_max = kafka_client_number(c->properties, c->n_properties, "message.max.bytes", 0);
    if (c->message_max > MESSAGE_BYTES_MAX)
        c->message_max = MESSAGE_BYTES_MAX;
    return rc;
}

/* ---- topics --------------------------------------------------------------------------------- */

enum record_layout kafka_config_layout(const struct kafka_opts *opts)
{
    if (opts->topic_per_table)
        return LAYOUT_TABLE;
    return opts->layout == OPTION_AUTO ? LAYOUT_LEAD : (enum record_layout)opts->layout;
}

static enum rc add_topic(struct kafka_config *c, const struct sink_cfg *cfg, struct str topic,
                         struct str table, struct err *e)
{
    struct buf name;
    buf_init(&name, CONFIG_BYTES_MAX);
    buf_add_str(&name, topic);
    if (table.ptr)
        buf_addf(&name, "." STR_FMT, STR_ARG(table));
    enum rc rc = buf_rc(&name) == RC_OK ? RC_OK : err_nomem(e);
    if (rc == RC_OK && !kafka_topic_is_valid(buf_str(&name)))
        rc = err_set(e, RC_USAGE,
                     "%s: option topic-per-table: %s is not a topic (allowed: 1 to %d letters, "
                     "digits and . _ -)",
                     cfg->spec, buf_cstr(&name), KAFKA_TOPIC_BYTES_MAX);
    if (rc == RC_OK) {
        c->topics[c->n_topics] = arena_strdup(&c->arena, buf_str(&name));
        rc = c->topics[c->n_topics++] ? RC_OK : err_nomem(e);
    }
    buf_free(&name);
    return rc;
}

static bool takes_port(struct str broker)
{
    return broker.len && broker.ptr[broker.len - 1] != ']' && memrchr(broker.ptr, ':', broker.len);
}

/* The port is 9092 where none is given. */
static bool is_same_broker(struct str a, struct str b)
{
    const struct str port = STR(":9092");
    struct str longer = a.len < b.len ? b : a;
    struct str shorter = a.len < b.len ? a : b;
    if (str_eq(a, b))
        return true;
    return !takes_port(shorter) && longer.len == shorter.len + port.len &&
           str_eq((struct str){longer.ptr, shorter.len}, shorter) &&
           str_eq((struct str){longer.ptr + shorter.len, port.len}, port);
}

static struct str next_broker(struct str *rest)
{
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    struct str one = {rest->ptr, comma ? (size_t)(comma - rest->ptr) : rest->len};
    *rest = comma ? (struct str){comma + 1, rest->len - one.len - 1} : STR_NONE;
    return one;
}

bool kafka_config_is_queue(const struct sink_cfg *cfg)
{
    struct str brokers, topic;
    if (!cfg->ids_topic || kafka_target_split(str_c(cfg->target), &brokers, &topic))
        return false;
    for (struct str mine = brokers; mine.ptr;) {
        struct str one = next_broker(&mine);
        for (struct str theirs = str_c(cfg->ids_topic->brokers); theirs.ptr;) {
            if (is_same_broker(one, next_broker(&theirs)))
                return true;
        }
    }
    return false;
}

static enum rc make_lead_topic(struct kafka_config *c, const struct sink_cfg *cfg,
                               const char *given, struct str topic, const char *name,
                               const char **out, struct err *e)
{
    struct buf text;
    if (given && !kafka_topic_is_valid(str_c(given)))
        return err_set(e, RC_USAGE,
                       "%s: option %s: is not a topic (allowed: 1 to %d letters, digits and . _ -)",
                       cfg->spec, name, KAFKA_TOPIC_BYTES_MAX);
    buf_init(&text, CONFIG_BYTES_MAX);
    if (given)
        buf_adds(&text, given);
    else
        buf_addf(&text, STR_FMT ".%s", STR_ARG(topic), name);
    *out = buf_rc(&text) == RC_OK ? arena_strdup(&c->arena, buf_str(&text)) : NULL;
    buf_free(&text);
    if (*out && !kafka_topic_is_valid(str_c(*out)))
        return err_set(e, RC_USAGE, "%s: %s is longer than %d bytes; name a topic with option %s",
                       cfg->spec, *out, KAFKA_TOPIC_BYTES_MAX, name);
    return *out ? RC_OK : err_nomem(e);
}

static enum rc make_lead_topics(struct kafka_config *c, const struct sink_cfg *cfg,
                                struct str topic, struct err *e)
{
    const struct kafka_opts *opts = cfg->opts;
    if (kafka_config_is_queue(cfg)) {
        enum rc rc = make_lead_topic(c, cfg, opts->missing, topic, "missing", &c->missing, e);
        return rc == RC_OK ? make_lead_topic(c, cfg, opts->failed, topic, "failed", &c->failed, e)
                           : rc;
    }
    if (opts->missing || opts->failed)
        return err_set(e, RC_USAGE,
                       "%s: option %s: needs IDs from a topic of the same brokers (FILE "
                       "kafka://...); use --missing and --failed",
                       cfg->spec, opts->missing ? "missing" : "failed");
    return RC_OK;
}

/* USER:PASSWORD@HOST is not allowed, but a user may have tried it. */
static enum rc hide_password(const struct sink_cfg *cfg, struct err *e)
{
    const char *at = strrchr(cfg->target, '@');
    const char *colon = at ? memchr(cfg->target, ':', (size_t)(at - cfg->target)) : NULL;
    return colon ? hide(cfg, (struct str){colon + 1, (size_t)(at - colon) - 1}, e) : RC_OK;
}

static enum rc make_topics(struct kafka_config *c, const struct sink_cfg *cfg, struct err *e)
{
    const struct kafka_opts *opts = cfg->opts;
    size_t n = opts->topic_per_table ? cfg->profile->n_tables : 1;
    struct str brokers = STR_NONE, topic = STR_NONE;
    const char *fault = kafka_target_split(str_c(cfg->target), &brokers, &topic);
    enum rc rc = fault ? hide_password(cfg, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    if (fault)
        return err_set(e, RC_USAGE, "%s: the target %s", cfg->spec, fault);
    if (opts->topic_per_table && opts->layout != OPTION_AUTO && opts->layout != LAYOUT_ROWS)
        return err_set(e, RC_USAGE, "%s: option topic-per-table: needs layout=rows (its default)",
                       cfg->spec);
    c->brokers = arena_strdup(&c->arena, brokers);
    c->topics = arena_array(&c->arena, n, sizeof *c->topics);
    if (!c->brokers || !c->topics)
        return err_nomem(e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = add_topic(c, cfg, topic,
                       opts->topic_per_table ? cfg->profile->tables[i].name : STR_NONE, e);
    return rc == RC_OK ? make_lead_topics(c, cfg, topic, e) : rc;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static size_t queue_bytes_for(const struct sink_cfg *cfg, int64_t message_max)
{
    size_t bytes = cfg->max_memory / 8;
    if (bytes > QUEUE_BYTES_MAX)
        bytes = QUEUE_BYTES_MAX;
    if (bytes < QUEUE_BYTES_MIN)
        bytes = QUEUE_BYTES_MIN;
    return bytes < 2 * (size_t)message_max ? 2 * (size_t)message_max : bytes;
}

enum rc kafka_config_make(struct kafka_config *out, const struct sink_cfg *cfg, struct err *e)
{
    const struct kafka_opts *opts = cfg->opts;
    struct kafka_config c = {.layout = kafka_config_layout(opts),
                             .has_key = opts->key == KAFKA_KEY_LEAD_ID,
                             .retry_max_ms = cfg->http->retry->retry_max_time_ms};
    arena_init(&c.arena, CONFIG_BYTES_MAX);
    enum rc rc = make_topics(&c, cfg, e);
    if (rc == RC_OK)
        rc = make_properties(&c, cfg, e);
    if (rc != RC_OK) {
        kafka_config_free(&c);
        return rc;
    }
    c.queue_bytes = queue_bytes_for(cfg, c.message_max);
    *out = c;
    return RC_OK;
}

void kafka_config_free(struct kafka_config *c)
{
    arena_free(&c->arena);
    *c = (struct kafka_config){0};
}

size_t kafka_config_queue_bytes(const struct sink_cfg *cfg)
{
    static const char name_of_max[] = "message.max.bytes";
    const struct kafka_opts *opts = cfg->opts;
    const struct kafka_url *from = kafka_config_is_queue(cfg) ? cfg->ids_topic : NULL;
    int64_t message_max =
        from ? kafka_client_number(from->properties, from->n_properties, name_of_max, 0) : 0;
    for (size_t i = 0; i < opts->properties.n; i++) {
        struct str name, value;
        if (!kafka_property_split(str_c(opts->properties.items[i]), &name, &value) ||
            !str_eq_c(name, name_of_max))
            continue;
        const struct kafka_property p = {name_of_max, value.ptr};
        message_max = kafka_client_number(&p, 1, p.name, 0);
    }
    return queue_bytes_for(cfg, message_max > MESSAGE_BYTES_MAX ? MESSAGE_BYTES_MAX : message_max);
}

struct kafka_client_cfg kafka_config_client(const struct kafka_config *c,
                                            const struct sink_cfg *cfg)
{
    return (struct kafka_client_cfg){
        .subject = cfg->spec,
        .log = cfg->log,
        .secrets = cfg->secrets,
        .clock = cfg->clock,
        .stop = cfg->stop,
        .brokers = c->brokers,
        .properties = c->properties,
        .n_properties = c->n_properties,
        .fenced = c->failed && cfg->ids_topic->instance
                      ? "another worker of the group has the same name (give each worker its own "
                        "instance=NAME)"
                      : NULL,
    };
}
