/* What each step costs for one lead, without network, threads and run.
 *
 *   micro BODIES-DIR TEMP-DIR [CASE]
 *
 * Leads are the files 000, 001 and so on of BODIES-DIR. Prints a line of JSON for each case: the
 * median of processor time a lead, and bytes a lead: memory of the lead's arena, or written. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/flatten/flatten.h"
#include "core/flatten/schema.h"
#include "sinks/registry.h"

enum {
    LEADS_MAX = 200, /* few enough for a case to be quick, more than a cache holds at once */
    ROUNDS_MIN = 7,
    ROUNDS_MAX = 101,
    ROUNDS_NS = 500 * 1000 * 1000, /* continue for so long */
    KEEP_BYTES = 1 << 20,
    BATCH = 16,
    RUN_BYTES = 512 << 20, /* of memory, as a run has by default */
};

struct bench {
    struct profile *profile;
    struct flatten_plan *plan;
    struct schema *schema;
    struct lead *leads[LEADS_MAX];
    size_t n_leads;
    uint64_t body_bytes;
    const char *temp_dir, *only;
    struct err err;
};

/* One step for all leads; returns its bytes, over all leads. RC in b->err. */
typedef uint64_t step_fn(struct bench *b, void *ctx);

static int fail(const struct bench *b, const char *what)
{
    fprintf(stderr, "micro: %s: %s\n", what, b->err.msg);
    return -1;
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- leads --------------------------------------------------------------------------------- */

static int read_file(struct bench *b, const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char *at = NULL;
    size_t n = 0;
    if (!f)
        return errno == ENOENT ? 1 : (err_sys(&b->err, RC_IO, errno, "%s", path), fail(b, "read"));
    do {
        at = buf_reserve(out, 65536);
        n = at ? fread(at, 1, 65536, f) : 0;
        out->len += n;
    } while (n > 0);
    int bad = ferror(f) || !at;
    fclose(f);
    if (bad)
        err_set(&b->err, RC_IO, "%s cannot be read", path);
    return bad ? fail(b, "read") : 0;
}

/* 1: there is no such file. */
static int load_lead(struct bench *b, const char *dir, size_t i)
{
    char path[4096], id[32];
    snprintf(path, sizeof path, "%s/%03zu", dir, i);
    snprintf(id, sizeof id, "lead-%07zu", i);
    struct lead *lead = lead_new(str_c(id), NULL, 0, sizeof(struct lead));
    if (!lead) {
        err_nomem(&b->err);
        return fail(b, "lead");
    }
    buf_init(&lead->body, (size_t)64 << 20);
    int rc = read_file(b, path, &lead->body);
    if (rc != 0) {
        lead_free(lead);
        return rc;
    }
    b->leads[b->n_leads++] = lead;
    b->body_bytes += lead->body.len;
    return 0;
}

static int load_all(struct bench *b, const char *dir)
{
    if (profile_load(&b->profile, "omni", &b->err) != RC_OK ||
        flatten_plan_new(&b->plan, b->profile, SIGNED_URLS_STRIP, &b->err) != RC_OK ||
        schema_new(&b->schema, b->profile, SCHEMA_COLUMNS_MAX) != RC_OK)
        return fail(b, "omni");
    int rc = 0;
    for (size_t i = 0; i < LEADS_MAX && rc == 0; i++)
        rc = load_lead(b, dir, i);
    if (rc >= 0 && b->n_leads == 0) {
        err_set(&b->err, RC_IO, "no file 000 in %s", dir);
        return fail(b, "read");
    }
    return rc < 0 ? -1 : 0;
}

static void free_all(struct bench *b)
{
    for (size_t i = 0; i < b->n_leads; i++)
        lead_free(b->leads[i]);
    schema_free(b->schema);
    flatten_plan_free(b->plan);
    profile_free(b->profile);
}

/* ---- timing -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* `before`, where there is one, is done in every round and not counted. */
static int measure(struct bench *b, const char *name, step_fn *before, step_fn *step, void *ctx)
{
    int64_t rounds[ROUNDS_MAX], spent_ns = 0;
    size_t n = 0;
    uint64_t bytes = 0;
    if (b->only && !strstr(name, b->only))
        return 0;
    while (n < ROUNDS_MIN || (n < ROUNDS_MAX && spent_ns < ROUNDS_NS)) {
        if (before)
            before(b, ctx);
        int64_t start_ns = cpu_ns();
        bytes = step(b, ctx);
        rounds[n] = cpu_ns() - start_ns;
        spent_ns += rounds[n++];
        if (b->err.rc != RC_OK)
            return fail(b, name);
    }
    qsort(rounds, n, sizeof *rounds, by_size);
    printf("{\"case\": \"%s\", \"ns\": %lld, \"bytes\": %llu, \"body_bytes\": %llu}\n", name,
           (long long)rounds[n / 2] / (long long)b->n_leads,
           (unsigned long long)(bytes / b->n_leads),
           (unsigned long long)(b->body_bytes / b->n_leads));
    return 0;
}

/* ---- parse, flatten ------------------------------------------------------------------------ */

static uint64_t parse_leads(struct bench *b, unsigned want)
{
    uint64_t held = 0;
    for (size_t i = 0; i < b->n_leads && b->err.rc == RC_OK; i++) {
        struct lead *lead = b->leads[i];
        arena_reset(&lead->arena, KEEP_BYTES);
        json_parse(&lead->arena, buf_str(&lead->body), want, &lead->doc, &b->err);
        held += lead->arena.held_bytes;
    }
    return held;
}

static uint64_t scan_all(struct bench *b, void *ctx)
{
    (void)ctx;
    return parse_leads(b, JSON_COMPACT);
}

static uint64_t tree_all(struct bench *b, void *ctx)
{
    (void)ctx;
    return parse_leads(b, JSON_TREE);
}

static uint64_t prepare_all(struct bench *b, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < b->n_leads && b->err.rc == RC_OK; i++) {
        arena_reset(&b->leads[i]->arena, KEEP_BYTES);
        const char *code;
        flatten_parse(b->plan, b->leads[i], JSON_TREE | JSON_COMPACT, &code, &b->err);
    }
    return 0;
}

