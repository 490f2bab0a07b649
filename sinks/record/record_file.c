#include "sinks/record/record_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/blob.h"
#include "sinks/record/record_columns.h"
#include "sinks/record/record_merge.h"
#include "sinks/stream.h"
#include "sinks/table_files.h"

#define LEAD_BYTES_MAX ((size_t)1 << 30)  /* records of one lead; rows repeat its ID */
#define WRITE_BYTES ((size_t)1 << 20)     /* a batch over this is written in pieces */
#define KEEP_BYTES ((size_t)2 << 20)      /* of a buffer, from one batch to the next */
#define MARK_BYTES_MAX ((size_t)64 << 20) /* far beyond what the streams have to say */
#define SUFFIX_BYTES 32

/* One file, and what of it is encoded but not yet written. */
struct output {
    const struct table_file *target;
    struct stream *stream;
    struct buf records;
    uint64_t n_records;
    size_t n_before; /* bytes of `records` before the lead at hand */
    uint64_t n_added;
    struct column_names columns; /* after prepare() */
};

struct record_file {
    struct sink sink;
    struct sink_cfg cfg;
    enum record_layout layout;
    struct run_columns run;
    struct table_files targets;
    struct output *outputs; /* one for each of them */
    struct record_writer *writer;
    const struct encoding *encoding;
    const struct sink_merge *in; /* of shards; NULL: this is a run */
    struct record_merge *merge;
    struct buf mark;
    bool marked;
    struct sink_file *results; /* after prepare() */
};

static struct record_file *self(struct sink *s)
{
    return (struct record_file *)s;
}

/* ---- configuration -------------------------------------------------------------------------- */

static enum record_layout layout_of(const struct sink_cfg *cfg)
{
    const struct record_file_opts *opts = cfg->opts;
    if (table_files_in_folder(cfg->target))
        return LAYOUT_TABLE;
    return opts->layout == OPTION_AUTO ? LAYOUT_LEAD : (enum record_layout)opts->layout;
}

static unsigned level_of(const struct record_file_kind *kind, const struct sink_cfg *cfg)
{
    const struct record_file_opts *opts = cfg->opts;
    if (kind->is_compressed && opts->gzip == OPTION_AUTO)
        return STREAM_LEVEL_DEFAULT;
    return stream_level(opts->gzip, cfg->target);
}

/* `suffix` has room for SUFFIX_BYTES, and must live as long as what is returned. */
static struct table_files_cfg files_of(const struct record_file_kind *kind,
                                       const struct sink_cfg *cfg, char *suffix)
{
    (void)snprintf(suffix, SUFFIX_BYTES, "%s%s", kind->suffix, level_of(kind, cfg) ? ".gz" : "");
    return (struct table_files_cfg){.sink = cfg, .suffix = suffix, .all_in_one = true};
}

unsigned record_file_needs(const struct record_file_kind *kind, const struct sink_cfg *cfg)
{
    return record_wants(kind->encoding, layout_of(cfg));
}

enum rc record_file_check(const struct record_file_kind *kind, const struct sink_cfg *cfg,
                          struct err *e)
{
    const struct record_file_opts *opts = cfg->opts;
    char suffix[SUFFIX_BYTES];
    const struct table_files_cfg files = files_of(kind, cfg, suffix);
    if (table_files_in_folder(cfg->target) && opts->layout != OPTION_AUTO &&
        opts->layout != LAYOUT_ROWS)
        return err_set(e, RC_USAGE,
                       "%s: a directory gets one file per table, each with that table's rows; "
                       "layout=%s needs a single file: name it, such as %sleads%s",
                       cfg->spec, opts->layout == LAYOUT_RAW ? "raw" : "lead", cfg->target, suffix);
    return table_files_check(&files, e);
}

enum rc record_file_paths(const struct record_file_kind *kind, const struct sink_cfg *cfg,
                          struct buf *out, struct err *e)
{
    char suffix[SUFFIX_BYTES];
    const struct table_files_cfg files = files_of(kind, cfg, suffix);
    return table_files_paths(&files, out, e);
}

/* ---- open, close ---------------------------------------------------------------------------- */

