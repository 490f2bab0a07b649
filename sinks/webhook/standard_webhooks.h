/* What the Standard Webhooks specification (standardwebhooks.com) asks of a sender: message ids,
 * secrets and signatures. One thread at a time for each object. */
#ifndef LEADPIPE_STANDARD_WEBHOOKS_H
#define LEADPIPE_STANDARD_WEBHOOKS_H

#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/secrets.h"
#include "core/base/str.h"

#define WEBHOOK_SECRETS_MAX 16

struct webhook_secrets;

/* One or more secrets with whitespace between them, each base64 of the key with or without "whsec_"
 * before it: what the specification's libraries take for a secret. RC_USAGE: none, too many, or one
 * that is no base64; the text begins with `source`, says which one it is, and never holds it. */
enum rc webhook_secrets_parse(struct webhook_secrets **out, struct str text, const char *source,
                              struct err *e);
/* Registers the decoded keys as what no text may show. RC_NOMEM. */
enum rc webhook_secrets_register(const struct webhook_secrets *s, struct secrets *registry);
void webhook_secrets_free(struct webhook_secrets *s); /* wipes them; may be NULL */

/* Appends the value of the header `webhook-signature`: "v1,BASE64" for each secret, a blank between
 * them; each is HMAC-SHA256 of "ID.TIMESTAMP.BODY". RC_NOMEM. */
enum rc webhook_sign(struct webhook_secrets *s, const char *id, int64_t timestamp_s,
                     struct str body, struct buf *out);

#endif
