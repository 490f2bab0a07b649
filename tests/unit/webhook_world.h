/* A webhook sink, its receiver on loopback, and a run that notes every verdict, for tests. */
#ifndef LEADPIPE_TESTS_WEBHOOK_WORLD_H
#define LEADPIPE_TESTS_WEBHOOK_WORLD_H

#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "http_stub.h"
#include "core/sink_http.h"
#include "lead_sample.h"
#include "sinks/registry.h"
#include "sinks/webhook/webhook_config.h"

#define LEADS 16
#define WALL_MS 1614265330123
#define TIME "2021-02-25T15:02:10.123Z"
#define ANSWER(status, extra, body) "HTTP/1.1 " status "\r\nConnection: close\r\n" extra "\r\n" body

#define DATA(id) "{\"provider\":\"acme\",\"lead_id\":\"" id "\",\"payload\":{\"n\":1.10}}"
#define ONE "{\"type\":\"lead.exported\",\"timestamp\":\"" TIME "\",\"data\":"
#define MANY "{\"type\":\"leads.exported\",\"timestamp\":\"" TIME "\",\"data\":["

struct settled {
    enum verdict_kind kind;
    int http_status;
    unsigned n, attempts;
    char code[32], error[256];
};

struct world {
    const struct sink_ops *ops; /* of the sink: a webhook, unless a test says otherwise */
    struct sample sample;
    struct stub stub;
    struct lead leads[LEADS]; /* like the sample's, but for the id: "0", "1", ... */
    char ids[LEADS][4];
    const struct lead *list[LEADS];
    struct webhook_opts opts;
    struct http_retry_cfg retry;
    struct sink_http_cfg http;
    struct clock clock; /* mono_us is real */
    int64_t wall_ms;
    struct sink_cfg cfg;
    struct secrets *secrets;
    struct sink *sink;
    struct sink_result result;
    /* under `lock` until world_end() */
    pthread_mutex_t lock;
    pthread_cond_t more; /* verdicts */
    struct settled settled[LEADS];
};

static inline int64_t world_mono_us(const struct clock *c)
{
    (void)c;
    return clock_mono_us(&clock_system);
}

static inline int64_t world_wall_ms(const struct clock *c)
{
    const char *world = (const char *)c - offsetof(struct world, clock);
    return ((const struct world *)(const void *)world)->wall_ms;
}

static inline void world_settle(void *ctx, struct sink *sink, const struct lead *lead,
                                const struct verdict *v)
{
    (void)sink;
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    struct settled *t = &w->settled[lead - w->leads];
    t->n++;
    t->kind = v->kind;
    t->http_status = v->http_status;
    t->attempts = v->attempts;
    (void)snprintf(t->code, sizeof t->code, "%s", v->code ? v->code : "");
    (void)snprintf(t->error, sizeof t->error, "%s", v->error ? v->error : "");
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
}

static inline void world_make_leads(struct world *w)
{
    for (size_t i = 0; i < LEADS; i++) {
        struct lead *lead = &w->leads[i];
        (void)snprintf(w->ids[i], sizeof w->ids[i], "%zu", i);
        lead->seq = i;
        lead->id = str_c(w->ids[i]);
        lead->params = w->sample.param_values;
        lead->doc.compact = STR("{\"n\":1.10}");
        memset(lead->fingerprint, (int)i, sizeof lead->fingerprint);
        w->list[i] = lead;
    }
}

static inline void world_init(struct world *w)
{
    w->ops = &sink_webhook;
    assert_true(sample_init(&w->sample));
    assert_int_equal(pthread_mutex_init(&w->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&w->more, NULL), 0);
    world_make_leads(w);
    stub_start(&w->stub);
    w->opts = (struct webhook_opts){.batch = 1, .concurrency = 1, .layout = 1};
    w->retry = (struct http_retry_cfg){2, 60000, 10000, 5000};
    w->http = (struct sink_http_cfg){.user_agent = "leadpipe/test", .retry = &w->retry};
    w->clock = (struct clock){.mono_us = world_mono_us, .wall_ms = world_wall_ms};
    w->wall_ms = WALL_MS;
    assert_int_equal(secrets_new(&w->secrets), RC_OK);
    w->cfg = (struct sink_cfg){
        .spec = "webhook:SPEC",
        .target = w->stub.url,
        .opts = &w->opts,
        .profile = &w->sample.profile,
        .http = &w->http,
        .clock = &w->clock,
        .host = {.ctx = w, .settle = world_settle},
        .max_memory = (size_t)512 << 20,
        .secrets = w->secrets,
    };
}

static inline void world_destroy(struct world *w)
{
    stub_free(&w->stub);
    secrets_free(w->secrets);
    sample_free(&w->sample);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
}

static inline void world_begin(struct world *w)
{
    struct err e;
    if (w->ops->check(&w->cfg, &e) != RC_OK || w->ops->open(&w->sink, &w->cfg, NULL, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

static inline void world_put(struct world *w, size_t from, size_t n)
{
    struct err e;
    if (w->ops->put(w->sink, w->list + from, n, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

/* Until these leads have a verdict. */
static inline void wait_settled(struct world *w, size_t from, size_t n)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = from; i < from + n; i++) {
        while (w->settled[i].n == 0)
            pthread_cond_wait(&w->more, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

/* Ends sink and receiver: then all verdicts and requests are there. */
static inline void world_end(struct world *w)
{
    struct err e;
    if (w->ops->prepare(w->sink, NULL, &e) != RC_OK)
        fail_msg("%s", e.msg);
    w->ops->result(w->sink, &w->result);
    w->ops->close(w->sink);
    stub_end(&w->stub);
}

static inline void expect_settled(const struct world *w, size_t from, size_t n,
                                  enum verdict_kind kind, int http_status, const char *error)
{
    for (size_t i = from; i < from + n; i++) {
        const struct settled *t = &w->settled[i];
        if (t->n != 1 || t->kind != kind || t->http_status != http_status ||
            !strstr(t->error, error))
            fail_msg("lead %zu: settled %u times: %d, %d \"%s\", want %d, %d \"%s\"", i, t->n,
                     t->kind, t->http_status, t->error, kind, http_status, error);
    }
}

static inline void expect_body(const struct world *w, size_t i, const char *want)
{
    assert_true(i < w->stub.n);
    assert_string_equal(stub_body(w->stub.requests[i]), want);
}

#endif
