/* Two shards become one set, with every single allocation refused. */
#include "allocation_sweep.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include "core/provider/profile.h"
#include "folder.h"
#include "merge/merge.h"
#include "sinks/rows/rows_format.h"

#define N_SHARDS 2
#define TEXT_BYTES 8192

static const char profile_text[] =
    "{\"profile\":1,\"name\":\"p\",\"title\":\"P\",\"servers\":[{\"name\":\"s\",\"url\":\"https://example.com/\"}],"
    "\"credential\":{\"variable\":\"K\",\"header\":\"X-Key\",\"prefix\":\"\"},\"path\":\"/{id}\","
    "\"payload\":{\"root\":\"\"},\"tables\":[{\"name\":\"leads\",\"each\":\"\",\"columns\":[{\"name\":\"doc\","
    "\"value\":\"/doc\"}],\"objects\":[{\"path\":\"\",\"prefix\":\"\"}]}]}";

/* The second one has met the columns in another order. */
static const struct {
    const char *csv, *ndjson, *columns[2];
    uint64_t places[2];
} shards[N_SHARDS] = {
    {"provider,lead_id,doc,foo,bar\np,a,x,1,2\np,c,,,3\n",
     "{\"provider\":\"p\",\"lead_id\":\"a\",\"doc\":\"x\",\"foo\":1,\"bar\":2}\n"
     "{\"provider\":\"p\",\"lead_id\":\"c\",\"bar\":3}\n",
     {"foo", "bar"},
     {0, 2}},
    {"provider,lead_id,doc,bar,foo\np,b,y,4,\"5\n\"\np,d,,6,\n",
     "{\"provider\":\"p\",\"lead_id\":\"b\",\"doc\":\"y\",\"bar\":4,\"foo\":\"5\\n\"}\n"
     "{\"provider\":\"p\",\"lead_id\":\"d\",\"bar\":6}\n",
     {"bar", "foo"},
     {1, 3}},
};

struct world {
    struct sink_spec specs[2];
    const char *manifests[N_SHARDS];
    struct merge *merge;
};

static const atomic_int no_signal;

static void write_file(const char *name, const char *p, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(write(fd, p, n) == (ssize_t)n);
    assert_int_equal(close(fd), 0);
}

/* Writes a file of a shard, and describes it. */
static void add_file(struct buf *manifest, const char *name, struct str content)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    write_file(name, content.ptr, content.len);
    assert_true(EVP_Digest(content.ptr, content.len, digest, &n, EVP_sha256(), NULL));
    buf_addf(manifest, "{\"path\":\"%s\",\"rows\":2,\"bytes\":%zu,\"sha256\":\"", name,
             content.len);
    for (unsigned i = 0; i < n; i++)
        buf_addf(manifest, "%02x", digest[i]);
    buf_adds(manifest, "\"}");
}

static void put_companion(struct buf *out, size_t shard)
{
    const struct rows_setting settings[] = {{STR("--to"), STR("csv")},
                                            {STR("--to"), STR("ndjson")}};
    const struct rows_header header = {
        .profile = str_c(profile_text), .max_columns = 100, .settings = settings, .n_settings = 2};
    const struct rows tables[] = {{NULL, 1}};
    struct buf record;
    buf_init(&record, TEXT_BYTES);
    rows_put_header(out, &header);
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&record);
        rows_put_lead(&record, shards[shard].places[i], i ? shards[shard].places[0] : 0, tables, 1);
        for (size_t k = 0; i == 0 && k < 2; k++) {
            const struct column column = {.name = str_c(shards[shard].columns[k]),
                                          .origin = {.key = str_c(shards[shard].columns[k])}};
            rows_put_column(&record, 0, 0, &column);
        }
        rows_put_number(out, record.len);
        buf_add_str(out, buf_str(&record));
    }
    buf_free(&record);
}

static void make_shard(size_t shard, const char *manifest_path)
{
    char name[32];
    struct buf manifest;
    struct buf rows;
    buf_init(&manifest, TEXT_BYTES);
    buf_init(&rows, TEXT_BYTES);
    buf_addf(&manifest,
             "{\"run_id\":\"%zu\",\"server\":\"s\",\"started_at\":\"2026-01-01T00:00:00.000Z\",",
             shard);
    buf_adds(&manifest,
             "\"ended_at\":\"2026-01-01T00:00:01.000Z\",\"exit_status\":0,\"published\":true,");
    buf_adds(
        &manifest,
        "\"ids\":{\"read\":2,\"unique\":2,\"duplicates\":0},\"ledger\":{\"exported\":2,\"unchanged\":0,"
        "\"missing\":0,\"failed\":0,\"pending\":0},\"requests\":{\"total\":2,\"retries\":0,"
        "\"statuses\":{\"200\":2},\"latency_ms\":{\"max\":1.5}},");
    buf_addf(&manifest, "\"shard\":{\"index\":%zu,\"of\":%d,\"list\":\"same\",\"leads\":", shard,
             N_SHARDS);
    put_companion(&rows, shard);
    (void)snprintf(name, sizeof name, "rows%zu", shard);
    add_file(&manifest, name, buf_str(&rows));
    buf_adds(&manifest, "},\"sinks\":[{\"sink\":\"csv\",\"files\":[");
    (void)snprintf(name, sizeof name, "csv%zu", shard);
    add_file(&manifest, name, str_c(shards[shard].csv));
    buf_adds(&manifest, "]},{\"sink\":\"ndjson\",\"files\":[");
    (void)snprintf(name, sizeof name, "ndjson%zu", shard);
    add_file(&manifest, name, str_c(shards[shard].ndjson));
    buf_adds(&manifest, "]}]}");
    assert_int_equal(buf_rc(&manifest), RC_OK);
    write_file(manifest_path, manifest.data, manifest.len);
    buf_free(&manifest);
    buf_free(&rows);
}