static enum rc damaged(const struct output *o, struct err *e)
{
    return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", o->target->path);
}

/* A mark is "RECORDS STREAM": how many records, and what the stream has to say. */
static enum rc open_stream(struct record_file *f, struct output *o, unsigned level, struct str mark,
                           struct err *e)
{
    struct stream_cfg stream = {
        .places = f->cfg.places,
        .path = o->target->path,
        .level = level,
        .want_sha256 = f->cfg.want_sha256,
        .stop = f->cfg.stop,
    };
    if (mark.ptr) { /* even an empty one: else what was written would be cut off */
        if (!text_take_uint(&mark, ' ', &o->n_records))
            return damaged(o, e);
        stream.mark = mark;
    }
    enum rc rc = stream_open(&o->stream, &stream, e);
    if (rc == RC_OK && o->n_records > stream_bytes(o->stream)) /* each has a byte at least */
        rc = damaged(o, e);
    return rc;
}

/* The marks of several files end with a line end each. */
static enum rc open_outputs(struct record_file *f, unsigned level, const struct sink_mark *from,
                            struct err *e)
{
    struct str lines = from ? from->text : STR_NONE;
    bool in_folder = table_files_in_folder(f->cfg.target);
    for (size_t i = 0; i < f->targets.n; i++) {
        struct output *o = &f->outputs[i];
        struct str mark = lines;
        o->target = &f->targets.items[i];
        buf_init(&o->records, WRITE_BYTES + LEAD_BYTES_MAX);
        if (from && in_folder && !text_take(&lines, '\n', &mark))
            return damaged(o, e);
        enum rc rc = open_stream(f, o, level, mark, e);
        if (rc != RC_OK)
            return rc;
    }
    return in_folder && lines.len ? damaged(&f->outputs[0], e) : RC_OK;
}

static enum rc open_files(struct record_file *f, const struct record_file_kind *kind,
                          const struct sink_mark *from, struct err *e)
{
    char suffix[SUFFIX_BYTES];
    const struct table_files_cfg files = files_of(kind, &f->cfg, suffix);
    enum rc rc = table_files_make(&f->targets, &files, e);
    if (rc != RC_OK)
        return rc;
    f->outputs = calloc(f->targets.n, sizeof *f->outputs);
    f->results = calloc(f->targets.n, sizeof *f->results);
    if (!f->outputs || !f->results)
        return err_nomem(e);
    if (table_files_in_folder(f->cfg.target))
        rc = outfile_make_dirs(f->cfg.target, e);
    return rc == RC_OK ? open_outputs(f, level_of(kind, &f->cfg), from, e) : rc;
}

enum rc record_file_open(const struct record_file_kind *kind, struct sink **out,
                         const struct sink_cfg *cfg, const struct sink_mark *from, struct err *e)
{
    const struct record_file_opts *opts = cfg->opts;
    struct record_file *f = calloc(1, sizeof *f);
    if (!f)
        return err_nomem(e);
    f->sink.ops = kind->ops;
    f->cfg = *cfg;
    f->encoding = kind->encoding;
    f->layout = layout_of(cfg);
    f->marked = from != NULL;
    buf_init(&f->mark, MARK_BYTES_MAX);
    run_columns_init(&f->run, cfg, opts->run_columns);
    const struct record_cfg records = {
        .profile = cfg->profile, .encoding = kind->encoding, .layout = f->layout, .run = &f->run};
    enum rc rc = record_writer_new(&f->writer, &records, e);
    if (rc == RC_OK)
        rc = open_files(f, kind, from, e);
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
    for (size_t i = 0; f->outputs && i < f->targets.n; i++) {
        struct output *o = &f->outputs[i];
        /* Who took a mark may come back to it. */
        stream_close(o->stream, f->marked);
        column_names_free(&o->columns);
        buf_free(&o->records);
    }
    free(f->outputs);
    free(f->results);
    table_files_free(&f->targets);
    record_writer_free(f->writer);
    record_merge_free(f->merge);
    buf_free(&f->mark);
    free(f);
}

/* ---- leads ---------------------------------------------------------------------------------- */

