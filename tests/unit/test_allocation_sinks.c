/* Rows to files, marks and messages while memory runs out. */
#include "allocation_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "folder.h"
#include "rich_leads.h"
#include "sinks/record/record.h"
#include "sinks/registry.h"
#include "sinks/delivery/message_id.h"
#include "sinks/webhook/standard_webhooks.h"
#include "tables_text.h"

#define N_LEADS 4
#define PIPE_NAME "pipe"

/* ---- leads ---------------------------------------------------------------------------------- */

struct leads {
    struct tables_fixture f;
    struct lead *list[N_LEADS];
    struct lead *large[N_LEADS]; /* more than what files hold back, and a member of gzip */
};

static struct lead *make_lead(struct leads *l, unsigned which, size_t n_filler)
{
    struct lead *lead = lead_with_body(STR(""));
    const char *code;
    struct err e;
    rich_omni(&lead->body, which, n_filler);
    if (flatten_parse(l->f.plan, lead, JSON_TREE | JSON_COMPACT, &code, &e) != RC_OK ||
        flatten_rows(l->f.plan, lead, true, &e) != RC_OK ||
        schema_resolve(l->f.schema, lead, &e) != RC_OK)
        fail_msg("%s", e.msg);
    return lead;
}

static int leads_make(void **state)
{
    static const size_t fillers[N_LEADS] = {10, 270000, 790000, 10};
    static struct leads l;
    fixture_load(&l.f, "omni", SIGNED_URLS_STRIP);
    for (unsigned i = 0; i < N_LEADS; i++) {
        l.list[i] = make_lead(&l, i, 10);
        l.large[i] = make_lead(&l, i, fillers[i]);
    }
    *state = &l;
    return 0;
}

static int leads_free(void **state)
{
    struct leads *l = *state;
    for (unsigned i = 0; i < N_LEADS; i++) {
        lead_free(l->list[i]);
        lead_free(l->large[i]);
    }
    fixture_free(&l->f);
    return 0;
}

/* ---- a folder ------------------------------------------------------------------------------- */

static int enter(void **state)
{
    return folder_enter(state) == 0 && setenv("TMPDIR", folder, 1) == 0 ? 0 : -1;
}

static void file_append(struct buf *out, int fd)
{
    ssize_t n = 1;
    while (n > 0) {
        char *room = buf_reserve(out, 65536);
        assert_non_null(room);
        n = read(fd, room, 65536);
        if (n > 0)
            out->len += (size_t)n;
    }
}

static int name_compare(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Appends what is in a folder to `out` (or nothing, where that is NULL) and removes it. Returns how
 * many files there were. */
static size_t folder_take(const char *path, struct buf *out)
{
    struct dirent **list;
    size_t n_files = 0;
    int n = scandir(path, &list, NULL, name_compare);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char name[512];
        struct stat st;
        bool is_dot = strcmp(list[i]->d_name, ".") == 0 || strcmp(list[i]->d_name, "..") == 0;
        (void)snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
        free(list[i]);
        assert_int_equal(stat(name, &st), 0);
        if (is_dot || S_ISFIFO(st.st_mode))
            continue;
        if (S_ISDIR(st.st_mode)) {
            n_files += folder_take(name, out);
            assert_int_equal(rmdir(name), 0);
            continue;
        }
        if (out) {
            buf_addf(out, "\n== %s\n", name);
            int fd = open(name, O_RDONLY);
            file_append(out, fd);
            assert_int_equal(close(fd), 0);
        }
        assert_int_equal(unlink(name), 0);
        n_files++;
    }
    free(list);
    return n_files;
}

/* ---- a sink --------------------------------------------------------------------------------- */

struct sink_work {
    const struct lead *const *leads;
    struct sink_spec spec;
    struct sink_cfg cfg;
    struct sink *sink;
    unsigned verdicts[N_LEADS];
    bool is_marked;      /* there is a mark to resume from, after the first lead */
    struct buf mark;     /* its text */
    struct buf paths;    /* reused, as `reported` */
    struct buf reported; /* by result() */
    int pipe;            /* what is read from, or -1 */
};

static void settle(void *ctx, struct sink *sink, const struct lead *lead, const struct verdict *v)
{
    struct sink_work *w = ctx;
    assert_ptr_equal(sink, w->sink);
    assert_int_equal(v->kind, VERDICT_ACCEPTED);
    for (size_t i = 0; i < N_LEADS; i++)
        w->verdicts[i] += w->leads[i] == lead;
}