static uint64_t flatten_with(struct bench *b, unsigned hashes)
{
    uint64_t held = 0;
    for (size_t i = 0; i < b->n_leads && b->err.rc == RC_OK; i++) {
        if (flatten_rows(b->plan, b->leads[i], hashes, &b->err) == RC_OK)
            schema_resolve(b->schema, b->leads[i], &b->err);
        held += b->leads[i]->arena.held_bytes;
    }
    return held;
}

static uint64_t flatten_all(struct bench *b, void *ctx)
{
    (void)ctx;
    return flatten_with(b, 0);
}

static uint64_t fingerprint_all(struct bench *b, void *ctx)
{
    (void)ctx;
    return flatten_with(b, FLATTEN_FINGERPRINT);
}

static uint64_t content_hash_all(struct bench *b, void *ctx)
{
    (void)ctx;
    return flatten_with(b, FLATTEN_CONTENT_HASH);
}

/* ---- sinks --------------------------------------------------------------------------------- */

struct sink_case {
    struct sink *sink;
    uint64_t rounds, settled;
};

static void settle(void *ctx, struct sink *sink, const struct lead *lead, const struct verdict *v)
{
    struct sink_case *c = ctx;
    (void)sink;
    (void)lead;
    c->settled += v->kind == VERDICT_ACCEPTED;
}

static uint64_t put_all(struct bench *b, void *ctx)
{
    struct sink_case *c = ctx;
    for (size_t i = 0; i < b->n_leads && b->err.rc == RC_OK; i += BATCH) {
        size_t n = b->n_leads - i < BATCH ? b->n_leads - i : BATCH;
        c->sink->ops->put(c->sink, (const struct lead *const *)&b->leads[i], n, &b->err);
    }
    c->rounds++;
    return 0;
}

static uint64_t written(const struct sink_case *c)
{
    struct sink_result r = {0};
    uint64_t bytes = 0;
    c->sink->ops->result(c->sink, &r);
    for (size_t i = 0; i < r.n_files; i++)
        bytes += r.files[i].bytes;
    return bytes;
}

