/* How the messages of `push` are sent, and what the CRM's answers mean for each item.
 *
 * A message is a batch of items (items.h). Its requests come one after another: the whole batch first; what is
 * refused as a whole is cut in halves, and an item that is to be tried again goes alone. All on the delivery's
 * thread, but for courier_open() and courier_close(). */
#ifndef LEADPIPE_PUSH_COURIER_H
#define LEADPIPE_PUSH_COURIER_H

#include "core/sink.h"
#include "sinks/delivery/delivery.h"
#include "sinks/push/answer_room.h"
#include "sinks/push/push_config.h"
#include "sinks/push/token.h"

struct courier {
    const struct push_config *config;
    const struct destination *destination;
    const char *subject;
    const struct log_hook *log;
    const struct clock *clock;
    struct secrets *redaction;
    bool allow_http;
    struct http_retry_cfg retry;
    struct buf before, behind; /* of the items in a body */
    struct http_header *headers;
    size_t n_headers;
    char *url; /* NULL: each request has its own */
    struct arena memory;
    struct arena scratch; /* of one answer */
    struct answer_room room;
    struct rng rng;
    struct delivery *delivery;
    struct token *token;   /* NULL: none is needed, or it was freed */
    uint64_t token_worked; /* number of the latest that a request succeeded with */
    bool token_stopped, token_idle;
    bool is_closed;       /* it was said that nothing more is sent */
    bool told_of_refresh; /* it was said that the refresh token is another one */
    struct token_cfg token_cfg;
};

/* Everything but what the delivery makes. `c` must stay where it is. RC_USAGE, RC_NOMEM. */
enum rc courier_open(struct courier *c, const struct sink_cfg *cfg,
                     const struct push_config *config, const struct http_retry_cfg *retry,
                     struct err *e);
void courier_close(struct courier *c); /* after delivery_free(); a zeroed one, too */

/* What a token is asked for with, but for the loop, the random numbers and whom it is for. */
struct token_cfg courier_token_cfg(const struct sink_cfg *cfg, const struct push_config *config,
                                   const struct http_retry_cfg *retry);

/* Its ctx is a struct courier. */
extern const struct delivery_protocol push_protocol;

#endif