/* Writes what is encoded and accepts the leads that it is of. */
static enum rc write_out(struct record_file *f, const struct lead *const leads[], size_t n,
                         struct err *e)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < f->targets.n; i++) {
        struct output *o = &f->outputs[i];
        stream_write(o->stream, o->records.data, o->records.len);
        if (o->records.cap > KEEP_BYTES)
            buf_free(&o->records);
        else
            buf_clear(&o->records);
        rc = stream_rc(o->stream, e);
    }
    for (size_t i = 0; i < n && rc == RC_OK; i++)
        f->cfg.host.settle(f->cfg.host.ctx, &f->sink, leads[i], &accepted);
    return rc;
}

static void refuse(struct record_file *f, const struct lead *lead)
{
    static const struct verdict too_large = {
        .kind = VERDICT_FAILED,
        .code = "too_large",
        .error = "the lead's records take more than 1 GiB",
    };
    f->cfg.host.settle(f->cfg.host.ctx, &f->sink, lead, &too_large);
}

/* Appends one lead. RC_LIMIT and RC_NOMEM leave all buffers as they were. */
static enum rc encode(struct record_file *f, const struct lead *lead, size_t *bytes)
{
    enum rc rc = RC_OK;
    size_t n = 0;
    for (; rc == RC_OK && n < f->targets.n; n++) {
        struct output *o = &f->outputs[n];
        o->n_before = o->records.len;
        o->n_added = f->layout == LAYOUT_TABLE
                         ? record_write_table(f->writer, &o->records, lead, o->target->table)
                         : record_write(f->writer, &o->records, lead);
        rc = buf_rc(&o->records);
    }
    *bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct output *o = &f->outputs[i];
        if (rc == RC_OK) {
            o->n_records += o->n_added;
        } else {
            o->records.rc = RC_OK;
            o->records.len = o->n_before;
        }
        *bytes += o->records.len;
    }
    return rc;
}

