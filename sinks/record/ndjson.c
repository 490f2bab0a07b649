/* Records as JSON, one a line. */
#include "sinks/record/record_file.h"
#include "sinks/registry.h"

static const struct option_spec options[] = {
    RECORD_FILE_OPTIONS("the payload as received", STREAM_GZIP_BY_NAME),
};

static const struct record_file_kind kind = {
    .ops = &sink_ndjson,
    .encoding = &encoding_json,
    .suffix = ".ndjson",
};

RECORD_FILE_FUNCTIONS(ndjson)

const struct sink_ops sink_ndjson = {
    .name = "ndjson",
    .help = "JSON, one object per line: one file per table in DIRECTORY/, or a single file",
    .opts = options,
    .eighths = 10,
    RECORD_FILE_OPS(ndjson),
};
