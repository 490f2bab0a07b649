/* The sink "csv": one file, or a folder with one file a table. */
#include <stdlib.h>

#include "core/base/blob.h"
#include "sinks/csv/csv_file.h"
#include "sinks/csv/csv_merge.h"
#include "sinks/registry.h"
#include "sinks/table_sink.h"

/* ---- options -------------------------------------------------------------------------------- */

enum { DELIMITER_COMMA, DELIMITER_TAB, DELIMITER_SEMICOLON };
enum { EOL_LF, EOL_CRLF };
enum { HEADER_YES, HEADER_NO };

struct csv_opts {
    const char *table;
    int delimiter, eol, header;
    bool bom, excel_safe, run_columns;
    int64_t gzip;
};

#define AT(type, member) OPTION_AT(struct csv_opts, type, member)

static const struct option_spec csv_opt_specs[] = {
    {.name = "table",
     AT(TEXT, table),
     .names = NAMES_TABLES,
     .help = "the table to write to a single file; if omitted, the table of the leads themselves"},
    {.name = "delimiter",
     AT(CHOICE, delimiter),
     .choices = "comma|tab|semicolon",
     .default_text = "comma",
     .help = "field separator"},
    {.name = "eol",
     AT(CHOICE, eol),
     .choices = "lf|crlf",
     .default_text = "lf",
     .help = "line ending"},
    {.name = "header",
     AT(CHOICE, header),
     .choices = "yes|no",
     .default_text = "yes",
     .help = "write a first row with the column names"},
    {.name = "bom", AT(FLAG, bom), .help = "begin with a UTF-8 byte order mark, for Excel"},
    {.name = "excel-safe",
     AT(FLAG, excel_safe),
     .help = "put an apostrophe before text that a spreadsheet would take for a formula, and quote "
             "text from which another delimiter would split one off; numbers and phone numbers "
             "are left alone"},
    STREAM_OPTION_GZIP(AT(NUMBER, gzip), STREAM_GZIP_BY_NAME),
    RUN_COLUMNS_OPTION(AT(FLAG, run_columns)),
    {.name = NULL},
};

static struct csv_settings settings_make(const struct sink_cfg *cfg)
{
    static const char delimiters[] = {
        [DELIMITER_COMMA] = ',', [DELIMITER_TAB] = '\t', [DELIMITER_SEMICOLON] = ';'};
    const struct csv_opts *opts = cfg->opts;
    return (struct csv_settings){
        .profile = cfg->profile,
        .dialect = {.delimiter = delimiters[opts->delimiter],
                    .crlf = opts->eol == EOL_CRLF,
                    .excel_safe = opts->excel_safe},
        .header = opts->header == HEADER_YES,
        .bom = opts->bom,
        .level = stream_level(opts->gzip, cfg->target),
        .want_sha256 = cfg->want_sha256,
        .stop = cfg->stop,
        .places = cfg->places,
    };
}

static struct table_files_cfg files_of(const struct sink_cfg *cfg)
{
    const struct csv_opts *opts = cfg->opts;
    return (struct table_files_cfg){
        .sink = cfg,
        .suffix = settings_make(cfg).level > 0 ? ".csv.gz" : ".csv",
        .table = opts->table,
    };
}

static enum rc csv_check(const struct sink_cfg *cfg, struct err *e)
{
    const struct table_files_cfg files = files_of(cfg);
    return table_files_check(&files, e);
}

static unsigned csv_needs(const struct sink_cfg *cfg)
{
    (void)cfg;
    return SINK_WANTS_ROWS;
}

static enum rc csv_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    const struct table_files_cfg files = files_of(cfg);
    return table_files_paths(&files, out, e);
}

static void csv_probe(const struct sink_cfg *cfg, const struct findings *f)
{
    const struct table_files_cfg files = files_of(cfg);
    table_files_probe(&files, sink_csv.name, f);
}

/* ---- the sink ------------------------------------------------------------------------------- */

struct csv {
    struct table_sink base; /* first */
    struct csv_settings settings;
    struct run_columns run;
    struct csv_file *files;         /* one for each target */
    struct column_names *columns;   /* of each file, after prepare() */
    struct buf keys;                /* the first fields of all rows of a lead, encoded */
    size_t provider_bytes;          /* of them, the first one and its delimiter */
    const struct sink_merge *merge; /* of shards; NULL: this is a run */
    struct csv_fields fields;       /* for that */
};

