/* Removes secrets from texts of the provider, which may echo what it was sent. Private to core/run. */
#ifndef LEADPIPE_REDACT_H
#define LEADPIPE_REDACT_H

#include "core/base/secrets.h"
#include "core/lead.h"

/* A redacted copy of the text in the lead's arena, as valid UTF-8; NULL for NULL. */
const char *redacted_copy(struct lead *lead, struct secrets *secrets, const char *text);

/* Redacts the texts of a lead that has failed. */
void redact_failure(struct lead *lead, struct secrets *secrets);

#endif
