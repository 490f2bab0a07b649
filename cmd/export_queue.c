#include "cmd/export_queue.h"

#include <stdlib.h>

#include "core/kafka/kafka_instance.h"
#include "core/kafka_source/kafka_source.h"

#define QUEUE_MEMORY ((size_t)16 << 20) /* messages, here and in librdkafka */
#define CHECK_MS 10000

struct export_queue {
    struct kafka_url url;
    struct kafka_source_cfg source;
    struct kafka_instance instance; /* without instance= */
};

/* The sink, which may name its transactions after the member, looks at the URL. */
static void name_member(struct export_queue *q)
{
    const char *why;
    if (q->url.instance)
        return;
    if (kafka_instance_claim(&q->instance, q->url.group, &why)) {
        q->url.instance = q->instance.name;
        q->source.has_host_name = true;
    } else {
        log_msg(q->source.log, LOG_LEVEL_INFO, q->url.name,
                "joins the group %s as a dynamic member: %s", q->url.group, why);
    }
}

static enum rc open_queue(struct id_source **out, void *queue, const struct source_wait *wait,
                          enum source_commits commits, bool is_recorded, struct err *e)
{
    struct export_queue *q = queue;
    name_member(q);
    struct kafka_source_cfg cfg = q->source;
    cfg.commits = commits;
    cfg.is_recorded = is_recorded;
    return kafka_source_open(out, &cfg, wait, e);
}

static const char *queue_among(const struct text_list *files)
{
    for (size_t i = 0; i < files->n; i++) {
        if (kafka_url_is(files->items[i]))
            return files->items[i];
    }
    return NULL;
}

/* What a run that reads files can do, and one that shares a topic with others cannot. */
static enum rc check_options(const struct export *x, struct err *e)
{
    const struct export_options *o = &x->options;
    const struct {
        bool is_given;
        const char *why;
    } refusals[] = {
        {o->files.n > 1, "FILE kafka://: must be the only FILE"},
        {o->shard != NULL,
         "--shard: cannot be used with FILE kafka://, whose group shares the messages among its "
         "members: start several, without --shard"},
        {o->state_path != NULL,
         "--state: cannot be used with FILE kafka://: how far the topic was read is in Kafka, as "
         "the offsets of the group"},
        {o->follow && o->failed_path,
         "--failed: cannot be used with --follow: the list would only appear when the run ends; "
         "from topic to topic, failed leads go to TOPIC.failed; otherwise, there is a warning for "
         "each"},
        {o->follow && o->missing_path,
         "--missing: cannot be used with --follow: the list would only appear when the run ends; "
         "from topic to topic, missing leads go to TOPIC.missing; otherwise, there is a warning "
         "for each"},
        {o->id_format != ID_FORMAT_AUTO,
         "--id-format: cannot be used with FILE kafka://: a message is an ID, or a JSON object"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].is_given)
            return err_set(e, RC_USAGE, "%s", refusals[i].why);
    }
    return RC_OK;
}

/* A sink may commit the offsets with its messages: then there is no other, and order is that of the topic. */
static enum rc pair_with_sinks(struct export *x, const struct export_queue *q, struct err *e)
{
    for (size_t i = 0; i < x->cfg.n_sinks; i++) {
        struct run_sink_cfg *sink = &x->run_sinks[i];
        sink->cfg.ids_topic = &q->url;
        if (x->options.follow && !sink->ops->delivers)
            return err_set(e, RC_USAGE,
                           "%s: cannot be used with --follow: its output only appears when the run "
                           "ends, and a run with --follow does not; use webhook, push or kafka, or "
                           "start runs without --follow from a timer",
                           sink->cfg.spec);
        if (!sink->ops->takes_place || !sink->ops->takes_place(&sink->cfg))
            continue;
        if (x->cfg.n_sinks > 1)
            return err_set(e, RC_USAGE,
                           "%s: must be the only sink, as its brokers are those of FILE kafka://: "
                           "leads and offsets are in one transaction, which other sinks cannot be "
                           "in; run once more with another group for the others",
                           sink->cfg.spec);
        if (x->cfg.order == ORDER_ANY)
            return err_set(e, RC_USAGE,
                           "--order any: cannot be used when both IDs and leads are in topics of "
                           "the same brokers, as offsets are committed in order");
    }
    return RC_OK;
}

enum rc export_set_queue(struct export *x, struct err *e)
{
    const char *text = queue_among(&x->options.files);
    if (!text && x->options.follow)
        return err_set(e, RC_USAGE, "--follow: needs FILE kafka://BROKERS/TOPIC?group=GROUP");
    if (!text)
        return RC_OK;
    struct export_queue *q = calloc(1, sizeof *q);
    if (!q)
        return err_nomem(e);
    q->instance.fd = -1;
    x->queue = q;
    enum rc rc = kafka_url_parse(&q->url, text, x->secrets, e);
    if (rc == RC_OK)
        rc = check_options(x, e);
    if (rc != RC_OK)
        return rc;
    q->source = (struct kafka_source_cfg){
        .url = &q->url,
        .ids = &x->cfg.ids,
        .has_no_end = x->options.follow,
        .retry_max_ms = x->cfg.retry.retry_max_time_ms,
        .secrets = x->secrets,
        .log = x->cfg.log,
        .clock = x->cfg.clock,
        .stop = x->cfg.stop,
    };
    x->cfg.ids.n_files = 0;
    rc = pair_with_sinks(x, q, e);
    if (rc != RC_OK)
        return rc;
    x->cfg.queue = (struct run_queue_cfg){
        .open = open_queue,
        .ctx = q,
        .name = q->url.name,
        .max_memory = QUEUE_MEMORY,
        .has_no_end = x->options.follow,
        .shares_rate = !q->url.rate_of || strcmp(q->url.rate_of, "group") == 0,
    };
    return RC_OK;
}

void export_queue_free(struct export_queue *q)
{
    if (!q)
        return;
    kafka_instance_release(&q->instance);
    kafka_url_free(&q->url);
    free(q);
}

void export_check_queue(const struct export *x, const struct findings *f)
{
    struct err e;
    if (!x->queue)
        return;
    if (kafka_source_check(&x->queue->source, CHECK_MS, &e) == RC_OK)
        findings_add(f, FINDING_OK, "source", "%s: the brokers answer, and the topic exists",
                     x->queue->url.name);
    else
        findings_add(f, FINDING_FAIL, "source", "%s", e.msg);
}
