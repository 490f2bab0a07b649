#include "core/kafka/kafka_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/thread.h"

#define THREADS                                                                                    \
    8 /* of librdkafka: its own, those of brokers in general, and of some that are named */
#define POLL_MS 200 /* between looks at whether the run was stopped */
#define TEXT_BYTES 512
#define CLUSTER_BYTES_MAX 128
#define SYSLOG_ERROR 3
#define SYSLOG_WARNING 4

/* ---- texts ---------------------------------------------------------------------------------- */

/* Called on any of librdkafka's threads. What it logs as an error is temporary: it tries again. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    const struct kafka_client *c = handle ? rd_kafka_opaque(handle) : NULL;
    char line[TEXT_BYTES];
    enum log_level shown = level <= SYSLOG_WARNING ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
    if (!c || !log_shows(c->cfg.log, shown))
        return;
    (void)snprintf(line, sizeof line, "%s: %s", facility, text);
    secrets_redact(c->cfg.secrets, line, sizeof line);
    log_msg(c->cfg.log, shown, c->cfg.subject, "%s", line);
}

/* Once per outage: librdkafka's further attempts are not reported. */
static void warn_of_outage(const struct kafka_client *c)
{
    char why[TEXT_BYTES];
    (void)snprintf(why, sizeof why, "%s", c->last_text);
    secrets_redact(c->cfg.secrets, why, sizeof why);
    log_msg(c->cfg.log, LOG_LEVEL_WARN, c->cfg.subject,
            "no broker is connected%s%s; trying again for up to --retry-max-time",
            why[0] ? ": " : "", why);
}

/* Called within kafka_client_serve() and calls that wait. */
static void on_error(rd_kafka_t *handle, int code, const char *text, void *client)
{
    struct kafka_client *c = client;
    (void)handle;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        warn_of_outage(c);
    bool says_more = code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !c->last;
    if (!says_more)
        return;
    c->last = (rd_kafka_resp_err_t)code;
    (void)snprintf(c->last_text, sizeof c->last_text, "%s", text ? text : "");
}

static enum rc rc_of(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return RC_NET;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return RC_AUTH;
    case RD_KAFKA_RESP_ERR__SSL:
        return RC_TLS;
    default:
        return RC_IO;
    }
}

static bool is_fenced(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

enum rc kafka_client_error(const struct kafka_client *c, rd_kafka_resp_err_t code, const char *text,
                           const char *what, struct err *e)
{
    char said[2 * TEXT_BYTES];
    bool has_reason = rc_of(code) == RC_NET && c->last && c->last_text[0];
    (void)snprintf(said, sizeof said, "%s", text && *text ? text : rd_kafka_err2str(code));
    if (has_reason)
        (void)snprintf(said, sizeof said, "%s (%s)", rd_kafka_err2str(code), c->last_text);
    if (is_fenced(code))
        (void)snprintf(said, sizeof said, "%s, and the cluster has fenced off this one",
                       c->cfg.fenced ? c->cfg.fenced : "another process has resumed this run");
    secrets_redact(c->cfg.secrets, said, sizeof said);
    enum rc rc = has_reason ? rc_of(c->last) : rc_of(code);
    return err_set(e, rc == RC_IO && has_reason ? RC_NET : rc, "%s: %s: %s", c->cfg.subject, what,
                   said);
}

/* ---- making --------------------------------------------------------------------------------- */

static void on_delivered(rd_kafka_t *handle, const rd_kafka_message_t *m, void *client)
{
    const struct kafka_client *c = client;
    (void)handle;
    c->cfg.delivered(c->cfg.ctx, m);
}

static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *client)
{
    const struct kafka_client *c = client;
    c->cfg.rebalance(c->cfg.ctx, handle, code, list);
}

/* librdkafka's text may quote the value, which may be a secret. */
static enum rc set_one(const struct kafka_client *c, rd_kafka_conf_t *conf,
                       const struct kafka_property *p, struct err *e)
{
    char text[TEXT_BYTES] = "";
    rd_kafka_conf_res_t res = rd_kafka_conf_set(conf, p->name, p->value, text, sizeof text);
    if (res == RD_KAFKA_CONF_OK)
        return RC_OK;
    bool may_show = res == RD_KAFKA_CONF_UNKNOWN || !kafka_property_is_secret(str_c(p->name));
    secrets_redact(c->cfg.secrets, text, sizeof text);
    return err_set(e, RC_USAGE, "%s: property %s: %s", c->cfg.subject, p->name,
                   may_show ? text : "its value is not valid");
}

static enum rc set_all(const struct kafka_client *c, rd_kafka_conf_t *conf, struct err *e)
{
    const struct kafka_client_cfg *cfg = &c->cfg;
    const struct kafka_property brokers = {"bootstrap.servers", cfg->brokers};
    enum rc rc = set_one(c, conf, &brokers, e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_properties; i++)
        rc = set_one(c, conf, &cfg->properties[i], e);
    for (size_t i = 0; rc == RC_OK && i < cfg->n_own; i++)
        rc = set_one(c, conf, &cfg->own[i], e);
    return rc;
}

