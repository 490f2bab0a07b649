/* Records as MessagePack, one after another. */
#include "sinks/record/record_file.h"
#include "sinks/registry.h"

static const struct option_spec options[] = {
    RECORD_FILE_OPTIONS("the payload", "6"),
};

static unsigned msgpack_needs(const struct sink_cfg *cfg)
{
    return record_file_needs(cfg, &encoding_msgpack);
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
    .eighths = 22, /* 9 bytes for a number of 4 */
    .needs = msgpack_needs,
    .open = msgpack_open,
    RECORD_FILE_OPS,
};
