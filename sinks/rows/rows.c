#include "sinks/rows/rows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/base/units.h"
#include "sinks/extra_columns.h"
#include "sinks/stream.h"

#define LEVEL 6
#define MARK_BYTES_MAX ((size_t)64 << 20)

struct rows_sink {
    struct sink sink; /* first */
    struct sink_cfg cfg;
    struct stream *stream;
    struct extra_columns *columns; /* one for each table of the profile: those that were written */
    struct buf record, length, mark;
    uint64_t before; /* the place of the last lead */
    uint64_t n_leads;
    bool marked;
    struct sink_file result;
};

/* It is beside the manifest, of which the run finds out; the sinks before may be going to make the folder. */
static enum rc rows_check(const struct sink_cfg *cfg, struct err *e)
{
    (void)cfg;
    (void)e;
    return RC_OK;
}

/* Whatever the leads have for the other sinks. */
static unsigned rows_needs(const struct sink_cfg *cfg)
{
    (void)cfg;
    return 0;
}

static enum rc rows_paths(const struct sink_cfg *cfg, struct buf *out, struct err *e)
{
    buf_add(out, cfg->target, strlen(cfg->target) + 1);
    return buf_rc(out) == RC_OK ? RC_OK : err_nomem(e);
}

static void rows_close(struct sink *sink)
{
    struct rows_sink *s = (struct rows_sink *)sink;
    stream_close(s->stream, s->marked);
    for (size_t i = 0; s->columns && i < s->cfg.profile->n_tables; i++)
        extra_columns_free(&s->columns[i]);
    free(s->columns);
    buf_free(&s->record);
    buf_free(&s->length);
    buf_free(&s->mark);
    free(s);
}

/* LEADS BEFORE NAME,... ... STREAM: names of the columns of each table. */
static enum rc take_mark(struct rows_sink *s, struct str *text)
{
    enum rc rc = RC_OK;
    if (!text_take_uint(text, ' ', &s->n_leads) || !text_take_uint(text, ' ', &s->before))
        return RC_SYNTAX;
    for (size_t i = 0; rc == RC_OK && i < s->cfg.profile->n_tables; i++) {
        struct str names;
        rc =
            text_take(text, ' ', &names) ? extra_columns_restore(&s->columns[i], names) : RC_SYNTAX;
    }
    return rc;
}

static enum rc write_header(struct rows_sink *s, struct err *e)
{
    struct rows_header header = ((const struct rows_opts *)s->cfg.opts)->header;
    header.profile = s->cfg.profile->json;
    rows_put_header(&s->record, &header);
    if (buf_rc(&s->record) != RC_OK)
        return err_nomem(e);
    stream_write(s->stream, s->record.data, s->record.len);
    return stream_rc(s->stream, e);
}

static enum rc open_file(struct rows_sink *s, const struct sink_mark *from, struct err *e)
{
    struct stream_cfg stream = {
        .places = s->cfg.places,
        .path = s->cfg.target,
        .level = LEVEL,
        .want_sha256 = true,
        .stop = s->cfg.stop,
    };
    if (from) {
        stream.mark = from->text;
        enum rc rc = take_mark(s, &stream.mark);
        if (rc == RC_NOMEM)
            return err_nomem(e);
        if (rc != RC_OK)
            return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", s->cfg.target);
    }
    enum rc rc = stream_open(&s->stream, &stream, e);
    return rc == RC_OK && !from ? write_header(s, e) : rc;
}

static enum rc rows_open(struct sink **out, const struct sink_cfg *cfg,
                         const struct sink_mark *from, struct err *e)
{
    struct rows_sink *s = calloc(1, sizeof *s);
    if (!s)
        return err_nomem(e);
    s->sink.ops = &sink_rows;
    s->cfg = *cfg;
    s->marked = from != NULL;
    buf_init(&s->record, ROWS_RECORD_BYTES_MAX);
    buf_init(&s->length, ROWS_NUMBER_BYTES_MAX);
    buf_init(&s->mark, MARK_BYTES_MAX);
    s->columns = calloc(cfg->profile->n_tables, sizeof *s->columns);
    enum rc rc = s->columns ? open_file(s, from, e) : err_nomem(e);
    if (rc != RC_OK) {
        rows_close(&s->sink);
        return rc;
    }
    *out = &s->sink;
    return RC_OK;
}

/* ---- leads ----------------------------------------------------------------------------------- */

static enum rc put_new_columns(struct rows_sink *s, size_t table, uint32_t at,
                               const struct row *row)
{
    struct extra_columns *columns = &s->columns[table];
    enum rc rc = RC_OK;
    for (uint32_t i = 0; rc == RC_OK && i < row->n_extras; i++) {
        uint32_t n = columns->n;
        uint32_t position = 0;
        rc = extra_columns_position(columns, row->extras[i].column, &position);
        if (rc == RC_OK && columns->n > n)
            rows_put_column(&s->record, table, at, row->extras[i].column);
    }
    return rc;
}

