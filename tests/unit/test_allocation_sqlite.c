/* The sink "sqlite" while memory runs out: its own, and what SQLite asks for. */
#include "allocation_sweep.h"

#include <glob.h>
#include <sqlite3.h>

#include "rich_leads.h"
#include "sinks/registry.h"
#include "tables_text.h"

#define N_LEADS 1
#define STEP 97 /* not every allocation: SQLite has thousands */

struct sink_work {
    struct tables_fixture f;
    struct lead *leads[N_LEADS];
    struct sink_spec spec;
    struct sink_cfg cfg;
    struct sink *sink;
    bool existing; /* the database is there, with that lead of another run */
    bool is_last;  /* the run is of the last of two shards, and the first one has had no leads */
};

static const struct sink_shard shards[] = {{0, 2, NULL, "settings"}, {1, 2, NULL, "settings"}};

static char folder[64];

static void settle(void *ctx, struct sink *sink, const struct lead *lead, const struct verdict *v)
{
    (void)ctx;
    (void)sink;
    (void)lead;
    assert_int_equal(v->kind, VERDICT_ACCEPTED);
}

static enum rc list(void *ctx, struct sink_list *out, struct err *e)
{
    (void)ctx;
    (void)e;
    *out = (struct sink_list){.sha256 = "0123"};
    return RC_OK;
}

static enum rc put_all(struct sink_work *w, const char *run_id, size_t n, struct err *e)
{
    const struct sink_ops *ops = w->spec.ops;
    struct sink_mark mark;
    w->cfg.run_id = run_id;
    enum rc rc = ops->check(&w->cfg, e);
    if (rc == RC_OK)
        rc = ops->open(&w->sink, &w->cfg, NULL, e);
    if (rc == RC_OK)
        rc = ops->put(w->sink, (const struct lead *const *)w->leads, n, e);
    if (rc == RC_OK)
        rc = ops->mark(w->sink, &mark, e);
    if (rc == RC_OK)
        rc = ops->prepare(w->sink, NULL, e);
    return rc == RC_OK ? ops->commit(w->sink, e) : rc;
}

static void close_sink(struct sink_work *w)
{
    if (w->sink)
        w->sink->ops->close(w->sink);
    w->sink = NULL;
}

static void begin(void *ctx)
{
    struct sink_work *w = ctx;
    struct err e;
    w->sink = NULL;
    w->cfg.shard = w->is_last ? &shards[0] : NULL;
    if (w->is_last && put_all(w, "0123456789abcdef0123456789abcde0", 0, &e) != RC_OK)
        fail_msg("%s", e.msg);
    if (w->existing && put_all(w, "0123456789abcdef0123456789abcde0", 1, &e) != RC_OK)
        fail_msg("%s", e.msg);
    close_sink(w);
}

static enum rc run(void *ctx, struct err *e)
{
    struct sink_work *w = ctx;
    w->cfg.shard = w->is_last ? &shards[1] : NULL;
    return put_all(ctx, "0123456789abcdef0123456789abcde1", N_LEADS, e);
}

/* All rows of all tables, but for the times of runs. */
static int append_row(void *out, int n, char **values, char **names)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], "ended_at") != 0 && strcmp(names[i], "loaded_at") != 0)
            buf_addf(out, "%s=%s ", names[i], values[i] ? values[i] : "null");
    }
    buf_addc(out, '\n');
    return 0;
}

static void append_tables(struct buf *out)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *names = NULL;
    assert_int_equal(sqlite3_open("x.db", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "select name from sqlite_master where type = 'table' order by 1", -1,
                           &names, NULL),
        SQLITE_OK);
    while (sqlite3_step(names) == SQLITE_ROW) {
        char sql[256];
        (void)snprintf(sql, sizeof sql, "select * from \"%s\" order by rowid",
                       (const char *)sqlite3_column_text(names, 0));
        assert_int_equal(sqlite3_exec(db, sql, append_row, out, NULL), SQLITE_OK);
    }
    (void)sqlite3_finalize(names);
    (void)sqlite3_close(db);
}

