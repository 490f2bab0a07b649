/* The IDs of a run that lists them: recorded ones, new ones, and those that were listed before. */
#include "core/run/list_source.h"

#include "state_world.h"

#define SOURCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct world {
    struct state *state;
    struct list_queue *queue;
    struct list_source *source;
    struct arena arena;
    struct buf got;
    const char *taken; /* of the leads once more, those that the intake takes */
};

static void begin(struct state *s)
{
    struct err e = {0};
    const struct state_list_cfg cfg = {.source = STR(SOURCE), .n_params = 1, .n_lists = 1};
    begin_run(s);
    OK(state_list_begin(s, &cfg, &e));
}

static void world_open(struct world *w, struct state *s)
{
    struct err e = {0};
    const struct source_wait wait = {0, NULL, NULL};
    *w = (struct world){.state = s, .taken = ""};
    arena_init(&w->arena, 1 << 20);
    buf_init(&w->got, 1 << 20);
    OK(list_queue_new(&w->queue, 1, &wait, &e));
    OK(list_source_new(&w->source, w->queue, 1, &e));
    list_source_use(w->source, s);
}

static void world_close(struct world *w)
{
    list_source(w->source)->ops->close(list_source(w->source));
    arena_free(&w->arena);
    buf_free(&w->got);
}

/* A lead a letter. */
static void list(struct world *w, const char *leads, enum list_part_end end)
{
    struct err e = {0};
    const struct list_part part = {.end = end};
    const struct str params[] = {STR("p")};
    bool is_full;
    for (const char *c = leads; *c; c++)
        OK(list_queue_add(w->queue, (struct str){c, 1}, params, &is_full, &e));
    OK(list_queue_put(w->queue, &part, &e));
    if (end != LIST_PART_GOES_ON)
        list_queue_end(w->queue, RC_END, NULL);
}

/* Up to the end, or the first `most`; a star before those that come once more. */
static enum rc take(struct world *w, size_t most)
{
    struct err e = {0};
    struct id_item item;
    enum rc rc = RC_OK;
    while (rc == RC_OK && most--) {
        arena_reset(&w->arena, 0);
        rc = list_source(w->source)->ops->next(list_source(w->source), &w->arena, &item, &e);
        if (rc != RC_OK)
            break;
        buf_addf(&w->got, "%s%s", item.once_more ? "*" : "", item.id.ptr);
        assert_string_equal(item.params[0].ptr, "p");
        if (item.once_more)
            *item.once_more = strchr(w->taken, *item.id.ptr) != NULL;
    }
    return rc;
}

static void expect(struct world *w, const char *leads)
{
    assert_string_equal(buf_cstr(&w->got), leads);
    buf_clear(&w->got);
}

static void without_a_state(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, NULL);
    list(&w, "ab", LIST_PART_GOES_ON);
    assert_int_equal(take(&w, 1), RC_OK);
    assert_int_equal(list_queue_ahead(w.queue), 1);
    list(&w, "c", LIST_PART_COMPLETE);
    assert_int_equal(take(&w, 99), RC_END);
    expect(&w, "abc");
    assert_int_equal(list_queue_ahead(w.queue), 0);
    struct err e = {0};
    OK(list_source_keep(w.source, 3, &e));
    world_close(&w);
}

/* A lead is in the state before it is handed on; and there it is when the run is resumed. */
static void a_resumed_run_has_the_same_list(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    struct state_run run;
    struct state *s = open_ok("s");
    begin(s);
    world_open(&w, s);
    list(&w, "ab", LIST_PART_GOES_ON);
    list(&w, "cd", LIST_PART_GOES_ON);
    assert_int_equal(take(&w, 3), RC_OK);
    expect(&w, "abc");
    OK(wait_durable(s));
    s = crash(s, "s");
    world_close(&w);
    OK(state_load(s, &run, &e));
    world_open(&w, s);
    list(&w, "e", LIST_PART_GOES_ON);
    list(&w, "f", LIST_PART_COMPLETE);
    assert_int_equal(take(&w, 5), RC_OK);
    expect(&w, "abcde");
    assert_int_equal(list_queue_ahead(w.queue), 1);
    assert_int_equal(take(&w, 99), RC_END);
    expect(&w, "f");
    world_close(&w);
    state_close(s);
}

