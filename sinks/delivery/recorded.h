/* The deliveries that were recorded in the state before this run was resumed. Those whose answer is not
 * known are to be sent again, as they were; all of them speak for their leads, which must not get
 * into other deliveries. Gives no verdict itself. Private to the outbox.
 *
 * The sink's thread only, but for recorded_settle(): any thread. */
#ifndef LEADPIPE_RECORDED_H
#define LEADPIPE_RECORDED_H

#include "core/sink.h"
#include "core/state/state.h"
#include "sinks/delivery/answer.h"
#include "sinks/delivery/lead_text.h"
#include "sinks/delivery/message.h"

/* The state forgets an answered delivery once all of its leads are done. One that was sent because
 * no more leads come may be answered while a mark that still holds its leads is not yet durable: it
 * stays to the end of the run. */
#define SEQ_NEVER_DONE ((uint64_t)INT64_MAX)

/* Could the sink have made a message of these leads, with that id and that body (absent: it was
 * answered)? RC_USAGE: with another configuration, or not at all; RC_SYNTAX: no; RC_NOMEM. */
typedef enum rc recorded_check(void *ctx, const struct lead_note *leads, size_t n, struct str id,
                               struct str body);

struct recorded_cfg {
    struct sink *sink;
    struct sink_host host;
    struct state *state;
    unsigned index; /* of the sink, in the state */
    size_t n_params;
    size_t body_max;       /* bytes of one body */
    const char *subject;   /* for messages; kept by the caller */
    recorded_check *check; /* NULL: all that has the form is taken */
    void *ctx;
};

struct recorded_set;

struct recorded {
    struct recorded_set *set;
    struct recorded *next; /* in the order in which they were recorded */
    struct lead_note *notes;
    size_t n_notes;
    /* under the set's lock: */
    struct envelope envelope; /* the leads that came before it was settled; its body stays in the
                                 state: there may be as many as there were stops */
    bool settled;
    struct verdicts verdicts; /* once settled; then they never change */
};

/* RC_USAGE: what the state holds is damaged; RC_IO; RC_NOMEM. */
enum rc recorded_load(struct recorded_set **out, const struct recorded_cfg *cfg, struct err *e);

/* Is this lead in one of them? */
bool recorded_has(const struct recorded_set *s, const struct unacked_lead *lead);

/* In the sink's open(): reports to the run their leads, and asks for those that are unacknowledged.
 * RC_NOMEM. */
enum rc recorded_claim(struct recorded_set *s, struct err *e);

/* The next one that is to be sent, or NULL; who takes it sees to it that recorded_settle() is called
 * for it, once. */
struct recorded *recorded_next(struct recorded_set *s);

/* False: this lead is in none of them. Else *v is what was said already of *out; NULL: nothing was,
 * and the lead is in the envelope now. */
bool recorded_put(struct recorded_set *s, const struct lead *lead, struct message_lead *out,
                  const struct verdict **v);

/* From now on the envelope stays as it is, and these are the verdicts on leads that come later. Their
 * texts are copied. */
void recorded_settle(struct recorded *r, const struct verdicts *v);

void recorded_free(struct recorded_set *s); /* may be NULL; all are settled */

#endif