enum rc kafka_client_open(struct kafka_client *c, const struct kafka_client_cfg *cfg, struct err *e)
{
    char text[TEXT_BYTES] = "";
    int failed = thread_try(THREADS); /* librdkafka calls abort(), or waits for ever */
    if (failed)
        return err_set(
            e, RC_NOMEM,
            "%s: librdkafka cannot start its threads: %s; allow more processes (ulimit -u, "
            "TasksMax= of systemd), or more memory",
            cfg->subject, strerror(failed));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!conf)
        return err_nomem(e);
    *c = (struct kafka_client){.cfg = *cfg};
    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (cfg->delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    if (cfg->rebalance)
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    enum rc rc = set_all(c, conf, e);
    if (rc == RC_OK) {
        rd_kafka_type_t type = cfg->is_consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
        c->handle = rd_kafka_new(type, conf, text, sizeof text);
        if (!c->handle) {
            secrets_redact(cfg->secrets, text, sizeof text);
            rc = err_set(e, RC_USAGE, "%s: the properties do not fit together: %s", cfg->subject,
                         text);
        }
    }
    if (rc != RC_OK) { /* else the handle has it */
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    /* OAuth tokens are renewed by librdkafka itself, however seldom anybody serves this client. */
    rd_kafka_error_destroy(rd_kafka_sasl_background_callbacks_enable(c->handle));
    return RC_OK;
}

#define SAFE_VERSION 0x020300ff /* of librdkafka: issue 4312 of its project */

void kafka_client_leave(struct kafka_client *c)
{
    c->is_left = rd_kafka_version() < SAFE_VERSION;
}

void kafka_client_close(struct kafka_client *c)
{
    if (c->handle && c->is_left)
        rd_kafka_set_log_level(c->handle, 0); /* whom it would tell is not there any more */
    else if (c->handle)
        rd_kafka_destroy_flags(c->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    c->handle = NULL;
}

void kafka_client_serve(struct kafka_client *c, int ms)
{
    (void)rd_kafka_poll(c->handle, ms);
}

int64_t kafka_client_number(const struct kafka_property *properties, size_t n, const char *name,
                            int64_t otherwise)
{
    int64_t value = otherwise;
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        if (strcmp(properties[i].name, name) != 0)
            continue;
        long long number = strtoll(properties[i].value, &end, 10);
        if (end && end != properties[i].value && !*end && number >= 0)
            value = number;
    }
    return value;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Would waiting longer not help? */
static bool is_final(rd_kafka_resp_err_t code)
{
    enum rc rc = code ? rc_of(code) : RC_OK;
    return rc == RC_AUTH || rc == RC_TLS;
}

static void wait_a_little(struct kafka_client *c)
{
    if (c->is_served)
        (void)stop_timer_wait_writable(c->cfg.stop, -1, POLL_MS);
    else
        kafka_client_serve(c, POLL_MS);
}

/* After a call has failed: may it be made again? */
static bool may_wait(struct kafka_client *c, rd_kafka_resp_err_t code, int64_t until_us)
{
    wait_a_little(c);
    if (is_final(c->last) || is_final(code) || stop_timer_has_begun(c->cfg.stop))
        return false;
    bool may_pass = rc_of(code) == RC_NET || code == RD_KAFKA_RESP_ERR__WAIT_COORD ||
                    code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                    code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
                    code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
                    code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
                    code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
                    code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
                    code == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    return may_pass && clock_mono_us(c->cfg.clock) < until_us;
}

static enum rc gave_up(const struct kafka_client *c, rd_kafka_resp_err_t code, const char *what,
                       struct err *e)
{
    if (stop_timer_has_begun(c->cfg.stop))
        return err_set(e, RC_STOPPED, "%s: %s: the run was stopped", c->cfg.subject, what);
    return kafka_client_error(c, is_final(c->last) ? c->last : code,
                              is_final(c->last) ? c->last_text : NULL, what, e);
}

/* ---- what is in the cluster ------------------------------------------------------------------- */

static int64_t read_bytes_max(rd_kafka_event_t *event)
{
    size_t n = 0, n_entries = 0;
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    const rd_kafka_ConfigResource_t **resources =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &n) : NULL;
    if (n == 0 || rd_kafka_ConfigResource_error(resources[0]))
        return 0;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resources[0], &n_entries);
    for (size_t i = 0; i < n_entries; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value && strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0) {
            long long number = strtoll(value, NULL, 10);
            return number > 0 ? number : 0;
        }
    }
    return 0;
}

/* 0 if the cluster does not say: asking needs a permission. `broker`: the id of any broker. */
static int64_t ask_bytes_max(const struct kafka_client *c, const char *topic, int broker)
{
    char text[TEXT_BYTES];
    int64_t bytes = 0;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->handle);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    if (queue && resource && options) {
        (void)rd_kafka_AdminOptions_set_broker(options, broker, text, sizeof text);
        (void)rd_kafka_AdminOptions_set_request_timeout(options, 5000, text, sizeof text);
        rd_kafka_DescribeConfigs(c->handle, &resource, 1, options, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 6000);
        bytes = event ? read_bytes_max(event) : 0;
        if (event)
            rd_kafka_event_destroy(event);
    }
    if (options)
        rd_kafka_AdminOptions_destroy(options);
    if (resource)
        rd_kafka_ConfigResource_destroy(resource);
    if (queue)
        rd_kafka_queue_destroy(queue);
    return bytes;
}