static void tell_result(struct sink_work *w)
{
    struct sink_result result;
    w->sink->ops->result(w->sink, &result);
    for (size_t i = 0; i < result.n_files; i++) {
        const struct sink_file *f = &result.files[i];
        buf_addf(&w->reported, "%s %s %d %d %d %s\n", f->path, f->table ? f->table : "",
                 (int)f->rows, (int)f->bytes, (int)f->n_columns, f->sha256);
    }
}

static enum rc sink_end(struct sink_work *w, struct err *e)
{
    const struct sink_ops *ops = w->spec.ops;
    enum rc rc = ops->prepare(w->sink, &w->paths, e);
    if (rc == RC_OK && buf_rc(&w->paths) != RC_OK)
        rc = err_nomem(e);
    if (rc == RC_OK)
        rc = ops->commit(w->sink, e);
    if (rc == RC_OK)
        tell_result(w);
    return rc;
}

static enum rc sink_mark(struct sink_work *w, struct sink_mark *out, struct err *e)
{
    enum rc rc = w->spec.ops->mark(w->sink, out, e);
    return rc == RC_OK ? w->spec.ops->sync(w->sink, e) : rc;
}

/* From the first lead to the last, with a mark on the way, as far as that is possible. */
static enum rc sink_run(void *ctx, struct err *e)
{
    struct sink_work *w = ctx;
    const struct sink_ops *ops = w->spec.ops;
    struct sink_mark mark;
    enum rc rc = ops->check(&w->cfg, e);
    if (rc == RC_OK)
        rc = ops->paths(&w->cfg, &w->paths, e);
    if (rc == RC_OK)
        rc = ops->open(&w->sink, &w->cfg, NULL, e);
    if (rc == RC_OK)
        rc = ops->put(w->sink, w->leads, 1, e);
    if (rc == RC_OK)
        rc = ops->put(w->sink, w->leads + 1, 2, e);
    if (rc == RC_OK && w->is_marked)
        rc = sink_mark(w, &mark, e);
    if (rc == RC_OK)
        rc = ops->put(w->sink, w->leads + 3, N_LEADS - 3, e);
    return rc == RC_OK ? sink_end(w, e) : rc;
}

static void sink_begin(void *ctx)
{
    struct sink_work *w = ctx;
    w->sink = NULL;
    memset(w->verdicts, 0, sizeof w->verdicts);
    buf_clear(&w->paths);
    buf_clear(&w->reported);
}

static void sink_close(struct sink_work *w)
{
    if (w->sink)
        w->sink->ops->close(w->sink);
    w->sink = NULL;
}

static void sink_collect(struct sink_work *w, struct buf *out)
{
    for (size_t i = 0; i < N_LEADS; i++)
        assert_int_equal(w->verdicts[i], 1);
    buf_add_str(out, buf_str(&w->paths));
    buf_add_str(out, buf_str(&w->reported));
    if (w->pipe >= 0)
        file_append(out, w->pipe);
    folder_take(".", out);
}

/* Closed, a sink that failed leaves nothing; with a mark, what the mark needs. */
static void sink_finish(void *ctx, enum rc rc, struct buf *out)
{
    struct sink_work *w = ctx;
    char piece[1];
    sink_close(w);
    if (rc == RC_OK) {
        sink_collect(w, out);
        return;
    }
    for (size_t i = 0; i < N_LEADS; i++)
        assert_true(w->verdicts[i] <= 1);
    assert_true(w->pipe < 0 || read(w->pipe, piece, 1) < 0);
    size_t n_files = folder_take(".", NULL);
    assert_true(n_files == 0 || w->is_marked);
}

/* ---- resuming from a mark ------------------------------------------------------------------ */

/* What an earlier run left: one lead and a mark. */
static void later_begin(void *ctx)
{
    struct sink_work *w = ctx;
    struct sink_mark mark;
    struct err e;
    sink_begin(w);
    if (w->spec.ops->open(&w->sink, &w->cfg, NULL, &e) != RC_OK ||
        w->spec.ops->put(w->sink, w->leads, 1, &e) != RC_OK || sink_mark(w, &mark, &e) != RC_OK)
        fail_msg("%s", e.msg);
    buf_clear(&w->mark);
    buf_add_str(&w->mark, mark.text);
    sink_close(w);
    memset(w->verdicts, 0, sizeof w->verdicts);
    w->verdicts[0] = 1;
}

