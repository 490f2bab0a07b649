#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "folder.h"
#include "lead_sample.h"
#include "sinks/registry.h"

#define LEADS_HEADER "provider,lead_id,agent_id,id,name,score,is_test,gone,\"si\"\"ze\",colour\n"
#define LEADS_ROW                                                                                  \
    "acme,L-1,a-1,L-1,\"Zo\xc3\xab \"\"Z\"\"\n\",1.10,true,,,"                                     \
    "\"{\"\"b\"\":[1,-0,\"\"x\"\"],\"\"a\"\":{}}\"\n"
#define NOTES_ROWS                                                                                 \
    "provider,lead_id,agent_id,position,text,shade\nacme,L-1,a-1,0,\"\",\nacme,L-1,a-1,1,,false\n"

static struct sample sample;
static unsigned settled;

static int enter(void **state)
{
    settled = 0;
    return folder_enter(state) == 0 && sample_init(&sample) ? 0 : -1;
}

static int leave(void **state)
{
    sample_free(&sample);
    return folder_leave(state);
}

static const char *slurp(const char *path)
{
    static char text[8192];
    gzFile f = gzopen(path, "rb"); /* reads plain files, too */
    if (!f)
        return "(no file)";
    int n = gzread(f, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    (void)gzclose(f);
    return text;
}

static void expect_ok(enum rc rc, const struct err *e)
{
    if (rc != RC_OK)
        fail_msg("%s: %s", rc_text(rc), e->msg);
}

static void on_settle(void *ctx, struct sink *sink, const struct lead *lead,
                      const struct verdict *v)
{
    assert_ptr_equal(ctx, &settled);
    assert_ptr_equal(sink->ops, sink_by_name(STR("csv")));
    assert_ptr_equal(lead, &sample.lead);
    assert_int_equal(v->kind, VERDICT_ACCEPTED);
    settled++;
}

/* A specification and what the run would make of it; `spec` must be freed. */
static struct sink_cfg configure(struct sink_spec *spec, const char *text)
{
    struct err e = {0};
    expect_ok(sink_spec_parse(spec, text, &e), &e);
    return (struct sink_cfg){.spec = spec->label,
                             .target = spec->target,
                             .opts = spec->opts,
                             .profile = &sample.profile,
                             .want_sha256 = true,
                             .host = {.ctx = &settled, .settle = on_settle}};
}

static struct sink *open_ok(const struct sink_cfg *cfg, const struct sink_mark *from)
{
    struct err e = {0};
    struct sink *s = NULL;
    expect_ok(sink_by_name(STR("csv"))->check(cfg, &e), &e);
    expect_ok(sink_by_name(STR("csv"))->open(&s, cfg, from, &e), &e);
    return s;
}

static void put_ok(struct sink *s, size_t n)
{
    struct err e = {0};
    const struct lead *leads[8] = {&sample.lead, &sample.lead, &sample.lead};
    unsigned before = settled;
    assert_true(n <= 3);
    expect_ok(s->ops->put(s, leads, n, &e), &e);
    assert_int_equal(settled - before, n);
}

static void publish_ok(struct sink *s)
{
    struct err e = {0};
    expect_ok(s->ops->prepare(s, NULL, &e), &e);
    expect_ok(s->ops->commit(s, &e), &e);
}

/* Those of the header. */
static void expect_columns(const struct sink_file *file, const char *header)
{
    struct buf names;
    buf_init(&names, 1024);
    for (size_t i = 0; i < file->n_columns; i++) {
        buf_adds(&names, i ? "," : "");
        buf_add_str(&names, file->columns[i]);
    }
    buf_addc(&names, '\n');
    assert_string_equal(buf_cstr(&names), header);
    buf_free(&names);
}

static void whole_folder(void **state)
{
    (void)state;
    struct sink_spec spec;
    struct sink_cfg cfg = configure(&spec, "csv:new/out/");
    struct sink *s = open_ok(&cfg, NULL);
    put_ok(s, 1);
    struct err e = {0};
    expect_ok(s->ops->prepare(s, NULL, &e), &e);
    assert_string_equal(slurp("new/out/leads.csv"), "(no file)");
    expect_ok(s->ops->commit(s, &e), &e);
    assert_string_equal(slurp("new/out/leads.csv"), LEADS_HEADER LEADS_ROW);
    assert_string_equal(slurp("new/out/notes.csv"), NOTES_ROWS);
    struct sink_result r = {0};
    s->ops->result(s, &r);
    assert_int_equal(r.n_files, 2);
    assert_false(r.is_delivery);
    assert_string_equal(r.files[0].path, "new/out/leads.csv");
    assert_string_equal(r.files[0].table, "leads");
    assert_int_equal(r.files[0].rows, 1);
    expect_columns(&r.files[0],
                   "provider,lead_id,agent_id,id,name,score,is_test,gone,si\"ze,colour\n");
    assert_int_equal(r.files[0].bytes, strlen(LEADS_HEADER LEADS_ROW));
    assert_int_equal(strlen(r.files[0].sha256), 64);
    assert_string_equal(r.files[1].table, "notes");
    assert_int_equal(r.files[1].rows, 2);
    s->ops->close(s);
    sink_spec_free(&spec);
}

static void no_rows(void **state)
{
    (void)state;
    struct sink_spec spec;
    struct sink_cfg cfg = configure(&spec, "csv,gzip=9,bom,eol=crlf,delimiter=tab:out/");
    struct sink *s = open_ok(&cfg, NULL);
    publish_ok(s);
    assert_string_equal(slurp("out/notes.csv.gz"),
                        "\xef\xbb\xbfprovider\tlead_id\tagent_id\tposition\ttext\r\n");
    s->ops->close(s);
    sink_spec_free(&spec);
    cfg = configure(&spec, "csv,header=no:empty.csv");
    s = open_ok(&cfg, NULL);
    publish_ok(s);
    assert_string_equal(slurp("empty.csv"), "");
    s->ops->close(s);
    sink_spec_free(&spec);
}

static void single_files(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *path, *want;
    } rows[] = {
        {"csv:a.csv", "a.csv", LEADS_HEADER LEADS_ROW},
        {"csv,table=notes:a.csv", "a.csv", NOTES_ROWS},
        {"csv,table=notes,header=no:a.csv.gz", "a.csv.gz",
         "acme,L-1,a-1,0,\"\",\nacme,L-1,a-1,1,,false\n"},
        {"csv,gzip=1:a.csv", "a.csv", LEADS_HEADER LEADS_ROW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sink_spec spec;
        struct sink_cfg cfg = configure(&spec, rows[i].spec);
        struct sink *s = open_ok(&cfg, NULL);
        put_ok(s, 1);
        publish_ok(s);
        s->ops->close(s);
        sink_spec_free(&spec);
        if (strcmp(slurp(rows[i].path), rows[i].want) != 0)
            fail_msg("%s: got\n%s\nwant\n%s", rows[i].spec, slurp(rows[i].path), rows[i].want);
    }
}

static void dropped(void **state)
{
    (void)state;
    struct sink_spec spec;
    struct sink_cfg cfg = configure(&spec, "csv:a.csv");
    struct sink *s = open_ok(&cfg, NULL);
    put_ok(s, 2);
    s->ops->close(s);
    assert_string_equal(slurp("a.csv"), "(no file)");
    assert_int_not_equal(access(".a.csv.leadpipe-part", F_OK), 0);
    sink_spec_free(&spec);
}

static void continues(void **state)
{
    (void)state;
    struct err e = {0};
    struct sink_spec spec;
    struct sink_cfg cfg = configure(&spec, "csv:out/");
    struct sink *s = open_ok(&cfg, NULL);
    struct sink_mark mark;
    put_ok(s, 1);
    expect_ok(s->ops->mark(s, &mark, &e), &e);
    char *text = strndup(mark.text.ptr, mark.text.len);
    assert_non_null(text);
    put_ok(s, 2);
    s->ops->close(s);
    assert_int_equal(access("out/.notes.csv.leadpipe-part", F_OK), 0);
    const struct sink_mark from = {str_c(text)};
    s = open_ok(&cfg, &from);
    put_ok(s, 1);
    publish_ok(s);
    assert_string_equal(slurp("out/leads.csv"), LEADS_HEADER LEADS_ROW LEADS_ROW);
    s->ops->close(s);
    static const char *const damaged[] = {"", "x\n", "\n\n", "0 0\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        const struct sink_mark wrong = {str_c(damaged[i])};
        assert_int_equal(sink_by_name(STR("csv"))->open(&s, &cfg, &wrong, &e), RC_SYNTAX);
        assert_non_null(strstr(e.msg, "out/"));
    }
    free(text);
    sink_spec_free(&spec);
}

static void standard_output(void **state)
{
    (void)state;
    struct err e = {0};
    struct sink_spec spec;
    struct sink_cfg cfg = configure(&spec, "csv,table=notes:-");
    int fd = open("stdout", O_RDWR | O_CREAT, 0666);
    (void)fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    assert_true(fd >= 0 && kept >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    struct sink *s = NULL;
    enum rc rc = sink_by_name(STR("csv"))->open(&s, &cfg, NULL, &e);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    expect_ok(rc, &e);
    put_ok(s, 1);
    expect_ok(s->ops->prepare(s, NULL, &e), &e);
    assert_string_equal(slurp("stdout"), "");
    expect_ok(s->ops->commit(s, &e), &e);
    assert_string_equal(slurp("stdout"), NOTES_ROWS);
    struct sink_mark mark;
    assert_int_equal(s->ops->mark(s, &mark, &e), RC_USAGE);
    s->ops->close(s);
    sink_spec_free(&spec);
    (void)close(fd);
    (void)close(kept);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *want;
    } rows[] = {
        {"csv,table=nope:a.csv",
         "csv:a.csv: table=nope: unknown table; the tables are: leads, notes"},
        {"csv,table=notes:out/",
         "csv:out/: table= applies only to a single file; out/ gets all tables"},
        {"csv:there", "csv:there: is a directory; write csv:there/ for one file per table in it"},
        {"csv:no/a.csv", "no/a.csv: the directory no does not exist; create it: mkdir -p no"},
        {"csv:file/", "file/: Not a directory"},
        {"csv:taken/", "taken/notes.csv: is a directory"},
    };
    assert_int_equal(mkdir("there", 0777), 0);
    assert_int_equal(mkdir("taken", 0777), 0);
    assert_int_equal(mkdir("taken/notes.csv", 0777), 0);
    assert_int_equal(close(open("file", O_WRONLY | O_CREAT, 0666)), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err e = {0};
        struct sink_spec spec;
        struct sink_cfg cfg = configure(&spec, rows[i].spec);
        enum rc rc = sink_by_name(STR("csv"))->check(&cfg, &e);
        if (rc != RC_USAGE || strcmp(e.msg, rows[i].want) != 0)
            fail_msg("%s: got %s \"%s\", want \"%s\"", rows[i].spec, rc_text(rc), e.msg,
                     rows[i].want);
        sink_spec_free(&spec);
    }
}

static void locked(void **state)
{
    (void)state;
    struct err e = {0};
    struct sink_spec spec;
    struct sink_cfg cfg = configure(&spec, "csv:out/");
    struct sink *s = open_ok(&cfg, NULL);
    struct sink *t = NULL;
    assert_int_equal(s->ops->open(&t, &cfg, NULL, &e), RC_BUSY);
    assert_non_null(strstr(e.msg, "out/leads.csv: another run"));
    s->ops->close(s);
    sink_spec_free(&spec);
}

static void paths(void **state)
{
    (void)state;
    struct err e = {0};
    static const struct {
        const char *spec, *want; /* "|" for each NUL */
    } rows[] = {
        {"csv:out/", "out/leads.csv|out/notes.csv|"},
        {"csv,gzip=1:out/", "out/leads.csv.gz|out/notes.csv.gz|"},
        {"csv:a.csv", "a.csv|"},
        {"csv:-", "-|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        struct sink_spec spec;
        buf_init(&out, 4096);
        struct sink_cfg cfg = configure(&spec, rows[i].spec);
        expect_ok(spec.ops->paths(&cfg, &out, &e), &e);
        for (size_t k = 0; k < out.len; k++)
            if (out.data[k] == '\0')
                out.data[k] = '|';
        assert_string_equal(buf_cstr(&out), rows[i].want);
        assert_int_equal(spec.ops->needs(&cfg), SINK_WANTS_ROWS);
        buf_free(&out);
        sink_spec_free(&spec);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)
    const struct CMUnitTest tests[] = {
        TEST(whole_folder),    TEST(no_rows),  TEST(single_files), TEST(dropped), TEST(continues),
        TEST(standard_output), TEST(refusals), TEST(locked),       TEST(paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
