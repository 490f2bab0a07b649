/* Forms the bodies of a webhook's messages: a batch of leads at a time, in the order of the leads.
 * What a batch holds, and its id, depend on the leads alone. One thread. */
#ifndef LEADPIPE_BATCH_H
#define LEADPIPE_BATCH_H

#include "core/sink.h"
#include "sinks/delivery/lead_text.h"
#include "sinks/delivery/message.h"
#include "sinks/record/record.h"

struct batch {
    const struct profile *profile;
    const struct clock *clock;
    const char *url, *type;
    int layout;
    unsigned most; /* leads in one */
    bool is_list;  /* the data is an array, however many leads it has */
    bool notes;    /* their leads are noted, for the state */
    struct record_writer *writer;
    struct message_id_maker *ids;
    struct message *message; /* being filled; NULL: begin one; owned by the delivery */
};

enum record_layout batch_layout(const struct sink_cfg *cfg);

/* A zeroed one may be closed. */
enum rc batch_open(struct batch *b, const struct sink_cfg *cfg, struct err *e);
void batch_close(struct batch *b);

/* The recorded_check of a batch that has no message at hand: of a body, is it JSON, in the frame that this
 * sink's bodies have? What is within is not examined. */
enum rc batch_check_recorded(void *batch, const struct lead_note *leads, size_t n, struct str id,
                             struct str body);

/* Begins one in an empty message. */
void batch_begin(struct batch *b, struct message *p);

/* RC_LIMIT (too large) and RC_NOMEM leave it as it was. */
enum rc batch_add(struct batch *b, const struct lead *lead);

/* No more may be added. */
bool batch_is_full(const struct batch *b);

/* Completes the message and gives it away. RC_NOMEM: it is still here, and of no use. */
enum rc batch_end(struct batch *b, struct message **out);

/* ---- resuming ------------------------------------------------------------------------------ */

/* Appends what is needed to resume with the batch at hand; nothing where none has leads. Errors stick
 * in `out`. */
void batch_mark(const void *batch, struct buf *out);

/* A batch from a mark. */
struct batch_rest {
    struct lead_note *leads;
    size_t n_leads;
    struct buf body;
    struct str noted; /* the leads, in the mark */
    struct arena arena;
};

/* `mark` is not empty and must live as long. RC_SYNTAX: it is damaged; RC_NOMEM. */
enum rc batch_rest_take(struct batch_rest *out, const struct batch *b, struct str mark);
void batch_rest_free(struct batch_rest *rest); /* a zeroed one, too */

/* Goes on with it in an empty message: takes the body, and the leads from the run: what it gave is in
 * the message also after an error. RC_SYNTAX: it has not all of them; RC_NOMEM. */
enum rc batch_resume(struct batch *b, struct message *p, struct batch_rest *rest,
                     const struct sink_host *host, struct sink *sink, struct err *e);

#endif