static rd_kafka_resp_err_t ask_topic(const struct kafka_client *c, rd_kafka_topic_t *topic,
                                     struct kafka_topic_facts *out)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t code = rd_kafka_metadata(c->handle, 0, topic, &metadata, 2000);
    if (code)
        return code;
    const struct rd_kafka_metadata_topic *t = metadata->topic_cnt ? &metadata->topics[0] : NULL;
    code = t ? t->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *out = (struct kafka_topic_facts){.exists = !code, .n_partitions = t ? t->partition_cnt : 0};
    if (!code && metadata->broker_cnt > 0)
        out->message_bytes_max =
            ask_bytes_max(c, rd_kafka_topic_name(topic), metadata->brokers[0].id);
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        code = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_metadata_destroy(metadata);
    return code;
}

enum rc kafka_client_topic(struct kafka_client *c, const char *topic, int64_t wait_ms,
                           struct kafka_topic_facts *out, struct err *e)
{
    int64_t until_us = clock_mono_us(c->cfg.clock) + wait_ms * 1000;
    rd_kafka_topic_t *t = rd_kafka_topic_new(c->handle, topic, NULL);
    if (!t)
        return err_nomem(e);
    rd_kafka_resp_err_t code = ask_topic(c, t, out);
    while (code && may_wait(c, code, until_us))
        code = ask_topic(c, t, out);
    rd_kafka_topic_destroy(t);
    return code ? gave_up(c, code, "cannot ask for the topic", e) : RC_OK;
}

/* Kafka's own ids have 22 characters. */
static bool is_cluster(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");
    return n > 0 && n <= CLUSTER_BYTES_MAX && !id[n];
}

char *kafka_client_cluster(const struct kafka_client *c)
{
    char *id = rd_kafka_clusterid(c->handle, 0);
    if (id && !is_cluster(id)) {
        rd_kafka_mem_free(c->handle, id);
        id = NULL;
    }
    return id;
}

enum rc kafka_client_ends(struct kafka_client *c, const char *topic, int32_t partition,
                          int64_t wait_ms, int64_t *first, int64_t *end, struct err *e)
{
    int64_t until_us = clock_mono_us(c->cfg.clock) + wait_ms * 1000;
    rd_kafka_resp_err_t code;
    do
        code = rd_kafka_query_watermark_offsets(c->handle, topic, partition, first, end, 2000);
    while (code && may_wait(c, code, until_us));
    return code ? gave_up(c, code, "cannot ask for the end of the topic", e) : RC_OK;
}

/* The first error of a partition counts, where the call as a whole has none. */
static rd_kafka_resp_err_t commit_once(const struct kafka_client *c,
                                       rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_commit(c->handle, list, 0);
    for (int i = 0; !code && i < list->cnt; i++)
        code = list->elems[i].err;
    return code;
}

bool kafka_client_is_out(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
           code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
}

enum rc kafka_client_commit(struct kafka_client *c, rd_kafka_topic_partition_list_t *list,
                            int64_t wait_ms, struct err *e)
{
    int64_t until_us = clock_mono_us(c->cfg.clock) + wait_ms * 1000;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!list->cnt)
        return RC_OK;
    do
        code = commit_once(c, list);
    while (code && may_wait(c, code, until_us));
    if (kafka_client_is_out(code))
        return err_set(e, RC_BUSY, "%s: cannot commit offsets: %s", c->cfg.subject,
                       code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID
                           ? "another process has joined the group under this run's name; give "
                             "each worker its own instance=NAME"
                           : "the group has taken this run's partitions away");
    return code ? gave_up(c, code, "cannot commit offsets", e) : RC_OK;
}

/* If the call as a whole succeeds, the first error of a partition counts. */
static rd_kafka_resp_err_t ask_committed(const struct kafka_client *c,
                                         rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_committed(c->handle, list, 2000);
    for (int i = 0; !code && i < list->cnt; i++)
        code = list->elems[i].err;
    return code;
}

enum rc kafka_client_committed(struct kafka_client *c, const char *topic, size_t n, int64_t wait_ms,
                               int64_t out[], struct err *e)
{
    int64_t until_us = clock_mono_us(c->cfg.clock) + wait_ms * 1000;
    if (n == 0)
        return RC_OK;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
    if (!list)
        return err_nomem(e);
    rd_kafka_topic_partition_list_add_range(list, topic, 0, (int32_t)n - 1);
    rd_kafka_resp_err_t code;
    do
        code = ask_committed(c, list);
    while (code && may_wait(c, code, until_us));
    for (int i = 0; !code && i < list->cnt; i++)
        out[list->elems[i].partition] = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code ? gave_up(c, code, "cannot read the committed offsets", e) : RC_OK;
}
