#include "sinks/record/record_file.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sinks/blob.h"
#include "sinks/record/record_columns.h"
#include "sinks/stream.h"

#define LEAD_BYTES_MAX ((size_t)1 << 30)  /* records of one lead; rows repeat its ID */
#define WRITE_BYTES ((size_t)1 << 20)     /* a batch over this is written in pieces */
#define KEEP_BYTES ((size_t)2 << 20)      /* of the buffer, from one batch to the next */
#define MARK_BYTES_MAX ((size_t)64 << 20) /* far beyond what the stream has to say */

struct record_file {
    struct sink sink;
    struct sink_host host;
    const char *path; /* as all up to `layout`: of the configuration */
    const struct profile *profile;
    const struct schema *schema;
    enum record_layout layout;
    struct column_names columns; /* after prepare() */
    struct stream *stream;
    struct record_writer *writer;
    struct buf records; /* encoded, not yet written */
    uint64_t n_records;
    struct buf mark;
    bool marked;
    struct sink_file file;     /* after prepare() */
    struct sink_file *results; /* it, for those who ask */
};

static struct record_file *self(struct sink *s)
{
    return (struct record_file *)s;
}

/* ---- configuration -------------------------------------------------------------------------- */

enum rc record_file_check(const struct sink_cfg *cfg, struct err *e)
{
    size_t len = strlen(cfg->target);
    if (len > 0 && cfg->target[len - 1] == '/')
        return err_set(e, RC_USAGE,
                       "%s: the target is a directory, but this sink writes a single file: name "
                       "it, such as %sleads, or - for standard output",
                       cfg->spec, cfg->target);
    return outfile_check(cfg->target, e);
}

enum rc record_file_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    buf_add(out, cfg->target, strlen(cfg->target) + 1);
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

/* ---- open, close ---------------------------------------------------------------------------- */

/* A mark is "RECORDS STREAM": how many records, and what the stream has to say. */
static enum rc parse_mark(struct record_file *f, struct str text, struct str *stream, struct err *e)
{
    if (!text_take_uint(&text, ' ', &f->n_records))
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", f->path);
    *stream = text;
    return RC_OK;
}

static enum rc open_stream(struct record_file *f, const struct sink_cfg *cfg, unsigned level,
                           const struct sink_mark *from, struct err *e)
{
    struct stream_cfg stream = {
        .path = cfg->target,
        .level = level,
        .want_sha256 = cfg->want_sha256,
        .stop = cfg->stop,
    };
    if (from) { /* even an empty one: else what was written would be cut off */
        enum rc rc = parse_mark(f, from->text, &stream.mark, e);
        if (rc != RC_OK)
            return rc;
        f->marked = true;
    }
    enum rc rc = stream_open(&f->stream, &stream, e);
    if (rc == RC_OK && f->n_records > stream_bytes(f->stream)) /* each has a byte at least */
        rc = err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", f->path);
    return rc;
}

unsigned record_file_needs(const struct sink_cfg *cfg, const struct encoding *encoding)
{
    const struct record_file_opts *opts = cfg->opts;
    return record_wants(encoding, (enum record_layout)opts->layout);
}

enum rc record_file_open(struct sink **out, const struct record_file_kind *kind,
                         const struct sink_cfg *cfg, const struct sink_mark *from, struct err *e)
{
    const struct record_file_opts *opts = cfg->opts;
    struct record_file *f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(e);
    f->sink.ops = kind->ops;
    f->host = cfg->host;
    f->path = cfg->target;
    f->profile = cfg->profile;
    f->schema = cfg->schema;
    f->layout = (enum record_layout)opts->layout;
    f->results = &f->file;
    buf_init(&f->records, WRITE_BYTES + LEAD_BYTES_MAX);
    buf_init(&f->mark, MARK_BYTES_MAX);
    enum rc rc = record_writer_new(&f->writer, cfg->profile, kind->encoding, f->layout, e);
    if (rc == RC_OK)
        rc = open_stream(f, cfg, kind->level, from, e);
    if (rc != RC_OK) {
        record_file_close(&f->sink);
        return rc;
    }
    *out = &f->sink;
    return RC_OK;
}

void record_file_close(struct sink *s)
{
    struct record_file *f = self(s);
    /* Who took a mark may come back to it. */
    stream_close(f->stream, f->marked);
    record_writer_free(f->writer);
    column_names_free(&f->columns);
    buf_free(&f->records);
    buf_free(&f->mark);
    free(f);
}

