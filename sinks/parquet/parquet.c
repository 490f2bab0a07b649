/* The sink "parquet": one file, or a folder with one file a table. */
#include <stdio.h>
#include <stdlib.h>

#include "core/sink.h"
#include "sinks/parquet/parquet_file.h"
#include "sinks/registry.h"
#include "sinks/table_files.h"

/* Of a row group: what fits into memory with the row groups of all other tables, all of which together
 * may take no more than OPEN_BYTES_MAX. */
#define GROUP_ROWS_DEFAULT ((uint64_t)1 << 20)
#define GROUP_ROWS_MAX ((uint64_t)1 << 30)
#define GROUP_BYTES_DEFAULT ((size_t)32 << 20)
#define GROUP_BYTES_MIN ((size_t)64 << 10)
#define GROUP_BYTES_MAX ((size_t)512 << 20)
#define OPEN_BYTES_MAX ((size_t)40 << 20)

/* ---- options -------------------------------------------------------------------------------- */

enum { CHOICE_ZSTD, CHOICE_GZIP, CHOICE_NONE };
enum { JSON_ANNOTATED, JSON_STRING };

struct parquet_opts {
    const char *table, *row_group;
    int compression, types, json;
    bool run_columns;
};

#define AT(type, member) OPTION_AT(struct parquet_opts, type, member)

static const struct option_spec parquet_opt_specs[] = {
    {.name = "table",
     AT(TEXT, table),
     .help = "the table to write to a single file; if omitted, the table of the leads themselves"},
    {.name = "row-group",
     AT(TEXT, row_group),
     .arg = "ROWS|SIZE",
     .default_note = "32M",
     .help =
         "end a row group after so many rows, or where it takes so much memory (with K, M or G)"},
    {.name = "compression",
     AT(CHOICE, compression),
     .choices = "zstd|gzip|none",
     .default_text = "zstd",
     .help = "compression of the pages"},
    TYPED_OPTION_TYPES(AT(CHOICE, types)),
    {.name = "json",
     AT(CHOICE, json),
     .choices = "annotated|string",
     .default_text = "annotated",
     .help =
         "columns with JSON are marked as such, or are strings for readers that do not know it"},
    {.name = "run-columns",
     AT(FLAG, run_columns),
     .help = "add the columns _exported_at and _run_id"},
    {.name = NULL},
};

static enum rc take_row_group(struct parquet_settings *s, const struct sink_cfg *cfg, struct err *e)
{
    const char *text = ((const struct parquet_opts *)cfg->opts)->row_group;
    uint64_t n = 0;
    s->group_rows_max = GROUP_ROWS_DEFAULT;
    s->group_bytes_max = GROUP_BYTES_DEFAULT;
    if (!text)
        return RC_OK;
    if (units_uint(str_c(text), &n)) {
        if (n >= 1 && n <= GROUP_ROWS_MAX) {
            s->group_rows_max = n;
            return RC_OK;
        }
    } else if (units_size(str_c(text), &n) && n >= GROUP_BYTES_MIN && n <= GROUP_BYTES_MAX) {
        s->group_bytes_max = (size_t)n;
        return RC_OK;
    }
    return err_set(
        e, RC_USAGE,
        "%s: row-group=%.64s: is neither a number of rows (1 to 1073741824) nor a size from "
        "64K to 512M",
        cfg->spec, text);
}

static enum rc settings_make(struct parquet_settings *out, const struct sink_cfg *cfg,
                             struct err *e)
{
    const struct parquet_opts *opts = cfg->opts;
    *out = (struct parquet_settings){.profile = cfg->profile,
                                     .as_text = opts->types == TYPES_TEXT,
                                     .json_as_string = opts->json == JSON_STRING,
                                     .run_columns = opts->run_columns,
                                     .run_id = cfg->run_id,
                                     .started_ms = cfg->started_ms,
                                     .want_sha256 = cfg->want_sha256,
                                     .stop = cfg->stop,
                                     .places = cfg->places};
    return take_row_group(out, cfg, e);
}

/* ---- checks --------------------------------------------------------------------------------- */

static struct table_files_cfg files_of(const struct sink_cfg *cfg)
{
    const struct parquet_opts *opts = cfg->opts;
    return (struct table_files_cfg){.sink = cfg, .suffix = ".parquet", .table = opts->table};
}

static enum rc parquet_check(const struct sink_cfg *cfg, struct err *e)
{
    const struct table_files_cfg files = files_of(cfg);
    struct parquet_settings settings;
    enum rc rc = settings_make(&settings, cfg, e);
    return rc == RC_OK ? table_files_check(&files, e) : rc;
}

static unsigned parquet_needs(const struct sink_cfg *cfg)
{
    (void)cfg;
    return SINK_WANTS_ROWS;
}