/* The bytes of a sink are known in the end only: measure() has printed 0, this adds a line. */
static int end_sink(struct bench *b, struct sink_case *c, const char *spec)
{
    if (c->sink->ops->prepare(c->sink, NULL, &b->err) != RC_OK)
        return fail(b, spec);
    uint64_t leads = c->rounds * b->n_leads;
    if (c->settled != leads) {
        err_set(&b->err, RC_INTERNAL, "%llu leads of %llu accepted", (unsigned long long)c->settled,
                (unsigned long long)leads);
        return fail(b, spec);
    }
    if (leads)
        printf("{\"case\": \"%s\", \"written\": %llu}\n", spec,
               (unsigned long long)(written(c) / leads));
    return 0;
}

static int measure_sink(struct bench *b, const char *spec_text, const char *target)
{
    struct sink_spec spec;
    struct sink_case c = {0};
    char text[4096];
    if (b->only && !strstr(spec_text, b->only))
        return 0;
    snprintf(text, sizeof text, "%s:%s", spec_text, target);
    if (sink_spec_parse(&spec, text, &b->err) != RC_OK)
        return fail(b, spec_text);
    struct sink_cfg cfg = {.spec = spec.label,
                           .target = spec.target,
                           .opts = spec.opts,
                           .profile = b->profile,
                           .clock = &clock_system,
                           .max_memory = RUN_BYTES,
                           .host = {&c, settle}};
    int rc = -1;
    if (spec.ops->open(&c.sink, &cfg, NULL, &b->err) != RC_OK) {
        fail(b, spec_text);
        goto out;
    }
    rc = measure(b, spec_text, NULL, put_all, &c);
    if (rc == 0)
        rc = end_sink(b, &c, spec_text);
    c.sink->ops->close(c.sink);
out:
    sink_spec_free(&spec);
    return rc;
}

static int measure_sinks(struct bench *b)
{
    static const char *const specs[] = {
        "ndjson,layout=raw",        "ndjson,layout=lead",        "ndjson,layout=rows",
        "msgpack,gzip=0",           "msgpack,gzip=0,layout=raw", "ndjson,layout=raw,gzip=1",
        "ndjson,layout=raw,gzip=6", "ndjson,layout=raw,gzip=9",
    };
    char folder[4096];
    prepare_all(b, NULL);
    flatten_with(b, 0);
    if (b->err.rc != RC_OK)
        return fail(b, "flatten");
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (measure_sink(b, specs[i], "/dev/null") != 0)
            return -1;
    }
    snprintf(folder, sizeof folder, "%s/", b->temp_dir);
    if (measure_sink(b, "csv", folder) != 0)
        return -1;
    if (measure_sink(b, "csv,gzip=6", folder) != 0)
        return -1;
    return sink_by_name(STR("parquet")) ? measure_sink(b, "parquet", folder) : 0;
}

static int measure_all(struct bench *b)
{
    if (measure(b, "parse, text only", NULL, scan_all, NULL) != 0 ||
        measure(b, "parse, tree", NULL, tree_all, NULL) != 0 ||
        measure(b, "flatten", prepare_all, flatten_all, NULL) != 0 ||
        measure(b, "flatten, fingerprint", prepare_all, fingerprint_all, NULL) != 0 ||
        measure(b, "flatten, content hash", prepare_all, content_hash_all, NULL) != 0)
        return -1;
    return measure_sinks(b);
}

int main(int argc, char *argv[])
{
    struct bench b = {0};
    if (argc < 3 || argc > 4) {
        fputs("usage: micro BODIES-DIR TEMP-DIR [CASE]\n", stderr);
        return 2;
    }
    (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* as cmd/main.c has it */
    b.temp_dir = argv[2];
    b.only = argc > 3 ? argv[3] : NULL;
    int rc = load_all(&b, argv[1]);
    if (rc == 0)
        rc = measure_all(&b);
    free_all(&b);
    return rc == 0 ? 0 : 1;
}