/* ---- leads ---------------------------------------------------------------------------------- */

/* Writes what is encoded and accepts the leads that it is of. */
static enum rc write_out(struct record_file *f, const struct lead *const leads[], size_t n,
                         struct err *e)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    stream_write(f->stream, f->records.data, f->records.len);
    if (f->records.cap > KEEP_BYTES)
        buf_free(&f->records);
    else
        buf_clear(&f->records);
    enum rc rc = stream_rc(f->stream, e);
    for (size_t i = 0; i < n && rc == RC_OK; i++)
        f->host.settle(f->host.ctx, &f->sink, leads[i], &accepted);
    return rc;
}

static void refuse(struct record_file *f, const struct lead *lead)
{
    static const struct verdict too_large = {
        .kind = VERDICT_FAILED,
        .code = "too_large",
        .error = "the lead's records take more than 1 GiB",
    };
    f->host.settle(f->host.ctx, &f->sink, lead, &too_large);
}

/* Appends one lead; RC_LIMIT and RC_NOMEM leave the buffer as it was. */
static enum rc encode(struct record_file *f, const struct lead *lead)
{
    size_t before = f->records.len;
    size_t n = record_write(f->writer, &f->records, lead);
    enum rc rc = buf_rc(&f->records);
    if (rc == RC_OK) {
        f->n_records += n;
    } else {
        f->records.rc = RC_OK;
        f->records.len = before;
    }
    return rc;
}

enum rc record_file_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e)
{
    struct record_file *f = self(s);
    size_t first = 0; /* of the leads that are encoded but not written */
    for (size_t i = 0; i < n; i++) {
        enum rc encoded = encode(f, leads[i]);
        if (encoded == RC_NOMEM)
            return err_nomem(e);
        if (encoded == RC_OK && f->records.len < WRITE_BYTES)
            continue;
        size_t end = encoded == RC_OK ? i + 1 : i;
        enum rc rc = write_out(f, leads + first, end - first, e);
        if (rc != RC_OK)
            return rc;
        if (encoded != RC_OK)
            refuse(f, leads[i]);
        first = i + 1;
    }
    return write_out(f, leads + first, n - first, e);
}

/* ---- mark, end ------------------------------------------------------------------------------ */

enum rc record_file_mark(struct sink *s, struct sink_mark *out, struct err *e)
{
    struct record_file *f = self(s);
    buf_clear(&f->mark);
    buf_addf(&f->mark, "%" PRIu64 " ", f->n_records);
    enum rc rc = stream_mark(f->stream, &f->mark, e);
    if (rc != RC_OK)
        return rc;
    if (buf_rc(&f->mark) != RC_OK)
        return err_nomem(e);
    f->marked = true;
    out->text = buf_str(&f->mark);
    return RC_OK;
}

enum rc record_file_sync(struct sink *s, struct err *e)
{
    return stream_sync(self(s)->stream, e);
}

enum rc record_file_prepare(struct sink *s, struct buf *text, struct err *e)
{
    struct record_file *f = self(s);
    enum rc rc = stream_prepare(f->stream, text, e);
    if (rc != RC_OK)
        return rc;
    if (record_column_names(&f->columns, f->profile, f->schema, f->layout) != RC_OK)
        return err_nomem(e);
    f->file = (struct sink_file){
        .path = f->path,
        .rows = f->n_records,
        .bytes = stream_file_bytes(f->stream),
        .columns = f->columns.items,
        .n_columns = f->columns.n,
    };
    const char *digest = stream_sha256(f->stream);
    memcpy(f->file.sha256, digest, strnlen(digest, sizeof f->file.sha256 - 1));
    return RC_OK;
}

enum rc record_file_commit(struct sink *s, struct err *e)
{
    return stream_publish(self(s)->stream, e);
}

enum rc record_file_abort(struct sink *s, struct err *e)
{
    return stream_abort(self(s)->stream, e);
}

enum rc record_file_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,
                            struct err *e)
{
    return stream_recover(record_file_paths, cfg, r, e);
}

void record_file_result(const struct sink *s, struct sink_result *out)
{
    const struct record_file *f = (const struct record_file *)s;
    *out = (struct sink_result){.files = f->results, .n_files = 1};
}
