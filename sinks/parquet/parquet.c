/* The sink "parquet": one file, or a folder with one file a table. */
#include <inttypes.h>
#include <stdlib.h>

#include "core/sink.h"
#include "sinks/parquet/parquet_file.h"
#include "sinks/parquet/parquet_merge.h"
#include "sinks/registry.h"
#include "sinks/table_sink.h"

#define GROUP_ROWS_DEFAULT ((uint64_t)1 << 20)
#define GROUP_ROWS_MAX ((uint64_t)1 << 30)
#define GROUP_BYTES_MIN ((size_t)64 << 10)
#define GROUP_BYTES_MAX ((size_t)512 << 20)

/* A row group takes this share of the memory of a run, and no more than that, unless it was given. */
#define GROUP_SHARE 16
#define GROUP_BYTES_DEFAULT ((size_t)32 << 20)
#define BUFFERS_SHARE 2 /* what buffers take of what is held, at most */
/* Beyond a third more than may be held, columns give back what they do not use, if that is so much; less would stay
 * in the heap. */
#define BUFFERS_SPARE 3
#define TRIM_BYTES_MIN ((size_t)128 << 10)

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
     .names = NAMES_TABLES,
     .help = "the table to write to a single file; if omitted, the table of the leads themselves"},
    {.name = "row-group",
     AT(TEXT, row_group),
     .arg = "ROWS|SIZE",
     .flags = OPTION_PACKING,
     .default_note = "32M, at most a 16th of --max-memory",
     .help =
         "end a row group after this many rows, or at this much memory (with K, M or G); up to three and "
         "a half times as much of --max-memory is set aside"},
    {.name = "compression",
     AT(CHOICE, compression),
     .choices = "zstd|gzip|none",
     .default_text = "zstd",
     .flags = OPTION_PACKING,
     .help = "compression of the pages"},
    TYPED_OPTION_TYPES(AT(CHOICE, types)),
    {.name = "json",
     AT(CHOICE, json),
     .choices = "annotated|string",
     .default_text = "annotated",
     .help =
         "mark columns with JSON as JSON, or write plain strings for readers that do not know that type"},
    {.name = "run-columns",
     AT(FLAG, run_columns),
     .help = "add the columns _exported_at and _run_id"},
    {.name = NULL},
};

static size_t group_bytes_default(const struct sink_cfg *cfg)
{
    size_t share = cfg->max_memory / GROUP_SHARE;
    return share < GROUP_BYTES_MIN       ? GROUP_BYTES_MIN
           : share < GROUP_BYTES_DEFAULT ? share
                                         : GROUP_BYTES_DEFAULT;
}