static enum rc parquet_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    const struct table_files_cfg files = files_of(cfg);
    return table_files_paths(&files, out, e);
}

/* ---- the sink ------------------------------------------------------------------------------- */

struct parquet {
    struct sink sink; /* first */
    struct sink_cfg cfg;
    struct parquet_settings settings;
    struct page_writer pages;
    size_t open_bytes_max;
    struct table_files targets;
    struct parquet_file *files; /* one for each target */
    struct sink_file *results;
    struct sink_misfits *misfits; /* after prepare() */
    size_t n_misfits;
    struct buf mark;
    bool marked; /* there is a mark that needs the unfinished files */
};

static struct parquet *parquet_of(struct sink *s)
{
    return (struct parquet *)s;
}

static void parquet_close(struct sink *sink)
{
    struct parquet *s = parquet_of(sink);
    for (size_t i = 0; s->files && i < s->targets.n; i++)
        parquet_file_close(&s->files[i], s->marked);
    free(s->files);
    free(s->results);
    free(s->misfits);
    table_files_free(&s->targets);
    page_writer_free(&s->pages);
    buf_free(&s->mark);
    free(s);
}

static enum rc damaged(const struct parquet *s, struct err *e)
{
    return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", s->cfg.spec);
}

/* A mark is one line a file. */
static enum rc open_files(struct parquet *s, const struct sink_mark *from, struct err *e)
{
    struct str lines = from ? from->text : STR_NONE;
    for (size_t i = 0; i < s->targets.n; i++) {
        struct str line = STR_NONE;
        const struct table_file *t = &s->targets.items[i];
        if (from && !text_take(&lines, '\n', &line))
            return damaged(s, e);
        enum rc rc = parquet_file_open(&s->files[i], &s->settings, t->table, t->path, line, e);
        if (rc != RC_OK)
            return rc;
    }
    return lines.len == 0 ? RC_OK : damaged(s, e);
}

static enum rc open_targets(struct parquet *s, const struct sink_mark *from, struct err *e)
{
    const struct parquet_opts *opts = s->cfg.opts;
    static const enum compression compressions[] = {[CHOICE_ZSTD] = COMPRESSION_ZSTD,
                                                    [CHOICE_GZIP] = COMPRESSION_GZIP,
                                                    [CHOICE_NONE] = COMPRESSION_NONE};
    enum rc rc = settings_make(&s->settings, &s->cfg, e);
    if (rc != RC_OK)
        return rc;
    s->settings.pages = &s->pages;
    s->open_bytes_max =
        s->settings.group_bytes_max > OPEN_BYTES_MAX ? s->settings.group_bytes_max : OPEN_BYTES_MAX;
    if (page_writer_init(&s->pages, compressions[opts->compression]) != RC_OK)
        return err_nomem(e);
    const struct table_files_cfg files = files_of(&s->cfg);
    rc = table_files_make(&s->targets, &files, e);
    if (rc != RC_OK)
        return rc;
    s->files = calloc(s->targets.n, sizeof *s->files);
    s->results = calloc(s->targets.n, sizeof *s->results);
    if (!s->files || !s->results)
        return err_nomem(e);
    if (table_files_in_folder(s->cfg.target))
        rc = outfile_make_dirs(s->cfg.target, e);
    return rc == RC_OK ? open_files(s, from, e) : rc;
}

static enum rc parquet_open(struct sink **out, const struct sink_cfg *cfg,
                            const struct sink_mark *from, struct err *e)
{
    struct parquet *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->sink.ops = &sink_parquet;
    s->cfg = *cfg;
    s->marked = from != NULL;
    buf_init(&s->mark, SIZE_MAX / 2);
    enum rc rc = open_targets(s, from, e);
    if (rc != RC_OK) {
        parquet_close(&s->sink);
        return rc;
    }
    *out = &s->sink;
    return RC_OK;
}

/* While all row groups together take too much, the largest one ends. That depends on the rows alone. */
static enum rc bound_memory(struct parquet *s, struct err *e)
{
    for (;;) {
        size_t sum = 0;
        struct parquet_file *largest = &s->files[0];
        for (size_t i = 0; i < s->targets.n; i++) {
            sum += s->files[i].held;
            if (s->files[i].held > largest->held)
                largest = &s->files[i];
        }
        if (sum <= s->open_bytes_max)
            return RC_OK;
        enum rc rc = parquet_file_end_group(largest, e);
        if (rc != RC_OK)
            return rc;
    }
}

static enum rc put_lead(struct parquet *s, const struct lead *lead, struct err *e)
{
    for (size_t i = 0; i < s->targets.n; i++) {
        const struct rows *rows = &lead->tables[s->targets.items[i].table];
        for (uint32_t k = 0; k < rows->n_rows; k++) {
            enum rc rc = parquet_file_put(&s->files[i], lead, &rows->rows[k], e);
            if (rc != RC_OK)
                return rc;
        }
    }
    return bound_memory(s, e);
}

