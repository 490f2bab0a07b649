/* What a stage of a run is given, without a run: a control without a loop, a clock that stands still
 * until the test moves it, memory, a ledger without files, and leads made by hand. Include once in a
 * test program. */
#ifndef LEADPIPE_TESTS_RUN_WORLD_H
#define LEADPIPE_TESTS_RUN_WORLD_H

#include "cmocka_all.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena_pool.h"
#include "core/provider/profile.h"
#include "core/run/control.h"
#include "core/run/outcome.h"
#include "core/source/id_seen.h"

#define WORLD_WALL_MS INT64_C(1700000000000)

struct run_world {
    struct clock clock; /* the first member: its functions are given this */
    _Atomic int64_t now_us;
    struct log_hook log;
    pthread_mutex_t lock; /* of `logged` */
    struct buf logged;    /* a line a message: "LEVEL SUBJECT: TEXT", "-" where there is none */
    struct secrets *secrets;
    struct profile *profile;
    struct control control;
    struct memory memory;
    struct arena_pool *arenas;
    struct outcomes outcomes; /* with a ledger */
};

static inline int64_t run_world_mono_us(const struct clock *c)
{
    return atomic_load(&((const struct run_world *)(const void *)c)->now_us);
}

static inline int64_t run_world_wall_ms(const struct clock *c)
{
    return WORLD_WALL_MS + run_world_mono_us(c) / 1000;
}

static inline void run_world_pass_ms(struct run_world *w, int64_t ms)
{
    atomic_fetch_add(&w->now_us, ms * 1000);
}

static inline void run_world_log(void *ctx, enum log_level level, const char *subject,
                                 const char *msg)
{
    static const char *const names[] = {"error", "warn-always", "warn", "info", "debug"};
    struct run_world *w = ctx;
    pthread_mutex_lock(&w->lock);
    buf_addf(&w->logged, "%s %s: %s\n", names[level], subject ? subject : "-", msg);
    pthread_mutex_unlock(&w->lock);
}

/* `state`: where outcomes are noted too, or NULL. */
static inline void run_world_init(struct run_world *w, struct state *state)
{
    struct err e = {0};
    *w = (struct run_world){.clock = {run_world_mono_us, run_world_wall_ms}};
    atomic_store(&w->now_us, 1000000);
    w->log = (struct log_hook){.write = run_world_log, .ctx = w, .level = LOG_LEVEL_INFO};
    buf_init(&w->logged, (size_t)16 << 20);
    assert_int_equal(pthread_mutex_init(&w->lock, NULL), 0);
    assert_int_equal(secrets_new(&w->secrets), RC_OK);
    if (profile_load(&w->profile, "omni", &e) != RC_OK)
        fail_msg("%s", e.msg);
    w->control.clock = &w->clock;
    w->control.log = &w->log;
    w->control.secrets = w->secrets;
    assert_int_equal(control_init(&w->control), RC_OK);
    memory_init(&w->memory, w->profile, (size_t)64 << 20);
    assert_int_equal(arena_pool_new(&w->arenas), RC_OK);
    const struct ledger_cfg ledger = {.profile = w->profile, .state = state, .clock = &w->clock};
    w->outcomes.control = &w->control;
    w->outcomes.memory = &w->memory;
    if (ledger_new(&w->outcomes.ledger, &ledger, &e) != RC_OK)
        fail_msg("%s", e.msg);
}

/* All leads are gone, and what they had of memory was given back. */
static inline void run_world_free(struct run_world *w)
{
    assert_int_equal(budget_used(&w->memory.budget), 0);
    assert_int_equal(atomic_load(&w->memory.held_bytes), 0);
    assert_false(control_has_threads(&w->control));
    ledger_free(w->outcomes.ledger);
    arena_pool_free(w->arenas);
    control_free(&w->control);
    profile_free(w->profile);
    secrets_free(w->secrets);
    buf_free(&w->logged);
    pthread_mutex_destroy(&w->lock);
}

/* The key that an ID has without parameters. */
static inline void run_world_key(const char *id, unsigned char key[LEAD_KEY_BYTES])
{
    struct err e = {0};
    if (id_key(str_c(id), NULL, 0, key, &e) != RC_OK)
        fail_msg("%s: %s", id, e.msg);
}

/* Fetched and flattened, as far as can be seen from outside: it is ready, and takes memory. Its ID is
 * "id-SEQ". */
static inline struct lead *run_world_lead(struct run_world *w, uint64_t seq)
{
    char id[32];
    (void)snprintf(id, sizeof id, "id-%llu", (unsigned long long)seq);
    struct lead *lead = run_lead_new(str_c(id), NULL, 0);
    assert_non_null(lead);
    lead->seq = seq;
    run_world_key(id, lead->key);
    lead->fingerprint[0] = lead->content_hash[0] = (unsigned char)(seq + 1);
    lead->run->ready = true;
    lead->http_status = 200;
    lead->attempts = 1;
    memory_hold(&w->memory, lead, 1000);
    memory_charge_as(&w->memory, lead, 2000);
    return lead;
}

static inline const char *run_world_counts_text(struct run_world *w, uint64_t unique, char *out,
                                                size_t size)
{
    struct ledger_counts c = ledger_counts(w->outcomes.ledger, unique);
    (void)snprintf(
        out, size,
        "exported %llu, unchanged %llu, missing %llu, failed %llu (%llu by sinks), pending %llu",
        (unsigned long long)c.exported, (unsigned long long)c.unchanged,
        (unsigned long long)c.missing, (unsigned long long)c.failed,
        (unsigned long long)c.failed_by_sink, (unsigned long long)c.pending);
    return out;
}

/* The ledger's counts, as that text, of so many unique IDs. */
static inline void expect_counts(struct run_world *w, uint64_t unique, const char *want)
{
    char got[200];
    assert_string_equal(run_world_counts_text(w, unique, got, sizeof got), want);
}

/* The run must stop, or need not: `want` is part of the error; NULL: there is none. */
static inline void expect_error(struct run_world *w, enum rc rc, const char *want)
{
    struct err e = control_error(&w->control);
    if (e.rc != rc || (want && !strstr(e.msg, want)))
        fail_msg("error: %s: \"%s\", wanted %s: \"%s\"", rc_text(e.rc), e.rc ? e.msg : "",
                 rc_text(rc), want ? want : "");
    assert_int_equal(control_is_stopping(&w->control), rc != RC_OK);
}

#endif
