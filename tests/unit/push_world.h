/* The sink `push` with a state and a CRM on loopback, for tests: the webhook's world, and a destination. */
#ifndef LEADPIPE_TESTS_PUSH_WORLD_H
#define LEADPIPE_TESTS_PUSH_WORLD_H

#include "outbox_world.h"
#include "sinks/push/push_config.h"

struct pushworld {
    struct outworld o;
    struct push_opts opts;
    struct arena arena; /* of the leads' payloads */
    char target[96];
};

/* {"k":"0"} to {"k":"2"}, again and again. */
static inline void push_payloads(struct pushworld *p)
{
    struct world *w = &p->o.w;
    for (size_t i = 0; i < LEADS; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "{\"k\":\"%zu\"}", i % 3);
        assert_int_equal(json_parse(&p->arena, str_c(text), JSON_TREE, &w->leads[i].doc, NULL),
                         RC_OK);
        w->leads[i].root = w->leads[i].doc.root;
        w->leads[i].tables = w->sample.rows;
    }
}

static inline int push_enter(void **state)
{
    struct pushworld *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    out_init(&p->o);
    arena_init(&p->arena, (size_t)1 << 20);
    push_payloads(p);
    (void)snprintf(p->target, sizeof p->target, "%s/crm.json", folder);
    p->opts.concurrency = 1;
    assert_int_equal(setenv("PUSH_TEST_ID", "i&d", 1) | setenv("PUSH_TEST_SECRET", "s e", 1), 0);
    struct world *w = &p->o.w;
    w->ops = &sink_push;
    w->cfg.opts = &p->opts;
    w->cfg.target = p->target;
    w->cfg.spec = "push:SPEC";
    w->cfg.run_id = "0123456789abcdef0123456789abcdef";
    w->cfg.started_ms = WALL_MS;
    *state = p;
    return 0;
}

static inline int push_leave(void **state)
{
    struct pushworld *p = *state;
    arena_free(&p->arena);
    int failed = out_destroy(&p->o);
    free(p);
    return failed;
}

#define PUSH_ITEM "{\"id\":{\"$field\":\"lead_id\"}}"
#define PUSH_ANSWER                                                                                \
    "{\"ok\":[200],\"results\":{\"at\":\"/r\",\"match\":{\"entry\":\"\",\"item\":\"/id\"}},"       \
    "\"errors\":{\"at\":\"/e\",\"match\":{\"entry\":\"/id\",\"item\":\"/id\"},\"code\":\"/code\"," \
    "\"message\":\"/m\"},\"code\":\"/code\",\"message\":\"/m\",\"retry_if\":[\"LOCKED\"]"
#define PUSH_BATCH(n) "\"batch\":{\"max_items\":" #n "},\"body\":{\"in\":{\"$items\":true}},"

/* The members that differ, the item, and the end of "answer". */
static inline void push_destination(struct pushworld *p, const char *members, const char *item,
                                    const char *answer)
{
    FILE *f = fopen(p->target, "w");
    assert_non_null(f);
    (void)fprintf(f,
                  "{\"destination\":1,\"method\":\"POST\",\"url\":\"%s\",%s\"item\":%s,"
                  "\"limits\":{\"gate\":[[403,\"LIMIT\"]]},\"answer\":%s}}",
                  p->o.w.stub.url, members, item, answer);
    assert_int_equal(fclose(f), 0);
}

/* As push_destination(), with OAuth 2.0 and one item a request. */
static inline void push_oauth2(struct pushworld *p, const char *answer)
{
    char auth[256];
    const char *path = strrchr(p->o.w.stub.url, '/');
    (void)snprintf(auth, sizeof auth,
                   "\"auth\":{\"oauth2\":{\"grant\":\"client_credentials\",\"token_url\":"
                   "\"%.*s/token\",\"id_env\":\"PUSH_TEST_ID\",\"secret_env\":"
                   "\"PUSH_TEST_SECRET\"}},",
                   (int)(path - p->o.w.stub.url), p->o.w.stub.url);
    push_destination(p, auth, PUSH_ITEM, answer);
}

#define OK_ANSWER(body) ANSWER("200 OK", "", body)

#endif
