/* The output of `leadpipe status`. */
#ifndef LEADPIPE_CMD_STATUS_H
#define LEADPIPE_CMD_STATUS_H

#include "core/base/buf.h"
#include "core/run/run_status.h"

/* The output is bounded, whatever the file contains: */
#define STATUS_TEXT_BYTES_MAX 512 /* of one text */
#define STATUS_FILES_MAX 32       /* of one sink */
#define STATUS_SETTINGS_MAX 64
#define STATUS_BYTES_MAX ((size_t)4 << 20) /* of all */

/* The value of the run's `nth` setting with this name, from 0; STR_NONE: there is none. */
struct str status_setting(const struct run_status *s, const char *name, size_t nth);

/* Is the i-th sink one that nobody asked for with -t, but a part of a shard's manifest? It is not shown. */
bool status_is_companion(const struct run_status *s, size_t i);

/* A line of the failed list. Members may be absent. */
struct status_failed {
    struct str id, stage, error;
};
/* Parses a line; its texts are in `memory`. A malformed line gives absent members. RC_NOMEM. */
enum rc status_failed_read(const struct state_status_failed *failed, struct arena *memory,
                           struct status_failed *out);

/* Appends the output of --json. RC_NOMEM, RC_LIMIT. */
enum rc status_json(struct buf *out, const char *path, const struct run_status *s);

#endif
