/* The list of a run, recorded and read again, with every single allocation refused. */
#include "allocation_sweep.h"

#include <fcntl.h>
#include <stdlib.h>

#include "core/run/list_source.h"
#include "folder.h"

#define SOURCE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define STATE_BYTES_MAX 262144

struct world {
    char path[96];
    char sample[STATE_BYTES_MAX]; /* a state with a list before, and an unfinished run's list */
    size_t n_sample;
    int64_t astray; /* blocks that seem to be left by opening and closing the state */

    struct state *state;
    struct list_source *source;
    struct arena arena;
    char got[256];
};

static struct state *open_state(const struct world *w)
{
    const struct state_cfg cfg = {.path = w->path};
    struct state *state = NULL;
    struct err e;
    assert_int_equal(state_open(&state, &cfg, &e), RC_OK);
    return state;
}

static void copy(const char *path, int flags, char *bytes, size_t *n)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    ssize_t done = flags & O_WRONLY ? write(fd, bytes, *n) : read(fd, bytes, STATE_BYTES_MAX);
    assert_true(done > 0 && done < STATE_BYTES_MAX);
    *n = (size_t)done;
    assert_int_equal(close(fd), 0);
}

/* A lead a letter, each with a parameter. */
static struct list_part part_of(struct buf *pack, const char *leads, enum list_part_end end)
{
    const struct str params[] = {STR("p")};
    for (const char *c = leads; *c; c++)
        list_pack_add(pack, (struct str){c, 1}, params, 1);
    return (struct list_part){.end = end, .n = strlen(leads), .pack = buf_str(pack)};
}

static void put(struct state *s, const char *leads, enum list_part_end end)
{
    struct buf pack;
    struct err e;
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    const struct list_part part = part_of(&pack, leads, end);
    assert_int_equal(state_list_put(s, &part, &e), RC_OK);
    buf_free(&pack);
}

static void begin(struct state *s)
{
    struct err e;
    const struct state_list_cfg cfg = {.source = STR(SOURCE), .n_params = 1, .n_lists = 1};
    assert_int_equal(state_begin(s, "0123456789abcdef0123456789abcdef", 1, NULL, 0, &e), RC_OK);
    assert_int_equal(state_list_begin(s, &cfg, &e), RC_OK);
}

static int enter(void **state)
{
    static struct world w;
    struct err e;
    w = (struct world){.astray = 0};
    assert_true(folder_make());
    (void)snprintf(w.path, sizeof w.path, "%s/state", folder);
    struct state *s = open_state(&w);
    begin(s);
    put(s, "abcdefgh", LIST_PART_COMPLETE);
    assert_int_equal(state_publish(s, NULL, 0, STR("record"), &e), RC_OK);
    assert_int_equal(state_finish(s, true, &e), RC_OK);
    begin(s);
    put(s, "hg", LIST_PART_GOES_ON);
    state_close(s);
    copy(w.path, O_RDONLY, w.sample, &w.n_sample);
    int64_t before = memory.blocks;
    state_close(open_state(&w));
    w.astray = memory.blocks - before;
    *state = &w;
    return 0;
}

static int leave(void **state)
{
    (void)state;
    return folder_remove() ? 0 : -1;
}

static void work_begin(void *ctx)
{
    struct world *w = ctx;
    copy(w->path, O_WRONLY | O_TRUNC, w->sample, &w->n_sample);
    w->state = open_state(w);
    w->source = NULL;
    w->got[0] = '\0';
    arena_init(&w->arena, 1 << 20);
}

static enum rc take_all(struct world *w, struct err *e)
{
    struct id_item item;
    enum rc rc;
    while ((rc = list_source(w->source)->ops->next(list_source(w->source), &w->arena, &item, e)) ==
           RC_OK) {
        size_t n = strlen(w->got);
        (void)snprintf(w->got + n, sizeof w->got - n, "%s%s", item.once_more ? "*" : "",
                       item.id.ptr);
        if (item.once_more)
            *item.once_more = *item.id.ptr < 'f';
    }
    return rc == RC_END ? RC_OK : rc;
}

/* A page that is listed; all that was recorded, and listed before; and what is kept of that. */
static enum rc work_run(void *ctx, struct err *e)
{
    struct world *w = ctx;
    const struct source_wait wait = {0, NULL, NULL};
    const struct list_part part = {.end = LIST_PART_COMPLETE};
    const struct str params[] = {STR("p")};
    struct state_run run;
    struct list_queue *queue = NULL;
    bool is_full;
    enum rc rc = state_load(w->state, &run, e);
    if (rc == RC_OK)
        rc = list_queue_new(&queue, 1, &wait, e);
    if (rc == RC_OK)
        rc = list_source_new(&w->source, queue, 1, e);
    if (rc != RC_OK)
        return rc;
    list_source_use(w->source, w->state);
    rc = list_queue_add(queue, STR("x"), params, &is_full, e);
    if (rc == RC_OK)
        rc = list_queue_put(queue, &part, e);
    list_queue_end(queue, RC_END, NULL);
    if (rc == RC_OK)
        rc = take_all(w, e);
    if (rc == RC_OK)
        rc = state_fail(w->state, 5, false, STR("{}\n"), STR("why"), e);
    if (rc == RC_OK)
        rc = list_source_keep(w->source, 8, e);
    return rc == RC_OK ? state_settle(w->state, e) : rc;
}

static void put_parts(struct world *w, struct buf *out)
{
    struct buf pack;
    struct list_part part;
    struct err e;
    uint64_t at = 0;
    buf_init(&pack, LIST_PACK_BYTES_MAX);
    while (state_list_take(w->state, STATE_LISTED_BEFORE, &at, &part, &pack, &e) == RC_OK)
        buf_addf(out, " before %zu:" STR_FMT, part.list, STR_ARG(part.pack));
    at = 0;
    while (state_list_take(w->state, STATE_LISTED, &at, &part, &pack, &e) == RC_OK)
        buf_addf(out, " %d:" STR_FMT, (int)part.end, STR_ARG(part.pack));
    buf_free(&pack);
}

static void work_end(void *ctx, enum rc rc, struct buf *out)
{
    struct world *w = ctx;
    if (rc == RC_OK) {
        buf_adds(out, w->got);
        put_parts(w, out);
    }
    if (w->source)
        list_source(w->source)->ops->close(list_source(w->source));
    arena_free(&w->arena);
    state_close(w->state);
    memory.blocks -= w->astray;
    char log[128];
    (void)snprintf(log, sizeof log, "%s-wal", w->path);
    (void)unlink(log);
}

static void lists(void **state)
{
    sweep(&(struct work){"the list of a run", false, work_begin, work_run, work_end, *state});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
