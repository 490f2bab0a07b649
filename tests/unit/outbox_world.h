/* The webhook sink with a state in a folder of its own, for tests: crashes are copies of the state's
 * files as they are at some moment. */
#ifndef LEADPIPE_TESTS_OUTBOX_WORLD_H
#define LEADPIPE_TESTS_OUTBOX_WORLD_H

#include "core/state/state.h"
#include "webhook_world.h"

#include "folder.h"

struct outworld {
    struct world w;
    unsigned n_paths;
    char path[96]; /* of the state at hand */
    struct state *state;
    unsigned state_failures; /* that were reported */
    char *mark;              /* owned; the last one */
    bool done[LEADS];        /* before the run was resumed */
    unsigned asked;          /* for unacknowledged leads */
    bool sent[LEADS];        /* reported as being in a delivery */
};

static inline void out_next_path(struct outworld *o)
{
    (void)snprintf(o->path, sizeof o->path, "%s/state-%u", folder, ++o->n_paths);
}

static inline void out_state_failed(void *ctx, const struct err *e)
{
    struct outworld *o = ctx;
    (void)e;
    pthread_mutex_lock(&o->w.lock);
    o->state_failures++;
    pthread_mutex_unlock(&o->w.lock);
}

static inline void out_open_state(struct outworld *o)
{
    const struct state_cfg cfg = {.path = o->path, .failed = out_state_failed, .ctx = o};
    const struct state_setting term = {STR("provider"), STR("acme")};
    struct err e;
    if (state_open(&o->state, &cfg, &e) != RC_OK ||
        (state_phase(o->state) == STATE_EMPTY &&
         state_begin(o->state, "0123456789abcdef0123456789abcdef", WALL_MS, &term, 1, &e) != RC_OK))
        fail_msg("%s", e.msg);
    o->w.cfg.state = o->state;
}

static inline enum rc out_unacked(void *ctx, struct sink *sink, const struct unacked_lead *unacked,
                                  const struct lead **out, struct err *e)
{
    struct outworld *o = (struct outworld *)ctx;
    (void)sink;
    (void)e;
    o->asked++;
    if (unacked->seq >= LEADS || !str_eq(unacked->id, o->w.leads[unacked->seq].id) ||
        !str_eq(unacked->params[0], o->w.leads[unacked->seq].params[0]) ||
        memcmp(unacked->fingerprint, o->w.leads[unacked->seq].fingerprint, FINGERPRINT_BYTES) != 0)
        return err_set(e, RC_INTERNAL, "a lead that nobody knows");
    *out = o->done[unacked->seq] ? &o->w.leads[unacked->seq] : NULL;
    return RC_OK;
}

static inline enum rc out_sent(void *ctx, struct sink *sink, uint64_t seq, struct err *e)
{
    struct outworld *o = (struct outworld *)ctx;
    (void)sink;
    if (seq >= LEADS || o->sent[seq])
        return err_set(e, RC_INTERNAL, "lead %llu once more", (unsigned long long)seq);
    o->sent[seq] = true;
    return RC_OK;
}

/* Zeroed. */
static inline void out_init(struct outworld *o)
{
    world_init(&o->w);
    o->w.cfg.host.unacked = out_unacked;
    o->w.cfg.host.sent = out_sent;
    o->w.cfg.index = 3;
    assert_true(folder_make());
    out_next_path(o);
    out_open_state(o);
}

static inline int out_enter(void **state)
{
    struct outworld *o = calloc(1, sizeof *o);
    if (!o)
        return -1;
    out_init(o);
    *state = o;
    return 0;
}

static inline int out_destroy(struct outworld *o)
{
    state_close(o->state);
    world_destroy(&o->w);
    free(o->mark);
    return folder_remove() ? 0 : -1;
}

static inline int out_leave(void **state)
{
    int failed = out_destroy(*state);
    free(*state);
    return failed;
}

/* ---- what is in the state ------------------------------------------------------------------- */

struct out_waiter {
    struct state_waiter waiter;
    pthread_mutex_t lock;
    pthread_cond_t called;
    bool is_called;
    enum rc rc;
};

static inline void out_on_durable(struct state_waiter *waiter, enum rc rc)
{
    struct out_waiter *w = (struct out_waiter *)(void *)waiter;
    pthread_mutex_lock(&w->lock);
    w->is_called = true;
    w->rc = rc;
    pthread_cond_signal(&w->called);
    pthread_mutex_unlock(&w->lock);
}

