/* Leads through a sink into files, as a run does it, and the files read back. */
#ifndef LEADPIPE_TESTS_FUZZ_PATH_WRITE_H
#define LEADPIPE_TESTS_FUZZ_PATH_WRITE_H

#define ZLIB_CONST
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/lead.h"
#include "fuzz.h"
#include "sinks/registry.h"

#define PATH_LEADS_MAX 12
#define PATH_FILES_MAX 16
#define PATH_TEXT_MAX 512

/* One run's worth of leads; all that is read of their files is in the arena. */
struct path_run {
    struct arena arena;
    const struct profile *profile;
    struct lead *leads[PATH_LEADS_MAX];
    size_t n_leads;
    const char *folder;
    bool one_by_one; /* put() gets them so, else all at once */
    bool marked;     /* resume from a mark on the way, too, and compare */
    size_t mark_at;  /* after so many leads */
};

struct path_file {
    struct sink_file result; /* by the sink; texts in the arena */
    struct str content;      /* as it is in the file */
    struct str text;         /* decompressed */
};

struct path_files {
    struct path_file items[PATH_FILES_MAX];
    size_t n;
};

/* ---- reading -------------------------------------------------------------------------------- */

static inline struct str path_read(struct arena *a, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    MUST(fd >= 0 && fstat(fd, &st) == 0);
    size_t n = (size_t)st.st_size;
    char *content = arena_alloc(a, n + 1);
    MUST(content && read(fd, content, n + 1) == (ssize_t)n);
    MUST(close(fd) == 0);
    return (struct str){content, n};
}

/* All members of a gzip file, to its last byte. */
static inline struct str path_inflate(struct arena *a, struct str packed)
{
    z_stream z = {.next_in = (const unsigned char *)packed.ptr, .avail_in = (uInt)packed.len};
    size_t cap = 64 * packed.len + 4096, len = 0;
    char *out = arena_alloc(a, cap);
    MUST(out && packed.len && inflateInit2(&z, MAX_WBITS + 16) == Z_OK);
    for (int rc = Z_OK; rc != Z_STREAM_END || z.avail_in;) {
        if (rc == Z_STREAM_END)
            MUST(inflateReset(&z) == Z_OK);
        if (len == cap) {
            char *larger = arena_alloc(a, 4 * cap);
            MUST(larger);
            memcpy(larger, out, len);
            out = larger;
            cap *= 4;
        }
        z.next_out = (unsigned char *)out + len;
        z.avail_out = (uInt)(cap - len);
        rc = inflate(&z, Z_NO_FLUSH);
        len = cap - z.avail_out;
        MUST(rc == Z_STREAM_END || (rc == Z_OK && (z.avail_in || !z.avail_out)));
    }
    MUST(inflateEnd(&z) == Z_OK);
    return (struct str){out, len};
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Each lead that was put has one verdict. */
struct path_verdicts {
    const struct path_run *run;
    unsigned counts[PATH_LEADS_MAX];
};

static inline void path_settle(void *ctx, struct sink *sink, const struct lead *lead,
                               const struct verdict *v)
{
    struct path_verdicts *verdicts = ctx;
    MUST(sink && v->kind == VERDICT_ACCEPTED);
    for (size_t i = 0; i < verdicts->run->n_leads; i++)
        verdicts->counts[i] += verdicts->run->leads[i] == lead;
}

static inline void path_put(const struct path_run *run, struct sink *s, size_t from, size_t to,
                            bool one_by_one)
{
    struct err e;
    for (size_t n = one_by_one ? 1 : to - from; from < to; from += n)
        MUST(s->ops->put(s, (const struct lead *const *)run->leads + from, n, &e) == RC_OK);
}

/* Up to the mark, then away; and on from the mark. */
static inline struct sink *path_resume(struct path_run *run, const struct sink_ops *ops,
                                       const struct sink_cfg *cfg)
{
    struct sink *s;
    struct sink_mark mark;
    struct err e;
    MUST(ops->open(&s, cfg, NULL, &e) == RC_OK);
    path_put(run, s, 0, run->mark_at, !run->one_by_one);
    MUST(ops->mark(s, &mark, &e) == RC_OK && ops->sync(s, &e) == RC_OK);
    const char *text = arena_strdup(&run->arena, mark.text);
    MUST(text);
    mark.text.ptr = text;
    ops->close(s);
    MUST(ops->open(&s, cfg, &mark, &e) == RC_OK);
    path_put(run, s, run->mark_at, run->n_leads, !run->one_by_one);
    return s;
}

static inline struct path_file path_take_file(struct path_run *run, const struct sink_file *result)
{
    struct path_file f = {.result = *result};
    f.result.path = arena_strdup(&run->arena, str_c(result->path));
    f.result.table = result->table ? arena_strdup(&run->arena, str_c(result->table)) : NULL;
    f.text = f.content = path_read(&run->arena, result->path);
    MUST(f.content.len == result->bytes && strlen(result->sha256) == 64);
    if (f.content.len >= 2 && memcmp(f.content.ptr, "\x1F\x8B", 2) == 0)
        f.text = path_inflate(&run->arena, f.content);
    MUST(unlink(result->path) == 0);
    return f;
}

static inline void path_write_once(struct path_run *run, const struct sink_ops *ops,
                                   struct sink_cfg *cfg, bool marked, struct path_files *out)
{
    struct path_verdicts verdicts = {.run = run};
    struct sink_result result;
    struct sink *s;
    struct err e;
    cfg->host = (struct sink_host){.ctx = &verdicts, .settle = path_settle};
    MUST(ops->check(cfg, &e) == RC_OK);
    if (marked) {
        s = path_resume(run, ops, cfg);
    } else {
        MUST(ops->open(&s, cfg, NULL, &e) == RC_OK);
        path_put(run, s, 0, run->n_leads, run->one_by_one);
    }
    MUST(ops->prepare(s, NULL, &e) == RC_OK && ops->commit(s, &e) == RC_OK);
    ops->result(s, &result);
    MUST(result.n_files <= PATH_FILES_MAX);
    out->n = result.n_files;
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = path_take_file(run, &result.files[i]);
    ops->close(s);
    for (size_t i = 0; i < run->n_leads; i++)
        MUST(verdicts.counts[i] == 1);
}

/* "KIND,OPTIONS:" and a name in the run's folder. */
static inline void path_write(struct path_run *run, const char *kind, const char *name,
                              struct path_files *out)
{
    char text[PATH_TEXT_MAX];
    struct sink_spec spec;
    struct err e;
    (void)snprintf(text, sizeof text, "%s:%s/%s", kind, run->folder, name);
    MUST(sink_spec_parse(&spec, text, &e) == RC_OK);
    struct sink_cfg cfg = {.spec = spec.label,
                           .target = spec.target,
                           .opts = spec.opts,
                           .profile = run->profile,
                           .want_sha256 = true};
    path_write_once(run, spec.ops, &cfg, false, out);
    if (run->marked) {
        struct path_files again;
        path_write_once(run, spec.ops, &cfg, true, &again);
        MUST(again.n == out->n);
        for (size_t i = 0; i < out->n; i++) {
            const struct path_file *f = &out->items[i], *g = &again.items[i];
            MUST(str_eq(f->content, g->content) && strcmp(f->result.sha256, g->result.sha256) == 0);
            MUST(f->result.rows == g->result.rows && f->result.n_columns == g->result.n_columns);
        }
    }
    sink_spec_free(&spec);
}

#endif
