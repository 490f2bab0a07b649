/* Records as MessagePack, one after another. */
#include "sinks/record/record_file.h"
#include "sinks/registry.h"
#include "sinks/stream.h"

#define AT(type, member) OPTION_AT(struct record_file_opts, type, member)

static const struct option_spec options[] = {
    {.name = "layout",
     AT(CHOICE, layout),
     .choices = RECORD_FILE_LAYOUTS,
     .default_text = "lead",
     .help = "one object per lead, one per row, or the payload"},
    {.name = "gzip",
     AT(NUMBER, gzip),
     .min = 0,
     .max = 9,
     .choices = "auto",
     .default_text = "auto",
     .help = STREAM_OPT_GZIP_HELP "; auto is 6"},
    {.name = NULL},
};

static unsigned msgpack_needs(const struct sink_cfg *cfg)
{
    const struct record_file_opts *opts = cfg->opts;
    return record_wants(&encoding_msgpack, (enum record_layout)opts->layout);
}

static enum rc msgpack_open(struct sink **out, const struct sink_cfg *cfg,
                            const struct sink_mark *from, struct err *e)
{
    const struct record_file_opts *opts = cfg->opts;
    const struct record_file_kind kind = {
        .ops = &sink_msgpack,
        .encoding = &encoding_msgpack,
        .level = opts->gzip == OPTION_AUTO ? STREAM_LEVEL_DEFAULT : (unsigned)opts->gzip,
    };
    return record_file_open(out, &kind, cfg, from, e);
}

const struct sink_ops sink_msgpack = {
    .name = "msgpack",
    .help = "MessagePack objects, one after another, in a compressed file",
    .opts = options,
    .opts_size = sizeof(struct record_file_opts),
    .eighths = 22, /* 9 bytes for a number of 4 */
    .check = record_file_check,
    .needs = msgpack_needs,
    .paths = record_file_paths,
    .open = msgpack_open,
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