static enum rc later_run(void *ctx, struct err *e)
{
    struct sink_work *w = ctx;
    const struct sink_ops *ops = w->spec.ops;
    const struct sink_mark mark = {.text = buf_str(&w->mark)};
    struct sink_mark next;
    enum rc rc = ops->open(&w->sink, &w->cfg, &mark, e);
    if (rc == RC_OK)
        rc = ops->put(w->sink, w->leads + 1, 1, e);
    if (rc == RC_OK)
        rc = sink_mark(w, &next, e);
    if (rc == RC_OK)
        rc = ops->put(w->sink, w->leads + 2, N_LEADS - 2, e);
    return rc == RC_OK ? sink_end(w, e) : rc;
}

/* A run that failed can be resumed from the mark that it began with. */
static void later_end(void *ctx, enum rc rc, struct buf *out)
{
    struct sink_work *w = ctx;
    struct err e;
    sink_close(w);
    if (rc != RC_OK) {
        memset(w->verdicts, 0, sizeof w->verdicts);
        w->verdicts[0] = 1;
        buf_clear(&w->paths);
        buf_clear(&w->reported);
        if (later_run(w, &e) != RC_OK)
            fail_msg("%s: resuming: %s", w->spec.text, e.msg);
        sink_close(w);
    }
    sink_collect(w, out);
}

/* ---- all of them ---------------------------------------------------------------------------- */

enum how { WHOLE, WITH_MARK, RESUMING };

static const struct sink_row {
    const char *spec;
    bool large;
    enum how how;
} rows[] = {
    {"csv:out/", false, WITH_MARK},
    {"csv:out/", false, RESUMING},
    {"csv:leads.csv", true, RESUMING},
    {"csv,bom,excel-safe,eol=crlf,gzip=1:leads.csv", false, WITH_MARK},
    {"csv,gzip=1:leads.csv", true, RESUMING},
    {"csv,table=checklist_items:" PIPE_NAME, false, WHOLE},
    {"parquet,table=documents:documents.parquet", false, WITH_MARK},
    {"parquet,table=checklist_items,row-group=1,run-columns:items.parquet", false, RESUMING},
    {"parquet,table=documents,types=text,compression=gzip:documents.parquet", false, RESUMING},
    {"parquet,table=action_logs,compression=none:" PIPE_NAME, false, WHOLE},
    {"ndjson:lead.ndjson", false, RESUMING},
    {"ndjson,layout=rows,gzip=1:rows.ndjson", true, WITH_MARK},
    {"ndjson,layout=raw:raw.ndjson", false, WITH_MARK},
    {"msgpack,gzip=0:lead.msgpack", false, WITH_MARK},
    {"msgpack,layout=rows:rows.msgpack", false, RESUMING},
    {"msgpack,layout=raw,gzip=0:raw.msgpack", false, WITH_MARK},
};

static void sink_sweep(const struct sink_row *row, const struct leads *leads, bool want_sha256)
{
    struct sink_work w = {.leads =
                              (const struct lead *const *)(row->large ? leads->large : leads->list),
                          .is_marked = row->how == WITH_MARK,
                          .pipe = -1};
    struct err e;
    if (sink_spec_parse(&w.spec, row->spec, &e) != RC_OK)
        fail_msg("%s", e.msg);
    w.cfg = (struct sink_cfg){.spec = w.spec.label,
                              .target = w.spec.target,
                              .opts = w.spec.opts,
                              .profile = leads->f.profile,
                              .want_sha256 = want_sha256,
                              .host = {.ctx = &w, .settle = settle}};
    if (strcmp(w.spec.target, PIPE_NAME) == 0) {
        assert_true(mkfifo(PIPE_NAME, 0600) == 0 || errno == EEXIST);
        w.pipe = open(PIPE_NAME, O_RDWR | O_NONBLOCK);
        assert_true(w.pipe >= 0);
    }
    buf_init(&w.mark, (size_t)1 << 20);
    buf_init(&w.paths, 4096);
    buf_init(&w.reported, 4096);
    assert_true(buf_reserve(&w.mark, (size_t)1 << 20) && buf_reserve(&w.reported, 4096));
    if (row->how == RESUMING)
        sweep(&(struct work){row->spec, true, later_begin, later_run, later_end, &w});
    else
        sweep(&(struct work){row->spec, false, sink_begin, sink_run, sink_finish, &w});
    buf_free(&w.mark);
    buf_free(&w.paths);
    buf_free(&w.reported);
    if (w.pipe >= 0)
        assert_int_equal(close(w.pipe), 0);
    sink_spec_free(&w.spec);
}

