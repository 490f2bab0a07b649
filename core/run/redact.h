/* Texts of the provider, without what no text may show: a provider may repeat what it was sent. Private to
 * core/run. */
#ifndef LEADPIPE_REDACT_H
#define LEADPIPE_REDACT_H

#include "core/base/secrets.h"
#include "core/lead.h"

/* A copy of the text in the lead's arena, in valid UTF-8; NULL for NULL. */
const char *redacted_copy(struct lead *lead, struct secrets *secrets, const char *text);

/* The texts of a lead that has failed. */
void redact_failure(struct lead *lead, struct secrets *secrets);

#endif
