/* Records as JSON, one a line. */
#include "sinks/record/record_file.h"
#include "sinks/registry.h"
#include "sinks/stream.h"

#define AT(type, member) OPTION_AT(struct record_file_opts, type, member)

static const struct option_spec options[] = {
    {.name = "layout",
     AT(CHOICE, layout),
     .choices = RECORD_FILE_LAYOUTS,
     .default_text = "lead",
     .help = "one object per lead, one per row, or the payload as received"},
    {.name = "gzip",
     AT(NUMBER, gzip),
     .min = 0,
     .max = 9,
     .choices = "auto",
     .default_text = "auto",
     .help = STREAM_OPT_GZIP_HELP "; auto is 6 if the file name ends in .gz"},
    {.name = NULL},
};

static unsigned ndjson_needs(const struct sink_cfg *cfg)
{
    const struct record_file_opts *opts = cfg->opts;
    return record_wants(&encoding_json, (enum record_layout)opts->layout);
}

static enum rc ndjson_open(struct sink **out, const struct sink_cfg *cfg,
                           const struct sink_mark *from, struct err *e)
{
    const struct record_file_opts *opts = cfg->opts;
    const struct record_file_kind kind = {
        .ops = &sink_ndjson,
        .encoding = &encoding_json,
        .level = stream_level(opts->gzip, cfg->target),
    };
    return record_file_open(out, &kind, cfg, from, e);
}

const struct sink_ops sink_ndjson = {
    .name = "ndjson",
    .help = "JSON, one object per line, in a file",
    .opts = options,
    .opts_size = sizeof(struct record_file_opts),
    .eighths = 10,
    .check = record_file_check,
    .needs = ndjson_needs,
    .paths = record_file_paths,
    .open = ndjson_open,
    .put = record_file_put,
    .mark = record_file_mark,
    .sync = record_file_sync,
    .prepare = record_file_prepare,
    .commit = record_file_commit,
    .abort = record_file_abort,
    .recover = record_file_recover,
    .on_stop = SINK_STOP_KEEP,
    .result = record_file_result,
    .close = record_file_close,
};