static int enter(void **state)
{
    static struct world w = {.manifests = {"m0", "m1"}};
    struct err e;
    assert_true(folder_make());
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < N_SHARDS; i++)
        make_shard(i, w.manifests[i]);
    /* Not as they are seen from the manifest, which must not name them as they were given. */
    if (sink_spec_parse(&w.specs[0], "csv:./out.csv", &e) != RC_OK ||
        sink_spec_parse(&w.specs[1], "ndjson:./out.ndjson", &e) != RC_OK)
        fail_msg("%s", e.msg);
    memory.owner = pthread_self(); /* sanitizers start no thread without memory */
    memory.has_owner = true;
    *state = &w;
    return 0;
}

static int leave(void **state)
{
    struct world *w = *state;
    memory.has_owner = false;
    sink_spec_free(&w->specs[0]);
    sink_spec_free(&w->specs[1]);
    return chdir("/") == 0 && folder_remove() ? 0 : -1;
}

static void work_begin(void *ctx)
{
    ((struct world *)ctx)->merge = NULL;
}

static enum rc work_run(void *ctx, struct err *e)
{
    struct world *w = ctx;
    const struct merge_cfg cfg = {.manifests = w->manifests,
                                  .n_manifests = N_SHARDS,
                                  .specs = w->specs,
                                  .n_specs = 2,
                                  .manifest_path = "out.json",
                                  .version = "1",
                                  .clock = &clock_system,
                                  .signal = &no_signal};
    enum rc rc = merge_new(&w->merge, &cfg, e);
    return rc == RC_OK ? merge_run(w->merge, e) : rc;
}

/* Of what is there, which after a failure is nothing. */
static void put_output(struct buf *out, const char *name, bool is_there)
{
    char text[TEXT_BYTES];
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true((fd >= 0) == is_there);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text);
    assert_true(n > 0);
    assert_int_equal(close(fd), 0);
    buf_add(out, text, (size_t)n);
    assert_int_equal(unlink(name), 0);
}

static void work_end(void *ctx, enum rc rc, struct buf *out)
{
    static const char *const names[] = {"out.csv", "out.ndjson", "out.json"};
    struct world *w = ctx;
    merge_free(w->merge);
    for (size_t i = 0; i < 3; i++) {
        if (rc == RC_OK)
            put_output(out, names[i], true);
        else /* it may have been the last step that failed, when outputs were there already */
            (void)unlink(names[i]);
    }
}

static void merged(void **state)
{
    static const char want[] =
        "provider,lead_id,doc,foo,bar\np,a,x,1,2\np,b,y,\"5\n\",4\np,c,,,3\np,d,,,6\n"
        "{\"provider\":\"p\",\"lead_id\":\"a\",\"doc\":\"x\",\"foo\":1,\"bar\":2}\n"
        "{\"provider\":\"p\",\"lead_id\":\"b\",\"doc\":\"y\",\"foo\":\"5\\n\",\"bar\":4}\n"
        "{\"provider\":\"p\",\"lead_id\":\"c\",\"bar\":3}\n"
        "{\"provider\":\"p\",\"lead_id\":\"d\",\"bar\":6}\n";
    struct buf out;
    struct err e = {.msg = ""};
    buf_init(&out, TEXT_BYTES);
    work_begin(*state);
    enum rc rc = work_run(*state, &e);
    work_end(*state, rc, &out);
    if (rc != RC_OK || strncmp(buf_cstr(&out), want, sizeof want - 1) != 0)
        fail_msg("%s: %s", e.msg, buf_cstr(&out));
    buf_free(&out);
}

/* Also where nothing is written yet: what shards have may take long to read. */
static void stopped(void **state)
{
    static const atomic_int number = 15;
    struct world *w = *state;
    const struct merge_cfg cfg = {.manifests = w->manifests,
                                  .n_manifests = N_SHARDS,
                                  .specs = w->specs,
                                  .n_specs = 2,
                                  .clock = &clock_system,
                                  .signal = &number};
    struct err e = {.msg = ""};
    enum rc rc = merge_new(&w->merge, &cfg, &e);
    if (rc != RC_STOPPED)
        fail_msg("%s, \"%s\"", rc_text(rc), e.msg);
}

static void refused(void **state)
{
    const struct work w = {
        .name = "merge", .begin = work_begin, .run = work_run, .end = work_end, .ctx = *state};
    sweep(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merged), cmocka_unit_test(stopped),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, enter, leave);
}
