/* A sink that writes down what it is asked to do, and fails where it is set to. Include once in a test
 * program. */
#ifndef LEADPIPE_TESTS_FAKE_SINK_H
#define LEADPIPE_TESTS_FAKE_SINK_H

#include "run_world.h"

#define FAKE_SINKS_MAX 3
#define FAKE_LEADS_MAX 2048

struct fake_sink {
    struct sink sink; /* the first member */
    struct sink_ops ops;
    const struct sink_cfg *cfg; /* as open() was given it */
    struct buf calls; /* a word a call: "open", "put(0,1)", "mark", ...; of leads their seq */
    char mark[64];

    /* What it does. */
    const char *fails_at; /* the call that fails; NULL: none */
    size_t fails_after;   /* put(): so many leads in all are given their verdict before */
    bool decides_late;    /* verdicts are given by prepare(), flush() or close() */
    bool is_asked_how;    /* prepare() had to say how to finish */
    bool mark_is_absent;  /* mark() leaves out->text as an absent text */
    enum verdict_kind (*kind_of)(uint64_t seq); /* NULL: all are accepted */
    void (*on_put)(struct fake_sink *s, const struct lead *const leads[], size_t n); /* or NULL */
    void *any;

    size_t n_decided, n_put;
    const struct lead *undecided[FAKE_LEADS_MAX];
    size_t n_undecided;
};

static struct fake_sink fake_sinks[FAKE_SINKS_MAX]; /* by sink_cfg.index */

static inline struct fake_sink *fake_of(struct sink *s)
{
    return (struct fake_sink *)s;
}

static inline enum rc fake_call(struct fake_sink *s, const char *name, struct err *e)
{
    buf_addf(&s->calls, "%s%s", s->calls.len ? " " : "", name);
    return s->fails_at && strcmp(s->fails_at, name) == 0 ? err_set(e, RC_IO, "%s failed", name)
                                                         : RC_OK;
}

static inline void fake_decide(struct fake_sink *s, const struct lead *lead, enum verdict_kind kind)
{
    const struct verdict v = {.kind = kind,
                              .http_status = kind == VERDICT_FAILED ? 422 : 0,
                              .error = kind == VERDICT_FAILED ? "refused" : NULL};
    s->n_decided++;
    s->cfg->host.settle(s->cfg->host.ctx, &s->sink, lead, &v);
}

static inline void fake_decide_all(struct fake_sink *s, bool stopped)
{
    for (size_t i = 0; i < s->n_undecided; i++) {
        const struct lead *lead = s->undecided[i];
        enum verdict_kind kind = s->kind_of ? s->kind_of(lead->seq) : VERDICT_ACCEPTED;
        fake_decide(s, lead, stopped ? VERDICT_PENDING : kind);
    }
    s->n_undecided = 0;
}

static inline enum rc fake_open(struct sink **out, const struct sink_cfg *cfg,
                                const struct sink_mark *from, struct err *e)
{
    struct fake_sink *s = &fake_sinks[cfg->index];
    char name[96];
    (void)snprintf(name, sizeof name, "open%s%s", from ? "@" : "", from ? from->text.ptr : "");
    s->cfg = cfg;
    s->sink.ops = &s->ops;
    enum rc rc = fake_call(s, name, e);
    if (rc == RC_OK)
        *out = &s->sink;
    return rc;
}

static inline enum rc fake_put(struct sink *sink, const struct lead *const leads[], size_t n,
                               struct err *e)
{
    struct fake_sink *s = fake_of(sink);
    buf_addf(&s->calls, "%sput(", s->calls.len ? " " : "");
    for (size_t i = 0; i < n; i++)
        buf_addf(&s->calls, "%s%llu", i ? "," : "", (unsigned long long)leads[i]->seq);
    buf_adds(&s->calls, ")");
    if (s->on_put)
        s->on_put(s, leads, n);
    s->n_put += n;
    for (size_t i = 0; i < n; i++) {
        if (s->fails_at && strcmp(s->fails_at, "put") == 0 && s->n_decided >= s->fails_after)
            return err_set(e, RC_IO, "put failed");
        if (s->decides_late)
            s->undecided[s->n_undecided++] = leads[i];
        else
            fake_decide(s, leads[i], s->kind_of ? s->kind_of(leads[i]->seq) : VERDICT_ACCEPTED);
    }
    return RC_OK;
}

static inline enum rc fake_put_missing(struct sink *sink, const struct lead *const leads[],
                                       size_t n, struct err *e)
{
    struct fake_sink *s = fake_of(sink);
    buf_addf(&s->calls, "%smissing(", s->calls.len ? " " : "");
    for (size_t i = 0; i < n; i++)
        buf_addf(&s->calls, "%s%llu", i ? "," : "", (unsigned long long)leads[i]->seq);
    buf_adds(&s->calls, ")");
    if (s->fails_at && strcmp(s->fails_at, "missing") == 0)
        return err_set(e, RC_IO, "missing failed");
    return RC_OK;
}

static inline enum rc fake_mark(struct sink *sink, struct sink_mark *out, struct err *e)
{
    struct fake_sink *s = fake_of(sink);
    (void)snprintf(s->mark, sizeof s->mark, "after %zu", s->n_put);
    out->text = s->mark_is_absent ? STR_NONE : str_c(s->mark);
    return fake_call(s, "mark", e);
}

static inline enum rc fake_prepare(struct sink *sink, struct buf *text, struct err *e)
{
    struct fake_sink *s = fake_of(sink);
    enum rc rc = fake_call(s, "prepare", e);
    s->is_asked_how = text != NULL;
    if (text)
        buf_addf(text, "of %u", s->cfg->index);
    fake_decide_all(s, false);
    return rc;
}

static inline enum rc fake_flush(struct sink *sink, struct err *e)
{
    struct fake_sink *s = fake_of(sink);
    enum rc rc = fake_call(s, "flush", e);
    fake_decide_all(s, false);
    return rc;
}

static inline enum rc fake_roll_back(struct sink *sink, struct err *e)
{
    return fake_call(fake_of(sink), "roll_back", e);
}

static inline void fake_stop(struct sink *sink, int64_t grace_ms)
{
    struct err e;
    char name[64];
    (void)snprintf(name, sizeof name, "stop(%lld)", (long long)grace_ms);
    (void)fake_call(fake_of(sink), name, &e);
}

static inline void fake_close(struct sink *sink)
{
    struct err e;
    (void)fake_call(fake_of(sink), "close", &e);
    fake_decide_all(fake_of(sink), true);
}

/* Zeroes sink number `index`. */
static inline struct fake_sink *fake_init(unsigned index)
{
    struct fake_sink *s = &fake_sinks[index];
    memset(s, 0, sizeof *s);
    s->ops = (struct sink_ops){.name = "fake",
                               .open = fake_open,
                               .put = fake_put,
                               .put_missing = fake_put_missing,
                               .mark = fake_mark,
                               .prepare = fake_prepare,
                               .flush = fake_flush,
                               .roll_back = fake_roll_back,
                               .close = fake_close};
    buf_init(&s->calls, (size_t)16 << 20);
    return s;
}

static inline void fake_free(struct fake_sink *s)
{
    buf_free(&s->calls);
}

#endif