/* Until all that was put into the state so far is durable. */
static inline void out_settle_down(struct outworld *o)
{
    struct out_waiter w = {.waiter = {.fn = out_on_durable},
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .called = PTHREAD_COND_INITIALIZER};
    state_when_durable(o->state, &w.waiter);
    pthread_mutex_lock(&w.lock);
    while (!w.is_called)
        pthread_cond_wait(&w.called, &w.lock);
    pthread_mutex_unlock(&w.lock);
    assert_int_equal(w.rc, RC_OK);
    assert_int_equal(pthread_cond_destroy(&w.called), 0);
    assert_int_equal(pthread_mutex_destroy(&w.lock), 0);
}

/* Any thread. False: it could not be copied. */
static inline bool out_copy_file(const char *from, const char *to, const char *suffix)
{
    char path[128];
    char bytes[65536];
    size_t n;
    bool ok = true;
    (void)snprintf(path, sizeof path, "%s%s", from, suffix);
    FILE *in = fopen(path, "rb");
    if (!in)
        return *suffix != '\0'; /* all that was committed is in the file itself */
    (void)snprintf(path, sizeof path, "%s%s", to, suffix);
    FILE *out = fopen(path, "wb");
    while (out && ok && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
        ok = fwrite(bytes, 1, n, out) == n;
    (void)fclose(in);
    return out && fclose(out) == 0 && ok;
}

static inline bool out_copy_state(const char *from, const char *to)
{
    return out_copy_file(from, to, "") && out_copy_file(from, to, "-wal");
}

/* ---- the run -------------------------------------------------------------------------------- */

static inline enum rc out_open(struct outworld *o, struct err *e)
{
    const struct sink_mark mark = {str_c(o->mark)};
    return o->w.ops->open(&o->w.sink, &o->w.cfg, o->mark ? &mark : NULL, e);
}

static inline void out_begin(struct outworld *o)
{
    struct err e;
    if (out_open(o, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

static inline void out_mark(struct outworld *o)
{
    struct sink_mark mark = {STR_NONE};
    struct err e;
    if (o->w.ops->mark(o->w.sink, &mark, &e) != RC_OK)
        fail_msg("%s", e.msg);
    free(o->mark);
    o->mark = strndup(mark.text.ptr ? mark.text.ptr : "", mark.text.len);
    assert_non_null(o->mark);
}

static inline void out_finish(struct outworld *o)
{
    struct err e;
    if (o->w.ops->prepare(o->w.sink, NULL, &e) != RC_OK)
        fail_msg("%s", e.msg);
    o->w.ops->result(o->w.sink, &o->w.result);
    o->w.ops->close(o->w.sink);
}

/* What is left of a sink and a state that nobody needs any more. */
static inline void out_abandon(struct outworld *o)
{
    o->w.ops->stop(o->w.sink, 0);
    o->w.ops->close(o->w.sink);
    state_close(o->state);
    o->state = NULL;
}

/* A new process, an hour later: the first `done` leads were done. */
static inline void out_resume(struct outworld *o, size_t done)
{
    out_open_state(o);
    for (size_t i = 0; i < LEADS; i++)
        o->done[i] = i < done;
    memset(o->w.settled, 0, sizeof o->w.settled);
    memset(o->sent, 0, sizeof o->sent);
    o->asked = 0;
    o->w.wall_ms += 3600000;
    out_begin(o);
}

/* The power is cut; a new process resumes. */
static inline void out_crash(struct outworld *o, size_t done)
{
    char from[sizeof o->path];
    out_settle_down(o);
    memcpy(from, o->path, sizeof from);
    out_next_path(o);
    assert_true(out_copy_state(from, o->path));
    out_abandon(o);
    out_resume(o, done);
}

/* Ends receiver, sink and run. */
static inline void out_end(struct outworld *o)
{
    out_finish(o);
    stub_end(&o->w.stub);
}

static inline void expect_same_message(const struct outworld *o, size_t a, size_t b)
{
    const struct stub *s = &o->w.stub;
    assert_true(a < s->n && b < s->n);
    assert_string_equal(stub_header(s->requests[a], "webhook-id"),
                        stub_header(s->requests[b], "webhook-id"));
    assert_string_equal(stub_body(s->requests[a]), stub_body(s->requests[b]));
}

#endif
