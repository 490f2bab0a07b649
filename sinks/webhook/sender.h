/* How a webhook's messages are sent, and what the receiver's answers mean: signed by the Standard Webhooks
 * specification; 2xx is accepted. 410 Gone, and 401 or 403 to each of the first three
 * (core/http/auth_check.h), close the delivery. */
#ifndef LEADPIPE_WEBHOOK_SENDER_H
#define LEADPIPE_WEBHOOK_SENDER_H

#include "core/http/auth_check.h"
#include "sinks/delivery/answer.h"
#include "sinks/delivery/delivery.h"
#include "sinks/webhook/standard_webhooks.h"

/* Zero it, and fill in the first members, which are kept by the caller. From then on it is the delivery's
 * thread's. */
struct sender {
    const char *url, *subject;
    struct secrets *redaction;       /* what may not show up, should the receiver repeat it */
    struct webhook_secrets *secrets; /* NULL: not signed */
    const struct log_hook *log;

    /* private */
    struct auth_check auth;
    int refused_status;     /* of the latest that was refused */
    bool is_refused;        /* closed for that reason */
    struct verdict verdict; /* of the message at hand */
    struct answer_texts texts;
};

/* Its ctx is a struct sender. */
extern const struct delivery_protocol webhook_protocol;

#endif
