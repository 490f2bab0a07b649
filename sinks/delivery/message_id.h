/* Ids of messages, made from what they stand for: the same parts in the same order give the same id, others
 * another one (SHA-256, cut to 128 bits). One thread at a time for each maker. */
#ifndef LEADPIPE_MESSAGE_ID_H
#define LEADPIPE_MESSAGE_ID_H

#include "core/base/err.h"
#include "core/base/str.h"

#define MESSAGE_ID_SIZE 37 /* "msg_", 32 hexadecimal digits, NUL */

struct message_id_maker;

enum rc message_id_maker_new(struct message_id_maker **out, struct err *e);
void message_id_maker_free(struct message_id_maker *m); /* may be NULL */

/* Takes no memory unless it ran out at the end of the id before. */
void message_id_begin(struct message_id_maker *m);
/* A part counts with its length; an absent string is not the empty one. */
void message_id_add(struct message_id_maker *m, struct str part);
/* RC_NOMEM: also for what failed in begin and add. */
enum rc message_id_end(struct message_id_maker *m, char out[MESSAGE_ID_SIZE]);

#endif
