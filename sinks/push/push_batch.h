/* Forms the messages of `push`: leads become items, items go into requests' batches, in the order of the leads.
 * What a batch holds, and its id, depend on the leads alone. The sink's thread, but for batches_rest(). */
#ifndef LEADPIPE_PUSH_BATCH_H
#define LEADPIPE_PUSH_BATCH_H

#include "core/sink.h"
#include "sinks/delivery/answer.h"
#include "sinks/delivery/lead_text.h"
#include "sinks/delivery/message.h"
#include "sinks/push/destination.h"
#include "sinks/push/in_flight.h"
#include "sinks/push/items.h"

/* Batches that are being filled: an item whose value at `unique_by` is in the first one already goes into the
 * next. */
#define BATCHES_MAX 4

struct batch_key {
    uint64_t hash;
    struct str text; /* in the batch's arena */
};

struct open_batch {
    struct message *message; /* owned by the delivery */
    size_t bytes;            /* of the request's body, so far */
    struct batch_key
        *keys; /* of its items, where they are unique by something; room for max_items */
    size_t n_keys;
    struct arena memory; /* of the keys' texts */
};

struct batches {
    const struct destination *destination;
    const struct profile *profile;
    const char *target;
    size_t around; /* bytes of a request's body without its items */
    bool notes;    /* their leads are noted, for the state */
    struct template_input input;
    char exported_at[25];
    struct buf scratch[TEMPLATE_SCRATCH];
    struct buf json, url, headers; /* of the lead at hand */
    struct arena parsed;           /* the same, to find its key */
    struct message_id_maker *ids, *rest_ids;
    struct in_flight in_flight;
    struct open_batch open[BATCHES_MAX]; /* the first is the oldest */
    size_t n_open;
};

/* `around`: see above. A zeroed one may be closed. RC_NOMEM. */
enum rc batches_open(struct batches *b, const struct sink_cfg *cfg, const struct destination *d,
                     size_t around, struct err *e);
void batches_close(struct batches *b);

/* A lead as an item: json, url and headers of `b` are *item from then on. RC_USAGE: it cannot be sent, as *fault
 * says; RC_NOMEM. */
enum rc batches_make_item(struct batches *b, const struct lead *lead, struct item *item,
                          struct template_fault *fault);

/* Where the item goes. RC_OK: into number *at, which may be n_open: a new one is needed, batches_begin().
 * RC_BUSY: the oldest must be sent first. RC_NOMEM. */
enum rc batches_find(struct batches *b, const struct item *item, size_t *at, struct str *key);

/* A new one, in an empty message. RC_NOMEM. */
enum rc batches_begin(struct batches *b, struct message *p);

/* Puts it there. *is_full: it and all before it are to be sent. RC_NOMEM leaves it as it was. */
enum rc batches_add(struct batches *b, size_t at, const struct lead *lead, const struct item *item,
                    struct str key, bool *is_full);

/* Completes the oldest and gives it away. RC_NOMEM: it is still here. */
enum rc batches_end(struct batches *b, struct message **out);

/* ---- what is on its way ---------------------------------------------------------------------- */

/* For struct outbox_messages: a message waits while another one has an item that is alike by `unique_by`. */
enum rc batches_sending(void *batches, const struct message *p);
void batches_ended(void *batches, const struct message *p);

/* ---- what the state holds -------------------------------------------------------------------- */

/* For struct outbox_messages; their ctx is the batches. */
enum rc batches_check_recorded(void *batches, const struct lead_note *leads, size_t n,
                               struct str id, struct str body);
enum rc batches_rest(void *batches, struct buf *noted, struct buf *body, const struct verdicts *v,
                     char id[MESSAGE_ID_SIZE]);

/* Appends what is needed to resume with the batches at hand. Errors stick in `out`. */
void batches_mark(const void *batches, struct buf *out);

/* A batch from a mark. */
struct batch_rest {
    struct lead_note *leads;
    size_t n_leads;
    struct str noted, body;
};

/* All of a mark that is not empty; made in `a`, and pointing into `mark`. RC_SYNTAX: it is damaged; RC_USAGE:
 * the destination is another than when it was made; RC_NOMEM. */
enum rc batches_rest_take(const struct batches *b, struct str mark, struct arena *a,
                          struct batch_rest *out, size_t *n);

/* Goes on with it in an empty message, as a new batch: takes the leads from the run. What it gave is in the
 * message also after an error. RC_SYNTAX: it has not all of them; RC_NOMEM. */
enum rc batches_resume(struct batches *b, struct message *p, const struct batch_rest *rest,
                       const struct sink_host *host, struct sink *sink, struct err *e);

#endif