static enum rc parquet_put(struct sink *sink, const struct lead *const leads[], size_t n,
                           struct err *e)
{
    struct parquet *s = parquet_of(sink);
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    for (size_t i = 0; i < n; i++) {
        enum rc rc = put_lead(s, leads[i], e);
        if (rc != RC_OK)
            return rc;
        s->cfg.host.settle(s->cfg.host.ctx, sink, leads[i], &accepted);
    }
    return RC_OK;
}

static enum rc parquet_mark(struct sink *sink, struct sink_mark *out, struct err *e)
{
    struct parquet *s = parquet_of(sink);
    buf_clear(&s->mark);
    for (size_t i = 0; i < s->targets.n; i++) {
        enum rc rc = parquet_file_mark(&s->files[i], &s->mark, e);
        if (rc != RC_OK)
            return rc;
    }
    s->marked = true;
    out->text = buf_str(&s->mark);
    return RC_OK;
}

static enum rc each_file(struct parquet *s, enum rc (*fn)(struct parquet_file *f, struct err *e),
                         struct err *e)
{
    for (size_t i = 0; i < s->targets.n; i++) {
        enum rc rc = fn(&s->files[i], e);
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

static enum rc parquet_sync(struct sink *sink, struct err *e)
{
    return each_file(parquet_of(sink), parquet_file_sync, e);
}

static enum rc list_misfits(struct parquet *s, struct err *e)
{
    struct typed_table **tables = calloc(s->targets.n + 1, sizeof *tables);
    if (!tables)
        return err_nomem(e);
    for (size_t i = 0; i < s->targets.n; i++)
        tables[i] = s->files[i].table;
    enum rc rc = typed_table_misfits(tables, s->targets.n, &s->misfits, &s->n_misfits);
    free(tables);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc parquet_prepare(struct sink *sink, struct buf *text, struct err *e)
{
    struct parquet *s = parquet_of(sink);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->targets.n; i++)
        rc = parquet_file_prepare(&s->files[i], text, e);
    return rc == RC_OK ? list_misfits(s, e) : rc;
}

static enum rc parquet_commit(struct sink *sink, struct err *e)
{
    return each_file(parquet_of(sink), parquet_file_commit, e);
}

static enum rc parquet_abort(struct sink *sink, struct err *e)
{
    return each_file(parquet_of(sink), parquet_file_abort, e);
}

static enum rc parquet_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,
                               struct err *e)
{
    const struct table_files_cfg files = files_of(cfg);
    struct table_files targets = {0};
    enum rc rc = stream_recover(parquet_paths, cfg, r, e);
    if (rc != RC_OK || r->only_check)
        return rc;
    rc = table_files_make(&targets, &files, e);
    for (size_t i = 0; i < targets.n; i++)
        parquet_file_clear(cfg->places, targets.items[i].path);
    table_files_free(&targets);
    return rc;
}

static void parquet_result(const struct sink *sink, struct sink_result *out)
{
    const struct parquet *s = (const struct parquet *)sink;
    for (size_t i = 0; i < s->targets.n; i++) {
        const struct parquet_file *f = &s->files[i];
        struct sink_file *r = &s->results[i];
        *r = (struct sink_file){
            .path = f->path,
            .table = s->targets.items[i].name,
            .rows = f->n_rows,
            .bytes = stream_file_bytes(f->stream),
            .columns = f->names.items,
            .n_columns = f->names.n,
        };
        (void)snprintf(r->sha256, sizeof r->sha256, "%s", stream_sha256(f->stream));
    }
    *out = (struct sink_result){.files = s->results,
                                .n_files = s->targets.n,
                                .is_typed = !s->settings.as_text,
                                .misfits = s->misfits,
                                .n_misfits = s->n_misfits};
}

const struct sink_ops sink_parquet = {
    .name = "parquet",
    .help =
        "Apache Parquet: one file per table in DIRECTORY/, or one table in a single file; columns "
        "have the types of the profile",
    .opts = parquet_opt_specs,
    .opts_size = sizeof(struct parquet_opts),
    .eighths = 32, /* a cell as JSON, in the row group, and a page of it with its compressed form */
    .check = parquet_check,
    .needs = parquet_needs,
    .paths = parquet_paths,
    .open = parquet_open,
    .put = parquet_put,
    .mark = parquet_mark,
    .sync = parquet_sync,
    .prepare = parquet_prepare,
    .commit = parquet_commit,
    .abort = parquet_abort,
    .recover = parquet_recover,
    .on_stop = SINK_STOP_KEEP,
    .result = parquet_result,
    .close = parquet_close,
};
