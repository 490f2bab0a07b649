/* What stands between a sink's batches and their delivery: with a state, each is recorded there
 * before it goes out, and its answer afterwards, so that a run that is resumed repeats what was not
 * answered, as it was, and nothing else. Without a state it only hands on.
 *
 * The sink's thread only, but for outbox_settle(): any thread. */
#ifndef LEADPIPE_OUTBOX_H
#define LEADPIPE_OUTBOX_H

#include "sinks/delivery/delivery.h"
#include "sinks/delivery/recorded.h"

/* What a kind of sink knows of its messages. */
struct outbox_messages {
    size_t leads_max;      /* of one message, that have a verdict of their own */
    recorded_check *check; /* of those that were recorded, by the sink's thread in outbox_open() */
    /* A message that was sent, and answered in part, when the run was stopped, becomes in place that of those
     * leads whose verdict is VERDICT_PENDING: `noted` (lead_text.h), `body`, and its id. Takes no memory: what
     * was answered would be sent again if it ran out. On the delivery's thread. RC_SYNTAX: it is not as it was
     * made. NULL: no message is answered in part. */
    enum rc (*rest)(void *ctx, struct buf *noted, struct buf *body, const struct verdicts *v,
                    char id[MESSAGE_ID_SIZE]);
    /* A message is about to be sent: may wait until others have ended. The sink's thread. RC_NOMEM. NULL: nothing
     * is to be done. */
    enum rc (*sending)(void *ctx, const struct message *p);
    /* It has ended, sent or not. Any thread. NULL: nothing is to be done. */
    void (*ended)(void *ctx, const struct message *p);
    /* Appends what is needed to resume with the messages at hand. Errors stick in `out`. */
    void (*mark)(const void *ctx, struct buf *out);
    void *ctx;
};

struct outbox {
    const char *subject; /* for messages */
    struct sink *sink;
    struct sink_host host;
    struct state *state; /* or NULL: nothing is recorded */
    unsigned index;
    size_t n_params;
    struct outbox_messages messages;
    struct delivery *delivery;     /* owned; NULL: not opened */
    struct recorded_set *recorded; /* NULL without a state */
    struct buf mark;
    struct buf answer;     /* answer_reserve(); under state_hold() */
    bool counts_whole_run; /* `delivered` and `failed` are the state's */
    uint64_t delivered, failed;
};

/* Loads what was recorded before; gives no verdict and asks for no lead. RC_USAGE: the state is damaged;
 * RC_IO; RC_NOMEM. A zeroed outbox may be closed. */
enum rc outbox_open(struct outbox *o, struct sink *sink, const struct sink_cfg *cfg,
                    const struct outbox_messages *messages, struct err *e);
void outbox_close(struct outbox *o); /* frees the delivery, too; see outbox_drop() */

/* Opens the delivery. `cfg` has what is particular to this kind of sink; what any of them takes from the run is
 * filled in here: for messages, the HTTP client but for the proxy, the clock, settle(), the size of bodies. As
 * delivery_new(). */
enum rc outbox_open_delivery(struct outbox *o, const struct sink_cfg *cfg,
                             struct delivery_cfg *delivery, struct err *e);

/* The run's limits on attempts; a sink's own option takes the place of each where it is above 0. */
struct http_retry_cfg outbox_retry_cfg(const struct sink_cfg *cfg, int64_t attempts,
                                       int64_t timeout_ms, int64_t retry_max_time_ms);

/* For a message that a mark holds: *out is an empty one to go on with; NULL: it was completed after the mark, and
 * is recorded. RC_SYNTAX: the mark is damaged; RC_INTERNAL; RC_NOMEM. */
enum rc outbox_resume(struct outbox *o, const struct lead_note *leads, size_t n,
                      struct message **out, struct err *e);

/* Is this lead in a delivery that was recorded before? */
bool outbox_has(const struct outbox *o, const struct unacked_lead *lead);

/* In the sink's open(): reports to the run the leads of these deliveries, and asks for those that are
 * unacknowledged. RC_NOMEM. */
enum rc outbox_claim(struct outbox *o, struct err *e);

/* A lead that comes again although it is in a recorded delivery gets that one's verdict, now or
 * later. False: it is in none. */
bool outbox_put(struct outbox *o, const struct lead *lead);

/* Sends again what was recorded before and has no answer, unless the run is stopped; the second call
 * does nothing. Waits for room as delivery_take(). RC_NOMEM; as the state. */
enum rc outbox_send_again(struct outbox *o, struct err *e);

/* Sends a message that is complete. `at_end`: it holds less than it might because no more leads come.
 * It is the caller's still when that fails: as the state. */
enum rc outbox_send(struct outbox *o, struct message *p, bool at_end, struct err *e);

/* For delivery_cfg: the verdicts on a message, reported to the run and recorded, as one. */
void outbox_settle(void *outbox, struct message *p, const struct verdicts *v);

/* mark() of a sink: what was sent is in the state; what is left are the messages at hand. RC_USAGE: there is no
 * state; RC_NOMEM. */
enum rc outbox_mark(struct outbox *o, struct sink_mark *out, struct err *e);

/* The end of flush(): waits until all that was sent has ended. RC_IO: of the state. */
enum rc outbox_end(struct outbox *o, struct err *e);

/* The sink is dead, and has dropped its messages at hand: every lead that was taken in has its verdict
 * afterwards. */
void outbox_abandon(struct outbox *o);

/* result() of a sink, after outbox_end(). */
void outbox_result(const struct outbox *o, struct sink_result *out);

/* What was recorded before and not sent again stays so: its leads are VERDICT_PENDING. */
void outbox_drop(struct outbox *o);

#endif
