/* The requests that would be sent, one JSON object a line, in the place of sending them. The sink's thread. */
#ifndef LEADPIPE_PUSH_PREVIEW_H
#define LEADPIPE_PUSH_PREVIEW_H

#include "core/sink.h"
#include "sinks/push/courier.h"
#include "sinks/push/push_batch.h"

struct preview;

enum rc preview_open(struct preview **out, const char *path, const struct sink_cfg *cfg,
                     const struct courier *courier, struct err *e);
void preview_close(struct preview *p); /* may be NULL */

/* The request of a batch. RC_IO and others: as the file. */
enum rc preview_write(struct preview *p, struct str batch, struct err *e);

/* As of a file sink: see struct sink_ops. */
enum rc preview_prepare(struct preview *p, struct err *e);
enum rc preview_commit(struct preview *p, struct err *e);
enum rc preview_abort(struct preview *p, struct err *e);
void preview_result(struct preview *p, struct sink_result *out);

#endif