static struct csv *csv_of(struct table_sink *s)
{
    return (struct csv *)s;
}

static void csv_close(struct sink *sink)
{
    struct csv *s = (struct csv *)sink;
    for (size_t i = 0; s->files && i < s->base.targets.n; i++)
        csv_file_close(&s->files[i], s->base.marked);
    for (size_t i = 0; s->columns && i < s->base.targets.n; i++)
        column_names_free(&s->columns[i]);
    free(s->columns);
    free(s->files);
    buf_free(&s->keys);
    csv_fields_free(&s->fields);
    table_sink_free(&s->base);
    free(s);
}

static enum rc open_files(struct csv *s, const struct sink_mark *from, struct err *e)
{
    const struct table_files_cfg files = files_of(&s->base.cfg);
    enum rc rc = table_sink_make_targets(&s->base, &files, e);
    if (rc != RC_OK)
        return rc;
    s->files = calloc(s->base.targets.n, sizeof *s->files);
    s->columns = calloc(s->base.targets.n, sizeof *s->columns);
    if (!s->files || !s->columns)
        return err_nomem(e);
    return table_sink_open_files(&s->base, from, e);
}

static enum rc open_file(struct table_sink *base, size_t i, struct str mark, struct err *e)
{
    struct csv *s = csv_of(base);
    const struct table_file *t = &base->targets.items[i];
    return csv_file_open(&s->files[i], &s->settings, &base->cfg.profile->tables[t->table], t->path,
                         mark, e);
}

static enum rc put_lead(struct table_sink *base, const struct lead *lead, struct err *e)
{
    struct csv *s = csv_of(base);
    const struct profile *p = base->cfg.profile;
    s->keys.len = s->provider_bytes;
    for (size_t i = 1; i < p->n_key_columns; i++) {
        if (i > 1)
            buf_addc(&s->keys, s->settings.dialect.delimiter);
        csv_put_text(&s->keys, &s->settings.dialect, row_key_value(p, lead, i));
    }
    if (buf_rc(&s->keys) != RC_OK)
        return err_nomem(e);
    for (size_t i = 0; i < base->targets.n; i++) {
        const struct rows *rows = &lead->tables[base->targets.items[i].table];
        for (uint32_t k = 0; k < rows->n_rows; k++) {
            enum rc rc = csv_file_put(&s->files[i], buf_str(&s->keys), &rows->rows[k], e);
            if (rc != RC_OK)
                return rc;
        }
    }
    return RC_OK;
}

static enum rc mark_file(struct table_sink *s, size_t i, struct buf *out, struct err *e)
{
    return csv_file_mark(&csv_of(s)->files[i], out, e);
}

static enum rc sync_file(struct table_sink *s, size_t i, struct err *e)
{
    return csv_file_sync(&csv_of(s)->files[i], e);
}

static void begin_commit_file(struct table_sink *s, size_t i)
{
    csv_file_begin_commit(&csv_of(s)->files[i]);
}

static enum rc commit_file(struct table_sink *s, size_t i, struct err *e)
{
    return csv_file_commit(&csv_of(s)->files[i], e);
}

