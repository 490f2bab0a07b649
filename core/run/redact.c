#include "core/run/redact.h"

#include <string.h>

#include "core/run/run_lead.h"

const char *redacted_copy(struct lead *lead, struct secrets *secrets, const char *text)
{
    if (!text)
        return NULL;
    char *copy = arena_strdup(&lead->arena, str_c(text));
    if (!copy)
        return rc_text(RC_NOMEM); /* better no text than one with a secret */
    secrets_redact(secrets, copy, strlen(copy) + 1);
    utf8_scrub(copy);
    return copy;
}

void redact_failure(struct lead *lead, struct secrets *secrets)
{
    struct failure *f = &lead->run->failure;
    f->error = redacted_copy(lead, secrets, f->error);
    f->code = redacted_copy(lead, secrets, f->code);
}
