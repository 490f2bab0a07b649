/* Records as JSON, one a line. */
#include "sinks/record/record_file.h"
#include "sinks/registry.h"

static const struct option_spec options[] = {
    RECORD_FILE_OPTIONS("the payload as received", STREAM_GZIP_BY_NAME),
};

static unsigned ndjson_needs(const struct sink_cfg *cfg)
{
    return record_file_needs(cfg, &encoding_json);
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
    .eighths = 10,
    .needs = ndjson_needs,
    .open = ndjson_open,
    RECORD_FILE_OPS,
};