static enum rc abort_file(struct table_sink *s, size_t i, struct err *e)
{
    return csv_file_abort(&csv_of(s)->files[i], e);
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

static enum rc csv_open(struct sink **out, const struct sink_cfg *cfg, const struct sink_mark *from,
                        struct err *e)
{
    struct csv *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    table_sink_init(&s->base, &sink_csv, &file_ops, cfg, from);
    run_columns_init(&s->run, cfg, ((const struct csv_opts *)cfg->opts)->run_columns);
    s->settings = settings_make(cfg);
    s->settings.run = &s->run;
    buf_init(&s->keys, SIZE_MAX / 2);
    csv_put_text(&s->keys, &s->settings.dialect, cfg->profile->name);
    buf_addc(&s->keys, s->settings.dialect.delimiter);
    s->provider_bytes = s->keys.len;
    enum rc rc = buf_rc(&s->keys) == RC_OK ? open_files(s, from, e) : err_nomem(e);
    if (rc != RC_OK) {
        csv_close(&s->base.sink);
        return rc;
    }
    *out = &s->base.sink;
    return RC_OK;
}

static enum rc name_columns(const struct csv_file *f, struct column_names *out)
{
    enum rc rc = column_names_add_documented(out, f->settings->profile, f->table);
    for (uint32_t i = 0; rc == RC_OK && i < f->columns.n; i++)
        rc = column_names_add(out, str_c(f->columns.names[i]));
    for (size_t i = 0; rc == RC_OK && i < f->settings->run->n; i++)
        rc = column_names_add(out, f->settings->run->names[i]);
    return rc;
}

static enum rc csv_prepare(struct sink *sink, struct buf *text, struct err *e)
{
    struct csv *s = (struct csv *)sink;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->base.targets.n; i++)
        rc = csv_file_prepare(&s->files[i], text, e);
    for (size_t i = 0; rc == RC_OK && i < s->base.targets.n; i++)
        rc = name_columns(&s->files[i], &s->columns[i]) == RC_OK ? RC_OK : err_nomem(e);
    return rc;
}

static enum rc csv_recover(const struct sink_cfg *cfg, const struct sink_recovery *r, struct err *e)
{
    return stream_recover(csv_paths, cfg, r, e);
}

static void csv_result(const struct sink *sink, struct sink_result *out)
{
    const struct csv *s = (const struct csv *)sink;
    for (size_t i = 0; i < s->base.targets.n; i++)
        table_sink_describe(&s->base, i, s->files[i].n_rows, csv_file_stream(&s->files[i]),
                            &s->columns[i]);
    *out = (struct sink_result){.files = s->base.results, .n_files = s->base.targets.n};
}

/* ---- shards --------------------------------------------------------------------------------- */

static enum rc csv_merge_begin(struct sink *sink, const struct sink_merge *in, struct err *e)
{
    struct csv *s = (struct csv *)sink;
    s->merge = in;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < in->n_files; i++) {
        size_t table = s->base.targets.items[i].table;
        rc = csv_merge_columns(&s->files[i], in->schema, table, e);
        for (size_t k = 0; rc == RC_OK && k < in->n_shards; k++)
            rc = csv_merge_header(&s->files[i], in->files[k * in->n_files + i],
                                  &in->columns[k * in->n_tables + table], e);
    }
    return rc;
}

static enum rc csv_merge_put(struct sink *sink, const struct merge_lead *lead, struct err *e)
{
    struct csv *s = (struct csv *)sink;
    const struct sink_merge *in = s->merge;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < in->n_files; i++) {
        size_t table = s->base.targets.items[i].table;
        struct shard_file *from = in->files[lead->shard * in->n_files + i];
        if (!lead->rows)
            return shard_file_damaged(from, e);
        for (uint32_t k = 0; rc == RC_OK && k < lead->rows[table]; k++)
            rc = csv_merge_row(&s->files[i], from, &in->columns[lead->shard * in->n_tables + table],
                               &s->fields, e);
    }
    return rc;
}

static const struct sink_merge_ops csv_merge_ops = {.begin = csv_merge_begin, .put = csv_merge_put};

const struct sink_ops sink_csv = {
    .name = "csv",
    .help = "RFC 4180: one file per table in DIRECTORY/, or one table in a single file; the header "
            "covers every row",
    .opts = csv_opt_specs,
    .opts_size = sizeof(struct csv_opts),
    .target = NAMES_FILES,
    .spools = SINK_SPOOLS,
    .merge = &csv_merge_ops,
    .eighths = 28, /* a JSON cell, and with its quotes doubled */
    .check = csv_check,
    .probe = csv_probe,
    .needs = csv_needs,
    .paths = csv_paths,
    .open = csv_open,
    .put = table_sink_put,
    .mark = table_sink_mark,
    .sync = table_sink_sync,
    .prepare = csv_prepare,
    .commit = table_sink_commit,
    .abort = table_sink_abort,
    .recover = csv_recover,
    .on_stop = SINK_STOP_KEEP,
    .result = csv_result,
    .close = csv_close,
};
