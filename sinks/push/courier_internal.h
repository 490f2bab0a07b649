/* Private to sinks/push: what the parts of the courier have in common. All on the delivery's thread, but for
 * courier_refused(). */
#ifndef LEADPIPE_PUSH_COURIER_INTERNAL_H
#define LEADPIPE_PUSH_COURIER_INTERNAL_H

#include "sinks/push/courier.h"

/* Of the delivery's protocol (delivery.h): request(), answered(), refused(). */
enum rc courier_request(void *ctx, struct delivery *d, struct message *p, struct http_request *r,
                        struct err *e);
enum delivery_step courier_answered(void *ctx, struct delivery *d, struct message *p,
                                    struct verdicts *out);
void courier_refused(void *ctx, struct message *p, const struct verdict *v, struct verdicts *out);

/* Nothing is sent to this sink any more, for this reason: logged once, and as delivery_close(). */
void courier_refuse_more(struct courier *c, struct delivery *d, int status, const char *text);

#endif
