/* What the next run says of one that was cut off while publishing: what is recorded of its sinks. */
#include "cmocka_all.h"

#include "core/run/run_record.h"
#include "sinks/registry.h"

static struct table_spec tables[] = {{.name = {"leads", 5}}, {.name = {"notes", 5}}};
static struct profile profile = {.tables = tables, .n_tables = 2};

struct world {
    struct sink_spec spec;
    struct run_sink_cfg sink;
    struct run_cfg cfg;
    struct sink_result sinks[RUN_SINKS_MAX];
    struct arena arena;
};

static void world_init(struct world *w)
{
    *w = (struct world){.sink = {.ops = &sink_csv}};
    assert_int_equal(sink_spec_parse(&w->spec, "csv:x.csv", NULL), RC_OK);
    w->sink.cfg = (struct sink_cfg){
        .spec = w->spec.label, .target = w->spec.target, .opts = w->spec.opts, .profile = &profile};
    w->cfg = (struct run_cfg){
        .sinks = &w->sink, .n_sinks = 1, .profile = &profile, .state_path = "s.state"};
    arena_init(&w->arena, (size_t)1 << 24);
}

static void world_free(struct world *w)
{
    arena_free(&w->arena);
    sink_spec_free(&w->spec);
}

static enum rc read_back(struct world *w, struct str record)
{
    struct run_result out = {.exit_status = 0};
    struct err e = {.msg = ""};
    return run_record_read(&w->cfg, record, &w->arena, w->sinks, &out, &e);
}

static void write_sink(struct world *w, const struct sink_result *sink, struct buf *record)
{
    struct sink_result sinks[] = {*sink};
    const struct run_result result = {.first_failure = "", .sinks = sinks};
    buf_init(record, 1 << 20);
    run_record_write(record, &w->cfg, &result);
    assert_int_equal(buf_rc(record), RC_OK);
}

static void misfits(void **state)
{
    (void)state;
    struct world w;
    struct buf record;
    world_init(&w);
    struct sink_file file = {.path = "x.csv", .rows = 3, .bytes = 9};
    struct sink_misfits list[] = {{"leads", "si\"ze\n", "character varying(3)", 2},
                                  {"notes", "h\xC3\xA9", NULL, 1}};
    const struct sink_result typed = {
        .files = &file, .n_files = 1, .is_typed = true, .misfits = list, .n_misfits = 2};
    write_sink(&w, &typed, &record);
    assert_int_equal(read_back(&w, buf_str(&record)), RC_OK);
    assert_true(w.sinks[0].is_typed && w.sinks[0].n_misfits == 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(w.sinks[0].misfits[i].table, list[i].table);
        assert_string_equal(w.sinks[0].misfits[i].column, list[i].column);
        assert_int_equal(w.sinks[0].misfits[i].n, list[i].n);
        assert_int_equal(!w.sinks[0].misfits[i].type, !list[i].type);
        if (list[i].type)
            assert_string_equal(w.sinks[0].misfits[i].type, list[i].type);
    }
    buf_free(&record);

    const struct sink_result untyped = {.files = &file, .n_files = 1};
    write_sink(&w, &untyped, &record);
    assert_int_equal(read_back(&w, buf_str(&record)), RC_OK);
    assert_true(!w.sinks[0].is_typed && w.sinks[0].n_misfits == 0 && w.sinks[0].files[0].rows == 3);
    buf_free(&record);
    world_free(&w);
}

/* A state may hold anything. */
static void damaged(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"[{\"table\":\"leads\"", "[{\"table\":\"nobody\""},
        {"[{\"table\":\"leads\"", "[{\"table\":7"},
        {"\"column\":\"size\"", "\"column\":null"},
        {"\"column\":\"size\"", "\"other\":1"},
        {"\"type\":\"date\"", "\"type\":7"},
        {"\"count\":2", "\"count\":-2"},
        {"\"count\":2", "\"count\":99999999999999999999"},
        {"\"count\":2", "\"count\":\"2\""},
        {"\"misfits\":[{", "\"misfits\":{\"a\":{"},
        {"\"misfits\":[{", "\"misfits\":[7,{"},
    };
    struct world w;
    world_init(&w);
    struct sink_file file = {.path = "x.csv", .rows = 3, .bytes = 9};
    struct sink_misfits list[] = {{"leads", "size", "date", 2}};
    const struct sink_result typed = {
        .files = &file, .n_files = 1, .is_typed = true, .misfits = list, .n_misfits = 1};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf record, bad;
        write_sink(&w, &typed, &record);
        const char *at = strstr(buf_cstr(&record), rows[i].from);
        assert_non_null(at);
        buf_init(&bad, 1 << 20);
        buf_add(&bad, record.data, (size_t)(at - record.data));
        buf_adds(&bad, rows[i].to);
        buf_adds(&bad, at + strlen(rows[i].from));
        if (read_back(&w, buf_str(&bad)) != RC_USAGE)
            fail_msg("taken: %s", buf_cstr(&bad));
        buf_free(&record);
        buf_free(&bad);
    }
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(misfits), cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