static enum rc take_row_group(struct parquet_settings *s, const struct sink_cfg *cfg, struct err *e)
{
    const char *text = ((const struct parquet_opts *)cfg->opts)->row_group;
    uint64_t n = 0;
    s->group_rows_max = GROUP_ROWS_DEFAULT;
    s->group_bytes_max = group_bytes_default(cfg);
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

/* ---- memory --------------------------------------------------------------------------------- */

/* What the row groups of all files may take together: a quarter more than the default for one. Where that is
 * more than each file can take, or less than one may, it is that. */
static size_t open_bytes_max(const struct parquet_settings *s, const struct sink_cfg *cfg)
{
    size_t n_files = table_files_in_folder(cfg->target) ? cfg->profile->n_tables : 1;
    size_t most = group_bytes_default(cfg) / 4 * 5;
    if (n_files < most / s->group_bytes_max + 1)
        most = n_files * s->group_bytes_max;
    return most > s->group_bytes_max ? most : s->group_bytes_max;
}

/* What is counted as held is what the values take. Their buffers have room for more: an eighth, small ones up
 * to twice as much; and for what the row group before had, while all of them together take no more than a third
 * more than may be held, or with so many columns that their room alone is more, twice as much. At its end the
 * largest row group may be there once more, one column at a time: in full where a dictionary is given up, or
 * compressed. */
static size_t parquet_keeps(const struct sink_cfg *cfg)
{
    struct parquet_settings settings;
    struct err ignored = {0};
    if (settings_make(&settings, cfg, &ignored) != RC_OK)
        return 0; /* check() says so */
    return BUFFERS_SHARE * open_bytes_max(&settings, cfg) + settings.group_bytes_max;
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

static void parquet_probe(const struct sink_cfg *cfg, const struct findings *f)
{
    const struct table_files_cfg files = files_of(cfg);
    table_files_probe(&files, sink_parquet.name, f);
}

/* ---- the sink ------------------------------------------------------------------------------- */

struct parquet {
    struct table_sink base; /* first */
    struct parquet_settings settings;
    struct page_writer pages;
    size_t open_bytes_max;
    struct parquet_file *files;   /* one for each target */
    struct parquet_merge *merge;  /* of shards; NULL: this is a run */
    struct sink_misfits *misfits; /* after prepare() */
    size_t n_misfits;
};

static struct parquet *parquet_of(struct table_sink *s)
{
    return (struct parquet *)s;
}

static void parquet_close(struct sink *sink)
{
    struct parquet *s = (struct parquet *)sink;
    for (size_t i = 0; s->files && i < s->base.targets.n; i++)
        parquet_file_close(&s->files[i], s->base.marked);
    parquet_merge_free(s->merge);
    free(s->files);
    free(s->misfits);
    page_writer_free(&s->pages);
    table_sink_free(&s->base);
    free(s);
}

static enum rc open_files(struct parquet *s, const struct sink_mark *from, struct err *e)
{
    const struct sink_cfg *cfg = &s->base.cfg;
    const struct parquet_opts *opts = cfg->opts;
    static const enum compression compressions[] = {[CHOICE_ZSTD] = COMPRESSION_ZSTD,
                                                    [CHOICE_GZIP] = COMPRESSION_GZIP,
                                                    [CHOICE_NONE] = COMPRESSION_NONE};
    enum rc rc = settings_make(&s->settings, cfg, e);
    if (rc != RC_OK)
        return rc;
    s->settings.pages = &s->pages;
    s->open_bytes_max = open_bytes_max(&s->settings, cfg);
    if (page_writer_init(&s->pages, compressions[opts->compression]) != RC_OK)
        return err_nomem(e);
    const struct table_files_cfg files = files_of(cfg);
    rc = table_sink_make_targets(&s->base, &files, e);
    if (rc != RC_OK)
        return rc;
    s->files = calloc(s->base.targets.n, sizeof *s->files);
    return s->files ? table_sink_open_files(&s->base, from, e) : err_nomem(e);
}

/* Where row groups end must not change in mid-run, though --max-memory may: the mark says where. */
static enum rc take_limits(struct parquet *s, size_t i, struct str *mark, struct err *e)
{
    uint64_t group = 0;
    uint64_t open = 0;
    if (!text_take_uint(mark, ' ', &group) || !text_take_uint(mark, ' ', &open) || group == 0 ||
        open < group ||
        (i > 0 && (group != s->settings.group_bytes_max || open != s->open_bytes_max)))
        return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", s->base.cfg.spec);
    if (group > s->settings.group_bytes_max || open > s->open_bytes_max)
        return err_set(e, RC_USAGE,
                       "%s: the unfinished run began with more --max-memory, and has row groups of "
                       "%" PRIu64 " KiB; give as much again, or start over with --fresh",
                       s->base.cfg.spec, group >> 10);
    s->settings.group_bytes_max = (size_t)group;
    s->open_bytes_max = (size_t)open;
    return RC_OK;
}

static enum rc open_file(struct table_sink *base, size_t i, struct str mark, struct err *e)
{
    struct parquet *s = parquet_of(base);
    const struct table_file *t = &base->targets.items[i];
    enum rc rc = mark.ptr ? take_limits(s, i, &mark, e) : RC_OK;
    if (rc != RC_OK)
        return rc;
    return parquet_file_open(&s->files[i], &s->settings, t->table, t->path, mark, e);
}

/* While all row groups together take too much, the largest one ends. That depends on the rows alone. */
static enum rc bound_held(struct parquet *s, struct err *e)
{
    for (;;) {
        size_t sum = 0;
        struct parquet_file *largest = &s->files[0];
        for (size_t i = 0; i < s->base.targets.n; i++) {
            sum += s->files[i].memory.held;
            if (s->files[i].memory.held > largest->memory.held)
                largest = &s->files[i];
        }
        if (sum <= s->open_bytes_max)
            return RC_OK;
        enum rc rc = parquet_file_end_group(largest, e);
        if (rc != RC_OK)
            return rc;
    }
}

static size_t sum_taken(const struct parquet *s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s->base.targets.n; i++)
        sum += s->files[i].memory.taken;
    return sum;
}

/* Trims the column that has most memory that it does not use. Returns how many bytes that were. */
static size_t trim_idlest(struct parquet *s)
{
    struct chunk *idlest = NULL;
    for (size_t i = 0; i < s->base.targets.n; i++) {
        struct chunk *c = parquet_file_idlest(&s->files[i]);
        if (c && (!idlest || chunk_idle(c) > chunk_idle(idlest)))
            idlest = c;
    }
    size_t before = idlest ? idlest->taken : 0;
    if (before)
        chunk_trim(idlest);
    return idlest ? before - idlest->taken : 0;
}

/* Row groups of several tables end in turn, and each leaves its memory to the next one of its table. If none gave any
 * back, that would grow for 100,000 leads, to twice what values take. */
static void bound_taken(struct parquet *s)
{
    size_t wanted = s->open_bytes_max + s->open_bytes_max / BUFFERS_SPARE;
    size_t sum = sum_taken(s);
    size_t n = TRIM_BYTES_MIN;
    while (sum > wanted && n >= TRIM_BYTES_MIN) {
        n = trim_idlest(s);
        sum -= n;
    }
    for (size_t i = 0; sum > BUFFERS_SHARE * s->open_bytes_max && i < s->base.targets.n; i++)
        parquet_file_trim(&s->files[i]);
}

static enum rc bound_memory(struct parquet *s, struct err *e)
{
    enum rc rc = bound_held(s, e);
    bound_taken(s);
    return rc;
}

static enum rc put_lead(struct table_sink *base, const struct lead *lead, struct err *e)
{
    struct parquet *s = parquet_of(base);
    for (size_t i = 0; i < base->targets.n; i++) {
        const struct rows *rows = &lead->tables[base->targets.items[i].table];
        for (uint32_t k = 0; k < rows->n_rows; k++) {
            enum rc rc = parquet_file_put(&s->files[i], lead, &rows->rows[k], e);
            if (rc != RC_OK)
                return rc;
        }
    }
    return bound_memory(s, e);
}

static enum rc mark_file(struct table_sink *s, size_t i, struct buf *out, struct err *e)
{
    buf_addf(out, "%zu %zu ", parquet_of(s)->settings.group_bytes_max,
             parquet_of(s)->open_bytes_max);
    return parquet_file_mark(&parquet_of(s)->files[i], out, e);
}

static enum rc sync_file(struct table_sink *s, size_t i, struct err *e)
{
    return parquet_file_sync(&parquet_of(s)->files[i], e);
}

static void begin_commit_file(struct table_sink *s, size_t i)
{
    parquet_file_begin_commit(&parquet_of(s)->files[i]);
}

static enum rc commit_file(struct table_sink *s, size_t i, struct err *e)
{
    return parquet_file_commit(&parquet_of(s)->files[i], e);
}

static enum rc abort_file(struct table_sink *s, size_t i, struct err *e)
{
    return parquet_file_abort(&parquet_of(s)->files[i], e);
}

static const struct table_sink_ops file_ops = {
    .open = open_file,
    .put = put_lead,
    .mark = mark_file,
    .sync = sync_file,
    .begin_commit = begin_commit_file,
    .commit = commit_file,
    .abort = abort_file,
};

static enum rc parquet_open(struct sink **out, const struct sink_cfg *cfg,
                            const struct sink_mark *from, struct err *e)
{
    struct parquet *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    table_sink_init(&s->base, &sink_parquet, &file_ops, cfg, from);
    enum rc rc = open_files(s, from, e);
    if (rc != RC_OK) {
        parquet_close(&s->base.sink);
        return rc;
    }
    *out = &s->base.sink;
    return RC_OK;
}

static enum rc list_misfits(struct parquet *s, struct err *e)
{
    size_t n = s->base.targets.n;
    struct typed_table **tables = calloc(n + 1, sizeof *tables);
    if (!tables)
        return err_nomem(e);
    for (size_t i = 0; i < n; i++)
        tables[i] = s->files[i].table;
    enum rc rc = typed_table_misfits(tables, n, &s->misfits, &s->n_misfits);
    free(tables);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc merge_begin(struct sink *sink, const struct sink_merge *in, struct err *e)
{
    struct parquet *s = (struct parquet *)sink;
    size_t *tables = calloc(in->n_files + 1, sizeof *tables);
    if (!tables)
        return err_nomem(e);
    for (size_t i = 0; i < in->n_files; i++)
        tables[i] = s->base.targets.items[i].table;
    enum rc rc = parquet_merge_new(&s->merge, in, s->files, tables, e);
    free(tables);
    return rc;
}

static enum rc merge_put(struct sink *sink, const struct merge_lead *lead, struct err *e)
{
    struct parquet *s = (struct parquet *)sink;
    enum rc rc = parquet_merge_put(s->merge, lead, e);
    return rc == RC_OK ? bound_memory(s, e) : rc;
}

static enum rc merge_end(struct sink *sink, struct err *e)
{
    return parquet_merge_end(((struct parquet *)sink)->merge, e);
}

static const struct sink_merge_ops merge_ops = {
    .begin = merge_begin, .put = merge_put, .end = merge_end};

static enum rc parquet_prepare(struct sink *sink, struct buf *text, struct err *e)
{
    struct parquet *s = (struct parquet *)sink;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->base.targets.n; i++)
        rc = parquet_file_prepare(&s->files[i], text, e);
    return rc == RC_OK ? list_misfits(s, e) : rc;
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
    for (size_t i = 0; i < s->base.targets.n; i++)
        table_sink_describe(&s->base, i, s->files[i].n_rows, s->files[i].stream,
                            &s->files[i].names);
    *out = (struct sink_result){.files = s->base.results,
                                .n_files = s->base.targets.n,
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
    .target = NAMES_FILES,
    .spools = SINK_SPOOLS_MARKS,
    .eighths = 32, /* a cell as JSON, in the row group, and a page of it with its compressed form */
    .keeps = parquet_keeps,
    .merge = &merge_ops,
    .check = parquet_check,
    .probe = parquet_probe,
    .needs = parquet_needs,
    .paths = parquet_paths,
    .open = parquet_open,
    .put = table_sink_put,
    .mark = table_sink_mark,
    .sync = table_sink_sync,
    .prepare = parquet_prepare,
    .commit = table_sink_commit,
    .abort = table_sink_abort,
    .recover = parquet_recover,
    .on_stop = SINK_STOP_KEEP,
    .result = parquet_result,
    .close = parquet_close,
};
