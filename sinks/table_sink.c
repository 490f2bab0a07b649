#include "sinks/table_sink.h"

#include <stdio.h>
#include <stdlib.h>

static struct table_sink *self(struct sink *s)
{
    return (struct table_sink *)s;
}

void table_sink_init(struct table_sink *s, const struct sink_ops *sink,
                     const struct table_sink_ops *ops, const struct sink_cfg *cfg,
                     const struct sink_mark *from)
{
    *s =
        (struct table_sink){.sink = {.ops = sink}, .ops = ops, .cfg = *cfg, .marked = from != NULL};
    buf_init(&s->mark, SIZE_MAX / 2);
}

enum rc table_sink_make_targets(struct table_sink *s, const struct table_files_cfg *files,
                                struct err *e)
{
    enum rc rc = table_files_make(&s->targets, files, e);
    if (rc != RC_OK)
        return rc;
    s->results = calloc(s->targets.n, sizeof *s->results);
    if (!s->results)
        return err_nomem(e);
    return table_files_in_folder(s->cfg.target) ? outfile_make_dirs(s->cfg.target, e) : RC_OK;
}

static enum rc damaged(const struct table_sink *s, struct err *e)
{
    return err_set(e, RC_SYNTAX, "%s: the mark in the state is damaged", s->cfg.spec);
}

enum rc table_sink_open_files(struct table_sink *s, const struct sink_mark *from, struct err *e)
{
    struct str lines = from ? from->text : STR_NONE;
    for (size_t i = 0; i < s->targets.n; i++) {
        struct str line = STR_NONE;
        if (from && !text_take(&lines, '\n', &line))
            return damaged(s, e);
        enum rc rc = s->ops->open(s, i, line, e);
        if (rc != RC_OK)
            return rc;
    }
    return lines.len == 0 ? RC_OK : damaged(s, e);
}

void table_sink_free(struct table_sink *s)
{
    free(s->results);
    table_files_free(&s->targets);
    buf_free(&s->mark);
}

enum rc table_sink_put(struct sink *sink, const struct lead *const leads[], size_t n, struct err *e)
{
    static const struct verdict accepted = {.kind = VERDICT_ACCEPTED};
    struct table_sink *s = self(sink);
    for (size_t i = 0; i < n; i++) {
        enum rc rc = s->ops->put(s, leads[i], e);
        if (rc != RC_OK)
            return rc;
        s->cfg.host.settle(s->cfg.host.ctx, sink, leads[i], &accepted);
    }
    return RC_OK;
}

enum rc table_sink_mark(struct sink *sink, struct sink_mark *out, struct err *e)
{
    struct table_sink *s = self(sink);
    buf_clear(&s->mark);
    for (size_t i = 0; i < s->targets.n; i++) {
        enum rc rc = s->ops->mark(s, i, &s->mark, e);
        if (rc != RC_OK)
            return rc;
    }
    s->marked = true;
    out->text = buf_str(&s->mark);
    return RC_OK;
}

static enum rc each_file(struct table_sink *s,
                         enum rc (*fn)(struct table_sink *s, size_t i, struct err *e),
                         struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < s->targets.n; i++)
        rc = fn(s, i, e);
    return rc;
}

enum rc table_sink_sync(struct sink *s, struct err *e)
{
    return each_file(self(s), self(s)->ops->sync, e);
}

/* A server that refuses the first file probably refuses all, and then none has changed. The others are committed at
 * the same time. */
enum rc table_sink_commit(struct sink *sink, struct err *e)
{
    struct table_sink *s = self(sink);
    enum rc rc = s->ops->commit(s, 0, e);
    for (size_t i = 1; rc == RC_OK && i < s->targets.n; i++)
        s->ops->begin_commit(s, i);
    for (size_t i = 1; rc == RC_OK && i < s->targets.n; i++)
        rc = s->ops->commit(s, i, e);
    return rc;
}

enum rc table_sink_abort(struct sink *s, struct err *e)
{
    return each_file(self(s), self(s)->ops->abort, e);
}

void table_sink_describe(const struct table_sink *s, size_t i, uint64_t rows,
                         const struct stream *stream, const struct column_names *columns)
{
    struct sink_file *r = &s->results[i];
    *r = (struct sink_file){
        .path = s->targets.items[i].path,
        .table = s->targets.items[i].name,
        .rows = rows,
        .bytes = stream_file_bytes(stream),
        .columns = columns->items,
        .n_columns = columns->n,
    };
    (void)snprintf(r->sha256, sizeof r->sha256, "%s", stream_sha256(stream));
}