/* The first shard stays loaded where the last one fails. */
static void unlink_first(void)
{
    glob_t found;
    assert_int_equal(glob(".x.db.leadpipe-loaded-0-of-2-*", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    assert_int_equal(unlink(found.gl_pathv[0]), 0);
    assert_int_equal(unlink(".x.db.leadpipe-shards"), 0);
    globfree(&found);
}

/* A run that failed leaves the tables as they were, and nothing beside them. */
static void end(void *ctx, enum rc rc, struct buf *out)
{
    struct sink_work *w = ctx;
    struct err ignored;
    bool opened =
        w->sink != NULL; /* else it may have an empty staging database that it does not hold */
    if (rc != RC_OK && opened)
        (void)w->spec.ops->abort(w->sink, &ignored);
    close_sink(w);
    if (rc == RC_OK) {
        append_tables(out);
    } else if (w->existing) {
        struct buf left;
        buf_init(&left, 1 << 24);
        append_tables(&left);
        assert_null(strstr(buf_cstr(&left), "abcde1"));
        buf_free(&left);
    } else {
        assert_int_not_equal(access("x.db", F_OK), 0);
    }
    if (opened) {
        assert_int_not_equal(access(".x.db.leadpipe-part", F_OK), 0);
        assert_int_not_equal(access(".x.db.leadpipe-shard-1-of-2", F_OK), 0);
    }
    assert_int_not_equal(access(".x.db.leadpipe-wide", F_OK), 0);
    assert_int_not_equal(access(".x.db.leadpipe-merged", F_OK), 0);
    static const char *const made[] = {"x.db",
                                       "x.db-wal",
                                       "x.db-shm",
                                       "x.db-journal",
                                       ".x.db.leadpipe-part",
                                       ".x.db.leadpipe-part-journal",
                                       ".x.db.leadpipe-shard-1-of-2",
                                       ".x.db.leadpipe-shard-1-of-2-journal"};
    if (w->is_last && rc != RC_OK)
        unlink_first();
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        (void)unlink(made[i]);
}

static void make_leads(struct sink_work *w)
{
    fixture_load(&w->f, "convocore", SIGNED_URLS_STRIP);
    for (size_t i = 0; i < N_LEADS; i++) {
        const char *code;
        struct err e;
        w->leads[i] = lead_with_body(STR(RICH_CONVOCORE));
        if (flatten_parse(w->f.plan, w->leads[i], JSON_TREE, &code, &e) != RC_OK ||
            flatten_rows(w->f.plan, w->leads[i], true, &e) != RC_OK ||
            schema_resolve(w->f.schema, w->leads[i], &e) != RC_OK)
            fail_msg("%s", e.msg);
    }
}

static void sink_sweep(void **state)
{
    (void)state;
    static const char *const names[] = {"sqlite, a new database", "sqlite, tables that are there",
                                        "sqlite, the last shard"};
    for (int which = 0; which < 3; which++) {
        struct sink_work w = {.existing = which == 1, .is_last = which == 2};
        const struct work work = {names[which], false, begin, run, end, &w};
        struct sweep s;
        struct err e;
        make_leads(&w);
        if (sink_spec_parse(&w.spec, "sqlite:x.db", &e) != RC_OK)
            fail_msg("%s", e.msg);
        w.cfg = (struct sink_cfg){.spec = w.spec.label,
                                  .target = w.spec.target,
                                  .opts = w.spec.opts,
                                  .profile = w.f.profile,
                                  .clock = &clock_system,
                                  .host = {.settle = settle, .list = list}};
        sweep_begin(&s, &work);
        for (int kind = SHORTAGE_ONCE; kind <= SHORTAGE_LASTING; kind++) {
            uint64_t n = 1;
            while (sweep_one(&s, n, (enum shortage)kind))
                n += STEP;
            printf("%s: every %d of %" PRIu64 "\n", work.name, STEP, n);
            assert_true(n > 100);
        }
        buf_free(&s.want);
        buf_free(&s.got);
        for (size_t i = 0; i < N_LEADS; i++)
            lead_free(w.leads[i]);
        sink_spec_free(&w.spec);
        fixture_free(&w.f);
    }
}

static int enter(void **state)
{
    (void)state;
    const char *above = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(folder, sizeof folder, "%s/leadpipe-allocation-XXXXXX", above);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sink_sweep)};
    return cmocka_run_group_tests(tests, enter, leave);
}
