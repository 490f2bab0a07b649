/* A command and its state, for the tests of what a resumed run begins with. Include once in a test
 * program. */
#ifndef LEADPIPE_TESTS_RESUME_WORLD_H
#define LEADPIPE_TESTS_RESUME_WORLD_H

#include "core/run/resume.h"
#include "run_world.h"
#include "state_world.h"

#define OLD_ID "0123456789abcdef0123456789abcdef"
#define NEW_ID "fedcba9876543210fedcba9876543210"
#define OLD_MS INT64_C(1000)
#define NEW_MS INT64_C(5000)
#define SINKS 2
#define SETTINGS_MAX 4

#define STR_OF(literal)                                                                            \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* A command: sink 0 writes files, sink 1 delivers. */
struct command {
    struct run_world w;
    struct run_cfg cfg;
    struct run_sink_cfg sinks[SINKS];
    struct state_setting settings[SETTINGS_MAX];
    struct resume_plan p;
    unsigned n_failed; /* calls of state_cfg.failed */
};

static inline enum rc no_recovery(const struct sink_cfg *cfg, const struct sink_recovery *r,
                                  struct err *e)
{
    (void)cfg;
    (void)r;
    (void)e;
    return RC_OK;
}

static const struct sink_ops file_ops = {.name = "csv", .recover = no_recovery};
static const struct sink_ops delivery_ops = {.name = "webhook"};

static inline int enter(void **state)
{
    static struct command c;
    if (folder_enter(state) != 0)
        return -1;
    memset(&c, 0, sizeof c);
    run_world_init(&c.w, NULL);
    c.sinks[0] = (struct run_sink_cfg){.ops = &file_ops, .identity = "csv:out"};
    c.sinks[1] = (struct run_sink_cfg){.ops = &delivery_ops, .identity = "webhook:there"};
    c.settings[0] = (struct state_setting){STR("--provider"), STR("omni")};
    c.cfg = (struct run_cfg){.profile = c.w.profile,
                             .state_path = "s",
                             .sinks = c.sinks,
                             .n_sinks = SINKS,
                             .settings = c.settings,
                             .n_settings = 1,
                             .clock = &c.w.clock,
                             .log = &c.w.log};
    *state = &c;
    return 0;
}

static inline int leave(void **state)
{
    struct command *c = *state;
    run_world_free(&c->w);
    return folder_leave(state);
}

static inline void note_failed(void *ctx, const struct err *e)
{
    (void)e;
    ((struct command *)ctx)->n_failed++;
}

static inline enum rc open_plan(struct command *c, struct err *e)
{
    c->p = (struct resume_plan){.cfg = &c->cfg, .run_id = NEW_ID, .started_wall_ms = NEW_MS};
    const struct state_cfg state = {
        .path = c->cfg.state_path, .forgets = c->cfg.fresh, .failed = note_failed, .ctx = c};
    enum rc rc = state_open(&c->p.state, &state, e);
    return rc == RC_OK ? resume_begin(&c->p, e) : rc;
}

static inline void close_plan(struct command *c)
{
    resume_free(&c->p);
    state_close(c->p.state);
}

/* ---- earlier runs ----------------------------------------------------------------------------- */

static inline struct state *begin_old(const struct state_setting *settings, size_t n)
{
    struct err e = {0};
    struct state *s = open_ok("s");
    OK(state_begin(s, OLD_ID, OLD_MS, settings, n, &e));
    return s;
}

static const struct str two_marks[SINKS] = {STR_OF("mark 0"), STR_OF("mark 1")};

static inline void commit(struct state *s, const struct state_checkpoint *c)
{
    struct err e = {0};
    OK(state_checkpoint(s, c, &e));
}

/* Three leads are done and went to both sinks. */
static const struct state_checkpoint three_done = {
    .progress = {.high = 3, .handed = 3, .active_ms = 700}, .marks = two_marks, .n_marks = SINKS};

static inline void leave_unfinished(const struct state_checkpoint *checkpoint)
{
    const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
    struct state *s = begin_old(settings, 1);
    if (checkpoint)
        commit(s, checkpoint);
    state_close(s);
}

static inline void add_delivery(struct state *s, unsigned sink)
{
    const struct state_delivery d = {.id = STR("id"), .leads = STR("leads"), .body = STR("body")};
    struct err e = {0};
    int64_t row;
    OK(state_add_delivery(s, sink, &d, 0, &row, &e));
}

static inline void leave_delivery(unsigned sink, const struct state_checkpoint *checkpoint)
{
    const struct state_setting settings[] = {{STR("--provider"), STR("omni")}};
    struct state *s = begin_old(settings, 1);
    add_delivery(s, sink);
    if (checkpoint)
        commit(s, checkpoint);
    state_close(s);
}

/* The run in the state has this id. */
static inline void expect_run(const char *id, enum state_phase phase)
{
    struct err e = {0};
    struct state *s = open_ok("s");
    struct state_run run;
    OK(state_load(s, &run, &e));
    assert_string_equal(run.run_id, id);
    assert_int_equal(state_phase(s), phase);
    state_close(s);
}

#endif