static enum rc put_lead(struct rows_sink *s, const struct lead *lead)
{
    const size_t n_tables = s->cfg.profile->n_tables;
    uint64_t number = lead_number(lead);
    enum rc rc = RC_OK;
    buf_clear(&s->record);
    buf_clear(&s->length);
    rows_put_lead(&s->record, number, s->before, lead->tables, n_tables);
    for (size_t i = 0; lead->tables && rc == RC_OK && i < n_tables; i++) {
        const struct rows *rows = &lead->tables[i];
        for (uint32_t k = 0; rc == RC_OK && k < rows->n_rows; k++)
            rc = put_new_columns(s, i, k, &rows->rows[k]);
    }
    rows_put_number(&s->length, s->record.len);
    if (rc != RC_OK || buf_rc(&s->record) != RC_OK || buf_rc(&s->length) != RC_OK)
        return RC_NOMEM;
    stream_write(s->stream, s->length.data, s->length.len);
    stream_write(s->stream, s->record.data, s->record.len);
    s->before = number;
    s->n_leads++;
    return RC_OK;
}

static enum rc rows_put(struct sink *sink, const struct lead *const leads[], size_t n,
                        struct err *e)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    struct rows_sink *s = (struct rows_sink *)sink;
    for (size_t i = 0; i < n; i++) {
        if (put_lead(s, leads[i]) != RC_OK)
            return err_nomem(e);
    }
    enum rc rc = stream_rc(s->stream, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        s->cfg.host.settle(s->cfg.host.ctx, sink, leads[i], &accepted);
    return rc;
}

/* ---- mark, end ------------------------------------------------------------------------------- */

static enum rc rows_mark(struct sink *sink, struct sink_mark *out, struct err *e)
{
    struct rows_sink *s = (struct rows_sink *)sink;
    buf_clear(&s->mark);
    buf_addf(&s->mark, "%" PRIu64 " %" PRIu64 " ", s->n_leads, s->before);
    for (size_t i = 0; i < s->cfg.profile->n_tables; i++) {
        extra_columns_mark(&s->columns[i], &s->mark);
        buf_addc(&s->mark, ' ');
    }
    enum rc rc = stream_mark(s->stream, &s->mark, e);
    if (rc == RC_OK && buf_rc(&s->mark) != RC_OK)
        rc = err_nomem(e);
    if (rc != RC_OK)
        return rc;
    s->marked = true;
    out->text = buf_str(&s->mark);
    return RC_OK;
}

static enum rc rows_sync(struct sink *sink, struct err *e)
{
    return stream_sync(((struct rows_sink *)sink)->stream, e);
}

static enum rc rows_prepare(struct sink *sink, struct buf *text, struct err *e)
{
    struct rows_sink *s = (struct rows_sink *)sink;
    enum rc rc = stream_prepare(s->stream, text, e);
    if (rc != RC_OK)
        return rc;
    s->result = (struct sink_file){
        .path = s->cfg.target, .rows = s->n_leads, .bytes = stream_file_bytes(s->stream)};
    const char *digest = stream_sha256(s->stream);
    memcpy(s->result.sha256, digest, strnlen(digest, sizeof s->result.sha256 - 1));
    return RC_OK;
}

static enum rc rows_commit(struct sink *sink, struct err *e)
{
    return stream_publish(((struct rows_sink *)sink)->stream, e);
}

static enum rc rows_abort(struct sink *sink, struct err *e)
{
    return stream_abort(((struct rows_sink *)sink)->stream, e);
}

static enum rc rows_recover(const struct sink_cfg *cfg, const struct sink_recovery *r,
                            struct err *e)
{
    return stream_recover(rows_paths, cfg, r, e);
}

static void rows_result(const struct sink *sink, struct sink_result *out)
{
    const struct rows_sink *s = (const struct rows_sink *)sink;
    *out = (struct sink_result){.files = (struct sink_file *)(uintptr_t)&s->result,
                                .n_files = s->result.path != NULL};
}

const struct sink_ops sink_rows = {
    .name = "rows",
    .help = "the places of a shard's leads in the list of all",
    .opts_size = sizeof(struct rows_opts),
    .is_companion = true,
    .check = rows_check,
    .needs = rows_needs,
    .paths = rows_paths,
    .open = rows_open,
    .put = rows_put,
    .mark = rows_mark,
    .sync = rows_sync,
    .prepare = rows_prepare,
    .commit = rows_commit,
    .abort = rows_abort,
    .recover = rows_recover,
    .on_stop = SINK_STOP_KEEP,
    .result = rows_result,
    .close = rows_close,
};