enum rc record_file_put(struct sink *s, const struct lead *const leads[], size_t n, struct err *e)
{
    struct record_file *f = self(s);
    size_t first = 0; /* of the leads that are encoded but not written */
    for (size_t i = 0; i < n; i++) {
        size_t bytes = 0;
        enum rc encoded = encode(f, leads[i], &bytes);
        if (encoded == RC_NOMEM)
            return err_nomem(e);
        if (encoded == RC_OK && bytes < WRITE_BYTES)
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

/* ---- shards --------------------------------------------------------------------------------- */

static enum rc record_file_merge_begin(struct sink *s, const struct sink_merge *in, struct err *e)
{
    struct record_file *f = self(s);
    const struct record_merge_cfg cfg = {.profile = f->cfg.profile,
                                         .encoding = f->encoding,
                                         .layout = f->layout,
                                         .n_ending = f->run.n,
                                         .in = in};
    f->in = in;
    return record_merge_new(&f->merge, &cfg, e);
}

/* `n` records of the i-th file. */
static enum rc take_records(struct record_file *f, const struct merge_lead *lead, size_t i,
                            size_t table, uint32_t n, struct err *e)
{
    struct output *o = &f->outputs[i];
    struct shard_file *from = f->in->files[lead->shard * f->in->n_files + i];
    enum rc rc = RC_OK;
    for (uint32_t k = 0; rc == RC_OK && k < n; k++) {
        rc = record_merge_take(f->merge, &o->records, from, lead->shard, table, e);
        if (rc == RC_OK && o->records.len >= WRITE_BYTES)
            rc = write_out(f, NULL, 0, e);
    }
    o->n_records += rc == RC_OK ? n : 0;
    return rc;
}

static enum rc record_file_merge_put(struct sink *s, const struct merge_lead *lead, struct err *e)
{
    struct record_file *f = self(s);
    enum rc rc = RC_OK;
    if (f->layout == LAYOUT_LEAD || f->layout == LAYOUT_RAW)
        return take_records(f, lead, 0, 0, 1, e);
    if (!lead->rows)
        return shard_file_damaged(f->in->files[lead->shard * f->in->n_files], e);
    for (size_t i = 0; f->layout == LAYOUT_TABLE && rc == RC_OK && i < f->targets.n; i++) {
        size_t table = f->outputs[i].target->table;
        rc = take_records(f, lead, i, table, lead->rows[table], e);
    }
    for (size_t i = 0; f->layout == LAYOUT_ROWS && rc == RC_OK && i < f->in->n_tables; i++)
        rc = take_records(f, lead, 0, i, lead->rows[i], e);
    return rc;
}

const struct sink_merge_ops record_file_merge = {.begin = record_file_merge_begin,
                                                 .put = record_file_merge_put};

/* ---- mark, end ------------------------------------------------------------------------------ */

enum rc record_file_mark(struct sink *s, struct sink_mark *out, struct err *e)
{
    struct record_file *f = self(s);
    buf_clear(&f->mark);
    for (size_t i = 0; i < f->targets.n; i++) {
        struct output *o = &f->outputs[i];
        buf_addf(&f->mark, "%" PRIu64 " ", o->n_records);
        enum rc rc = stream_mark(o->stream, &f->mark, e);
        if (rc != RC_OK)
            return rc;
        if (f->layout == LAYOUT_TABLE)
            buf_addc(&f->mark, '\n');
    }
    if (buf_rc(&f->mark) != RC_OK)
        return err_nomem(e);
    f->marked = true;
    out->text = buf_str(&f->mark);
    return RC_OK;
}

static enum rc each_stream(struct record_file *f, enum rc (*fn)(struct stream *s, struct err *e),
                           struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < f->targets.n; i++)
        rc = fn(f->outputs[i].stream, e);
    return rc;
}

enum rc record_file_sync(struct sink *s, struct err *e)
{
    return each_stream(self(s), stream_sync, e);
}

static enum rc name_columns(struct record_file *f, struct output *o)
{
    enum rc rc = record_column_names(&o->columns, f->cfg.profile, f->cfg.schema, f->layout,
                                     o->target->table);
    for (size_t i = 0; rc == RC_OK && i < f->run.n; i++)
        rc = column_names_add(&o->columns, f->run.names[i]);
    return rc;
}

static void describe(struct sink_file *file, const struct output *o)
{
    *file = (struct sink_file){
        .path = o->target->path,
        .table = o->target->name,
        .rows = o->n_records,
        .bytes = stream_file_bytes(o->stream),
        .columns = o->columns.items,
        .n_columns = o->columns.n,
    };
    const char *digest = stream_sha256(o->stream);
    memcpy(file->sha256, digest, strnlen(digest, sizeof file->sha256 - 1));
}

enum rc record_file_prepare(struct sink *s, struct buf *text, struct err *e)
{
    struct record_file *f = self(s);
    enum rc rc = write_out(f, NULL, 0, e); /* of shards, the last of what was merged */
    for (size_t i = 0; rc == RC_OK && i < f->targets.n; i++)
        rc = stream_prepare(f->outputs[i].stream, text, e);
    for (size_t i = 0; rc == RC_OK && i < f->targets.n; i++) {
        rc = name_columns(f, &f->outputs[i]) == RC_OK ? RC_OK : err_nomem(e);
        describe(&f->results[i], &f->outputs[i]);
    }
    return rc;
}

/* As table_sink_commit(). */
enum rc record_file_commit(struct sink *s, struct err *e)
{
    struct record_file *f = self(s);
    enum rc rc = stream_publish(f->outputs[0].stream, e);
    for (size_t i = 1; rc == RC_OK && i < f->targets.n; i++)
        stream_begin_publish(f->outputs[i].stream);
    for (size_t i = 1; rc == RC_OK && i < f->targets.n; i++)
        rc = stream_publish(f->outputs[i].stream, e);
    return rc;
}

enum rc record_file_abort(struct sink *s, struct err *e)
{
    return each_stream(self(s), stream_abort, e);
}

void record_file_result(const struct sink *s, struct sink_result *out)
{
    const struct record_file *f = (const struct record_file *)s;
    *out = (struct sink_result){.files = f->results, .n_files = f->targets.n};
    for (size_t i = 0; i < f->targets.n; i++)
        out->bytes_sent += stream_bytes_sent(f->outputs[i].stream);
}
