/* The sinks ndjson and msgpack: files, marks, verdicts. What is in a record: test_record.c. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "lead_sample.h"
#include "folder.h"
#include "sinks/record/record_file.h"
#include "sinks/registry.h"

#define LINE "{\"provider\":\"acme\",\"lead_id\":\"L-1\",\"payload\":" SAMPLE_COMPACT "}\n"

struct world {
    struct sample sample;
    unsigned accepted, other;
    struct record_file_opts opts;
    struct sink_cfg cfg;
    struct err e;
};

static void settle(void *ctx, struct sink *sink, const struct lead *lead, const struct verdict *v)
{
    (void)sink;
    (void)lead;
    struct world *w = ctx;
    w->accepted += v->kind == VERDICT_ACCEPTED;
    w->other += v->kind != VERDICT_ACCEPTED;
}

static int enter(void **state)
{
    static struct world w;
    if (folder_enter(state) != 0)
        return -1;
    w = (struct world){.opts = {.layout = LAYOUT_RAW, .gzip = OPTION_AUTO}};
    w.cfg = (struct sink_cfg){
        .spec = "ndjson:leads.ndjson",
        .target = "leads.ndjson",
        .opts = &w.opts,
        .profile = &w.sample.profile,
        .host = {.ctx = &w, .settle = settle},
    };
    *state = &w;
    return sample_init(&w.sample) ? 0 : -1;
}

static int leave(void **state)
{
    struct world *w = *state;
    sample_free(&w->sample);
    return folder_leave(state);
}

static struct sink *open_ok(struct world *w, const struct sink_ops *ops, const char *target,
                            const struct sink_mark *from)
{
    struct sink *s = NULL;
    w->cfg.target = target;
    if (ops->check(&w->cfg, &w->e) != RC_OK || ops->open(&s, &w->cfg, from, &w->e) != RC_OK)
        fail_msg("%s: %s", target, w->e.msg);
    return s;
}

static void put_ok(struct world *w, struct sink *s, size_t n)
{
    const struct lead *leads[8];
    for (size_t i = 0; i < n; i++)
        leads[i] = &w->sample.lead;
    if (s->ops->put(s, leads, n, &w->e) != RC_OK)
        fail_msg("put: %s", w->e.msg);
}

static void end_ok(struct world *w, struct sink *s, struct sink_file *file)
{
    struct sink_result result;
    if (s->ops->prepare(s, NULL, &w->e) != RC_OK || s->ops->commit(s, &w->e) != RC_OK)
        fail_msg("the end: %s", w->e.msg);
    s->ops->result(s, &result);
    assert_int_equal(result.n_files, 1);
    *file = result.files[0];
}

/* The content of a file, gunzipped where it is compressed. */
static void read_file(const char *path, struct buf *out, bool *was_gzip)
{
    char piece[4096];
    int n;
    gzFile f = gzopen(path, "rb");
    assert_non_null(f);
    buf_init(out, 1 << 20);
    while ((n = gzread(f, piece, sizeof piece)) > 0)
        buf_add(out, piece, (size_t)n);
    assert_int_equal(n, 0);
    *was_gzip = !gzdirect(f);
    gzclose(f);
}

static void expect_lines(const char *path, size_t n, bool gzip)
{
    struct buf got;
    bool was_gzip;
    read_file(path, &got, &was_gzip);
    assert_int_equal(was_gzip, gzip);
    assert_int_equal(got.len, n * strlen(LINE));
    for (size_t i = 0; i < n; i++)
        assert_memory_equal(got.data + i * strlen(LINE), LINE, strlen(LINE));
    buf_free(&got);
}

static void ndjson_writes_a_file(void **state)
{
    struct world *w = *state;
    struct sink_file file;
    w->cfg.want_sha256 = true;
    struct sink *s = open_ok(w, &sink_ndjson, "leads.ndjson", NULL);
    put_ok(w, s, 2);
    put_ok(w, s, 1);
    put_ok(w, s, 0);
    assert_int_equal(w->accepted, 3);
    assert_int_equal(access("leads.ndjson", F_OK), -1);
    end_ok(w, s, &file);
    assert_string_equal(file.path, "leads.ndjson");
    assert_int_equal(file.rows, 3);
    assert_int_equal(file.bytes, 3 * strlen(LINE));
    assert_int_equal(strlen(file.sha256), 64);
    s->ops->close(s);
    expect_lines("leads.ndjson", 3, false);
    assert_int_equal(w->other, 0);
}

