#include "core/run/run_lead.h"

#include <stdarg.h>
#include <stdio.h>

#define ERROR_TEXT_BYTES 1024

const char *stage_text(enum stage s)
{
    switch (s) {
    case STAGE_INPUT:
        return "input";
    case STAGE_FETCH:
        return "fetch";
    case STAGE_PARSE:
        return "parse";
    case STAGE_FLATTEN:
        return "flatten";
    case STAGE_SINK:
        return "sink";
    }
    return "";
}

struct lead *run_lead_new(struct str id, const struct str *params, size_t n_params)
{
    struct lead *lead = lead_new(id, params, n_params, sizeof(struct run_lead));
    if (lead)
        lead->run = (struct run_lead *)lead;
    return lead;
}

void lead_fail(struct lead *lead, enum stage stage, const char *code, const char *fmt, ...)
{
    char text[ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    utf8_scrub(text); /* it may have been truncated within a character */
    const char *error = arena_strdup(&lead->arena, str_c(text));
    const char *own_code = code ? arena_strdup(&lead->arena, str_c(code)) : NULL;
    lead->run->outcome = OUTCOME_FAILED;
    lead->run->failure = (struct failure){
        .stage = stage,
        .http_status = lead->http_status,
        .code = own_code || !code ? own_code : "out_of_memory",
        .error = error ? error : rc_text(RC_NOMEM),
        .attempts = lead->attempts,
    };
}
