/* What `leadpipe status` shows of a state. */
#ifndef LEADPIPE_CMD_STATUS_H
#define LEADPIPE_CMD_STATUS_H

#include "core/base/buf.h"
#include "core/run/run_status.h"

/* Whatever is in the file, what is shown of it is bounded: */
#define STATUS_TEXT_BYTES_MAX 512 /* of one text */
#define STATUS_FILES_MAX 32       /* of one sink */
#define STATUS_SETTINGS_MAX 64
#define STATUS_BYTES_MAX ((size_t)4 << 20) /* of all */

/* The value of one of the run's settings; STR_NONE: there is none. `nth`: of those with this name, from 0. */
struct str status_setting(const struct run_status *s, const char *name, size_t nth);

/* What the failed list says of a lead; members are absent where it does not say so. */
struct status_failed {
    struct str id, stage, error;
};
/* Texts lie in `memory`. RC_NOMEM; a line that is malformed has no members. */
enum rc status_failed_read(const struct state_status_failed *failed, struct arena *memory,
                           struct status_failed *out);

enum rc status_json(struct buf *out, const char *path, const struct run_status *s);

#endif