struct gzip_row {
    const struct sink_ops *ops;
    const char *target;
    int64_t option;
    bool want;
};

static void gzip_is_decided(void **state)
{
    struct world *w = *state;
    const struct gzip_row rows[] = {
        {&sink_ndjson, "a.ndjson", OPTION_AUTO, false},
        {&sink_ndjson, "b.ndjson.gz", OPTION_AUTO, true},
        {&sink_ndjson, "c.ndjson.gz", 0, false},
        {&sink_ndjson, "d.ndjson", 1, true},
        {&sink_msgpack, "e.msgpack", OPTION_AUTO, true},
        {&sink_msgpack, "f.msgpack.gz", OPTION_AUTO, true},
        {&sink_msgpack, "g.msgpack.gz", 0, false},
        {&sink_msgpack, "h.msgpack", 9, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink_file file;
        struct buf got;
        bool gzip;
        w->opts.gzip = rows[i].option;
        struct sink *s = open_ok(w, rows[i].ops, rows[i].target, NULL);
        put_ok(w, s, 4);
        end_ok(w, s, &file);
        s->ops->close(s);
        read_file(rows[i].target, &got, &gzip);
        if (gzip != rows[i].want || file.rows != 4)
            fail_msg("%s, gzip %u: got %d, %llu rows", rows[i].target, rows[i].option, gzip,
                     (unsigned long long)file.rows);
        buf_free(&got);
    }
}

static void resumes_from_a_mark(void **state)
{
    struct world *w = *state;
    struct sink_mark mark;
    struct sink_file file;
    struct buf text;
    buf_init(&text, 1 << 20);
    struct sink *s = open_ok(w, &sink_ndjson, "leads.ndjson.gz", NULL);
    put_ok(w, s, 2);
    assert_int_equal(s->ops->mark(s, &mark, &w->e), RC_OK);
    buf_add_str(&text, mark.text);
    put_ok(w, s, 3); /* lost: it comes after the mark */
    s->ops->close(s);
    mark.text = buf_str(&text);
    s = open_ok(w, &sink_ndjson, "leads.ndjson.gz", &mark);
    put_ok(w, s, 1);
    end_ok(w, s, &file);
    assert_int_equal(file.rows, 3);
    s->ops->close(s);
    expect_lines("leads.ndjson.gz", 3, true);
    buf_free(&text);
}

static void damaged_marks_are_refused(void **state)
{
    struct world *w = *state;
    static const char *const texts[] = {"", "x", "12", " ", "-1 x", "12 ?"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct sink *s;
        struct sink_mark mark = {.text = str_c(texts[i])};
        if (sink_ndjson.open(&s, &w->cfg, &mark, &w->e) != RC_SYNTAX)
            fail_msg("\"%s\" was taken", texts[i]);
    }
}

static void nothing_is_left_without_commit(void **state)
{
    struct world *w = *state;
    struct sink *s = open_ok(w, &sink_ndjson, "leads.ndjson", NULL);
    put_ok(w, s, 1);
    s->ops->close(s);
    assert_int_equal(system("test -z \"$(ls -A)\""), 0);
}

static void a_folder_is_refused(void **state)
{
    struct world *w = *state;
    w->cfg.spec = "msgpack:out/";
    w->cfg.target = "out/";
    assert_int_equal(sink_msgpack.check(&w->cfg, &w->e), RC_USAGE);
    assert_non_null(strstr(w->e.msg, "msgpack:out/"));
    assert_non_null(strstr(w->e.msg, "out/leads"));
}

static void paths_are_reported(void **state)
{
    struct world *w = *state;
    struct buf paths;
    buf_init(&paths, 1 << 20);
    w->cfg.target = "-";
    assert_int_equal(sink_ndjson.check(&w->cfg, &w->e), RC_OK);
    assert_int_equal(sink_ndjson.paths(&w->cfg, &paths, &w->e), RC_OK);
    assert_int_equal(paths.len, 2);
    assert_memory_equal(paths.data, "-", 2);
    buf_clear(&paths);
    w->cfg.target = "a.ndjson";
    assert_int_equal(sink_ndjson.paths(&w->cfg, &paths, &w->e), RC_OK);
    assert_int_equal(paths.len, 9);
    assert_memory_equal(paths.data, "a.ndjson", 9);
    buf_free(&paths);
}

static void needs_follow_the_layout(void **state)
{
    struct world *w = *state;
    assert_int_equal(sink_ndjson.needs(&w->cfg), SINK_WANTS_COMPACT);
    assert_int_equal(sink_msgpack.needs(&w->cfg), SINK_WANTS_TREE);
    w->opts.layout = LAYOUT_ROWS;
    assert_int_equal(sink_msgpack.needs(&w->cfg), SINK_WANTS_ROWS);
}

/* ---- one file for each table ---- */

static void read_text(const char *path, char *out, size_t size)
{
    struct buf got;
    bool gzip;
    read_file(path, &got, &gzip);
    assert_true(got.len < size);
    memcpy(out, got.data ? got.data : "", got.len);
    out[got.len] = '\0';
    buf_free(&got);
}

#define KEYS "{\"provider\":\"acme\",\"lead_id\":\"L-1\",\"agent_id\":\"a-1\","
#define NOTES KEYS "\"position\":0,\"text\":\"\"}\n" KEYS "\"position\":1,\"shade\":false}\n"

static void a_file_for_each_table(void **state)
{
    struct world *w = *state;
    struct sink_result result;
    struct sink_mark mark;
    char text[4096];
    w->opts.layout = OPTION_AUTO;
    struct sink *s = open_ok(w, &sink_ndjson, "out/deep/", NULL);
    put_ok(w, s, 1);
    assert_int_equal(s->ops->mark(s, &mark, &w->e), RC_OK);
    assert_int_equal(s->ops->sync(s, &w->e), RC_OK);
    char *kept = strndup(mark.text.ptr, mark.text.len);
    mark.text = str_c(kept);
    put_ok(w, s, 2); /* cut off */
    s->ops->close(s);
    s = open_ok(w, &sink_ndjson, "out/deep/", &mark);
    put_ok(w, s, 1);
    assert_int_equal(access("out/deep/leads.ndjson", F_OK), -1);
    assert_int_equal(s->ops->prepare(s, NULL, &w->e), RC_OK);
    assert_int_equal(s->ops->commit(s, &w->e), RC_OK);
    s->ops->result(s, &result);
    assert_int_equal(result.n_files, 2);
    assert_string_equal(result.files[0].table, "leads");
    assert_int_equal(result.files[0].rows, 2);
    assert_string_equal(result.files[1].path, "out/deep/notes.ndjson");
    assert_int_equal(result.files[1].rows, 4);
    assert_int_equal(result.files[1].n_columns, 5);
    s->ops->close(s);
    read_text("out/deep/notes.ndjson", text, sizeof text);
    assert_string_equal(text, NOTES NOTES);
    assert_int_equal(w->accepted, 4);
    for (size_t cut = 0; cut < mark.text.len; cut++) { /* and no mark that is damaged is taken */
        struct sink_mark bad = {{kept, cut}};
        w->e.msg[0] = '\0';
        assert_int_not_equal(sink_ndjson.open(&s, &w->cfg, &bad, &w->e), RC_OK);
    }
    free(kept);
}

static void names_in_a_directory(void **state)
{
    struct world *w = *state;
    static const struct {
        const struct sink_ops *ops;
        int64_t gzip;
        const char *first;
    } rows[] = {
        {&sink_ndjson, OPTION_AUTO, "out/leads.ndjson"},
        {&sink_ndjson, 0, "out/leads.ndjson"},
        {&sink_ndjson, 1, "out/leads.ndjson.gz"},
        {&sink_msgpack, 0, "out/leads.msgpack"},
        {&sink_msgpack, OPTION_AUTO, "out/leads.msgpack.gz"},
    };
    w->opts.layout = LAYOUT_ROWS;
    w->cfg.target = "out/";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf paths;
        buf_init(&paths, 1 << 20);
        w->opts.gzip = rows[i].gzip;
        assert_int_equal(rows[i].ops->check(&w->cfg, &w->e), RC_OK);
        assert_int_equal(rows[i].ops->paths(&w->cfg, &paths, &w->e), RC_OK);
        assert_string_equal(paths.data, rows[i].first);
        buf_free(&paths);
    }
    w->opts.layout = LAYOUT_LEAD;
    assert_int_equal(sink_ndjson.check(&w->cfg, &w->e), RC_USAGE);
    assert_non_null(strstr(w->e.msg, "a directory gets one file per table"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(ndjson_writes_a_file),
        CASE(gzip_is_decided),
        CASE(resumes_from_a_mark),
        CASE(damaged_marks_are_refused),
        CASE(nothing_is_left_without_commit),
        CASE(a_folder_is_refused),
        CASE(paths_are_reported),
        CASE(needs_follow_the_layout),
        CASE(a_file_for_each_table),
        CASE(names_in_a_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
