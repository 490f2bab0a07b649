/* Records as MessagePack, one after another. */
#include "sinks/record/record_file.h"
#include "sinks/registry.h"

static const struct option_spec options[] = {
    RECORD_FILE_OPTIONS("the payload", "6"),
};

static const struct record_file_kind kind = {
    .ops = &sink_msgpack,
    .encoding = &encoding_msgpack,
    .suffix = ".msgpack",
    .is_compressed = true,
};

RECORD_FILE_FUNCTIONS(msgpack)

const struct sink_ops sink_msgpack = {
    .name = "msgpack",
    .help =
        "MessagePack objects, one after another, compressed: one file per table in DIRECTORY/, or a single "
        "file",
    .opts = options,
    .eighths = 22, /* 9 bytes for a number of 4 */
    RECORD_FILE_OPS(msgpack),
};
