/* What a request brings along: who is told of its end. */
#include "http_world.h"

/* ---- kinds of requests ---------------------------------------------------------------------- */

static void answer(struct world *w, struct peer *p, const struct asked *a)
{
    unsigned i = (unsigned)strtoul(a->path + 1, NULL, 10);
    (void)w;
    reply(p, i == 2 && a->nth < 6 ? "500 x" : "200 OK", a->path);
}

struct kinds {
    unsigned odd, even;
};

static void odd_is_done(void *ctx, struct http_request *r)
{
    struct world *w = ctx;
    struct kinds *k = r->owner;
    assert_int_equal((r - w->requests) % 2, 1);
    k->odd++;
    w->done++;
}

/* Once more, if its answer is the first. */
static void even_is_done(void *ctx, struct http_request *r)
{
    struct world *w = ctx;
    struct kinds *k = r->owner;
    assert_int_equal((r - w->requests) % 2, 0);
    k->even++;
    if (r->attempts == 1 && http_engine_verify(w->engine, r, "doubtful"))
        return;
    w->done++;
}

/* One engine carries requests of several kinds, and each is told of by itself. */
static void each_request_has_its_own_done(void **state)
{
    (void)state;
    struct kinds k = {0, 0};
    struct world *w = world_new(answer);
    world_open(w);
    for (unsigned i = 0; i < 6; i++) {
        struct http_request *r = world_get(w);
        r->owner = &k;
        r->done = i % 2 ? odd_is_done : even_is_done;
    }
    world_run(w);
    assert_int_equal(k.odd, 3);
    assert_int_equal(k.even, 5); /* "/2" was answered with its second try only */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(w->requests[i].status, 200);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_its_own_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
