/* `leadpipe status kafka://...`: how far a consumer group is behind. */
#ifndef LEADPIPE_CMD_STATUS_QUEUE_H
#define LEADPIPE_CMD_STATUS_QUEUE_H

#include "cmd/messages.h"

/* Is the argument of `status` a topic, not a state? */
bool status_names_queue(const char *argument);

/* Appends the output, which is bounded by the buffer. RC_USAGE: the text is wrong, or the topic does not exist; RC_NET and
 * others: the brokers cannot be asked. Messages are redacted from then on. */
enum rc status_queue(struct buf *out, struct messages *m, const char *text, bool json,
                     struct err *e);

#endif