static void finish(struct state *s)
{
    struct err e = {0};
    OK(state_publish(s, NULL, 0, STR("record"), &e));
    OK(state_finish(s, true, &e));
}

/* Behind the list; of those that were taken and failed the next run knows. */
static void those_that_were_listed_before(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    struct state *s = open_ok("s");
    static const struct {
        const char *list, *taken, *want;
        uint64_t failed;
    } nights[] = {
        {"abcdefghij", "", "abcdefghij", 99},
        {"adj", "bcefghi", "adj*a*b*c*d*e*f*g*h*i*j", 8},
        {"ak", "dj", "ak*a*d*j*h",
         0}, /* h did not exist: it is the sixth of the seven that were taken */
        {"k", "a", "k*a*k", 0},
        {"", "", "*k", 0},
    };
    for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
        begin(s);
        world_open(&w, s);
        w.taken = nights[i].taken;
        list(&w, nights[i].list, LIST_PART_COMPLETE);
        assert_int_equal(take(&w, 999), RC_END);
        expect(&w, nights[i].want);
        if (nights[i].failed)
            OK(state_fail(s, nights[i].failed, false, STR("{}\n"), STR("why"), &e));
        OK(list_source_keep(w.source, strlen(nights[i].list) + strlen(nights[i].taken), &e));
        world_close(&w);
        finish(s);
    }
    state_close(s);
}

/* Those behind the end may be on the list: none of them is forgotten until it is missing. */
static void a_list_that_did_not_end(void **state)
{
    (void)state;
    struct world w;
    struct err e = {0};
    struct state *s = open_ok("s");
    static const char *const want[] = {"abcde", "a*a*b*c*d*e", "b*a*b*d*e", "b*b*a*d*e"};
    static const char *const listed[] = {"abcde", "a", "b", "b"};
    static const char *const taken[] = {"", "bcde", "ade", "ade"};
    for (size_t i = 0; i < 4; i++) {
        bool is_missing = true;
        begin(s);
        world_open(&w, s);
        w.taken = taken[i];
        list(&w, listed[i], i == 0 ? LIST_PART_COMPLETE : LIST_PART_INCOMPLETE);
        assert_int_equal(take(&w, 99), RC_END);
        expect(&w, want[i]);
        if (i == 1) /* c: the second of the four that were taken */
            OK(state_miss(s, 2, STR("{}\n"), &e));
        OK(state_is_missing(s, 2, &is_missing, &e));
        assert_int_equal(is_missing, i == 1);
        assert_int_equal(list_source_once_more(w.source), strlen(taken[i]));
        OK(list_source_keep(w.source, strlen(listed[i]) + strlen(taken[i]), &e));
        world_close(&w);
        finish(s);
    }
    state_close(s);
}

static void a_run_that_stops(void **state)
{
    (void)state;
    struct world w;
    struct state *s = open_ok("s");
    begin(s);
    world_open(&w, s);
    list(&w, "ab", LIST_PART_GOES_ON);
    assert_int_equal(take(&w, 1), RC_OK);
    list_queue_end(w.queue, RC_STOPPED, NULL);
    assert_int_equal(take(&w, 99), RC_STOPPED);
    expect(&w, "ab");
    world_close(&w);
    state_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(without_a_state),
        IN_FOLDER(a_resumed_run_has_the_same_list),
        IN_FOLDER(those_that_were_listed_before),
        IN_FOLDER(a_list_that_did_not_end),
        IN_FOLDER(a_run_that_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
