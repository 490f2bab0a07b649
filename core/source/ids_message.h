/* Messages of a queue as IDs: a message says what one line of a file says. One thread. */
#ifndef LEADPIPE_IDS_MESSAGE_H
#define LEADPIPE_IDS_MESSAGE_H

#include "core/source/ids.h"

struct ids_messages;

/* Of `cfg` the column, the profile and the defaults count. RC_USAGE: a wrong --param; RC_NOMEM. */
enum rc ids_messages_new(struct ids_messages **out, const struct ids_cfg *cfg, struct err *e);
void ids_messages_free(struct ids_messages *m); /* NULL, too */

/* The value is an ID, or a JSON object as a line of NDJSON is; where it is empty or absent, the key is the ID. What it
 * says is a bad item where it is none; `where` names the message in that text. out->file is NULL. RC_NOMEM. */
enum rc ids_messages_read(struct ids_messages *m, struct str key, struct str value,
                          const char *where, struct arena *a, struct id_item *out, struct err *e);

#endif
