/* Reads IDs from messages of a queue, whose content is like that of one line of a file. One thread. */
#ifndef LEADPIPE_IDS_MESSAGE_H
#define LEADPIPE_IDS_MESSAGE_H

#include "core/source/ids.h"

struct ids_messages;

/* Uses only column, profile and defaults of `cfg`. RC_USAGE: a wrong --param; RC_NOMEM. */
enum rc ids_messages_new(struct ids_messages **out, const struct ids_cfg *cfg, struct err *e);
void ids_messages_free(struct ids_messages *m); /* may be NULL */

/* The value is an ID, or a JSON object like a line of NDJSON; if it is empty or absent, the key is the ID. If there is no
 * valid ID, *out is a bad item; `where` names the message in its error. out->file is NULL. RC_NOMEM. */
enum rc ids_messages_read(struct ids_messages *m, struct str key, struct str value,
                          const char *where, struct arena *a, struct id_item *out, struct err *e);

#endif