static void sinks(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        sink_sweep(&rows[i], *state, i % 3 != 0);
}

/* ---- specifications ------------------------------------------------------------------------- */

struct spec_work {
    const char *text;
    struct sink_spec spec;
};

static void spec_begin(void *ctx)
{
    struct spec_work *w = ctx;
    w->spec = (struct sink_spec){0};
}

static enum rc spec_run(void *ctx, struct err *e)
{
    struct spec_work *w = ctx;
    return sink_spec_parse(&w->spec, w->text, e);
}

static void spec_end(void *ctx, enum rc rc, struct buf *out)
{
    struct spec_work *w = ctx;
    if (rc == RC_OK)
        buf_addf(out, "%s %s %s", w->spec.ops->name, w->spec.label, w->spec.target);
    sink_spec_free(&w->spec);
}

static void specs(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "csv,table=leads,eol=crlf,gzip=3:x.csv",
        "webhook,header=A: b\\,c,header=D: e,rate=3/m,timeout=5s:https://u:p@host/x?y",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct spec_work w = {.text = texts[i]};
        sweep(&(struct work){texts[i], false, spec_begin, spec_run, spec_end, &w});
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

#define SECRETS                                                                                    \
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

/* What a webhook's message is made of: the lead as an object, its id, its signature. */
struct message_work {
    const struct leads *leads;
    struct record_writer *writer;
    struct message_id_maker *ids;
    struct webhook_secrets *secrets;
    struct buf body, signature;
    char id[MESSAGE_ID_SIZE];
};

static void message_begin(void *ctx)
{
    struct message_work *w = ctx;
    *w = (struct message_work){.leads = w->leads};
    buf_init(&w->body, (size_t)1 << 20);
    buf_init(&w->signature, 4096);
}

static enum rc message_sign(struct message_work *w)
{
    message_id_begin(w->ids);
    for (size_t i = 0; i < N_LEADS; i++)
        message_id_add(w->ids, w->leads->list[i]->id);
    enum rc rc = message_id_end(w->ids, w->id);
    return rc == RC_OK ? webhook_sign(w->secrets, w->id, 1, buf_str(&w->body), &w->signature) : rc;
}

static enum rc message_run(void *ctx, struct err *e)
{
    struct message_work *w = ctx;
    const struct record_cfg records = {
        .profile = w->leads->f.profile, .encoding = &encoding_json, .layout = LAYOUT_LEAD};
    enum rc rc = record_writer_new(&w->writer, &records, e);
    if (rc == RC_OK)
        rc = message_id_maker_new(&w->ids, e);
    if (rc == RC_OK)
        rc = webhook_secrets_parse(&w->secrets, STR(SECRETS), "test", e);
    if (rc != RC_OK)
        return rc;
    for (size_t i = 0; i < N_LEADS; i++)
        record_write_object(w->writer, &w->body, w->leads->list[i]);
    rc = buf_rc(&w->body);
    if (rc == RC_OK)
        rc = message_sign(w);
    return rc == RC_OK ? rc : err_set(e, rc, "%s", rc_text(rc));
}

static void message_end(void *ctx, enum rc rc, struct buf *out)
{
    struct message_work *w = ctx;
    if (rc == RC_OK) {
        buf_add_str(out, buf_str(&w->body));
        buf_addf(out, "\n%s\n%s", w->id, buf_cstr(&w->signature));
    }
    record_writer_free(w->writer);
    message_id_maker_free(w->ids);
    webhook_secrets_free(w->secrets);
    buf_free(&w->body);
    buf_free(&w->signature);
}

static void messages(void **state)
{
    struct message_work w = {.leads = *state};
    sweep(&(struct work){"a message, its id and signature", false, message_begin, message_run,
                         message_end, &w});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sinks, leads_make, leads_free),
        cmocka_unit_test(specs),
        cmocka_unit_test_setup_teardown(messages, leads_make, leads_free),
    };
    return cmocka_run_group_tests(tests, enter, folder_leave);
}
