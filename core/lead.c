#include "core/lead.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Until the run says how much of its memory the lead may have. */
#define LEAD_ARENA_BYTES_MAX ((size_t)1 << 30)

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

uint64_t source_hash(const struct source *s, uint64_t seed)
{
    uint64_t hash = str_hash(s->key, seed ^ ((uint64_t)s->scope << 32 | s->occurrence));
    return s->member.ptr ? str_hash(s->member, hash + 1) : hash;
}

/* Copies a text behind the others and returns where the next one goes. */
static char *put_text(char *at, struct str text, struct str *out)
{
    if (text.len)
        memcpy(at, text.ptr, text.len);
    at[text.len] = '\0';
    *out = (struct str){at, text.len};
    return at + text.len + 1;
}

struct lead *lead_new(struct str id, const struct str *params, size_t n_params)
{
    size_t texts_bytes = id.len + 1;
    for (size_t i = 0; i < n_params; i++)
        texts_bytes += params[i].len + 1;
    size_t bytes = sizeof(struct lead) + n_params * sizeof(struct str) + texts_bytes;
    struct lead *lead = calloc(1, bytes);
    if (!lead)
        return NULL;
    lead->params = (struct str *)(lead + 1);
    char *at = put_text((char *)(lead->params + n_params), id, &lead->id);
    for (size_t i = 0; i < n_params; i++)
        at = put_text(at, params[i], &lead->params[i]);
    arena_init(&lead->arena, LEAD_ARENA_BYTES_MAX);
    lead->self = lead;
    return lead;
}

void lead_free(struct lead *lead)
{
    if (!lead)
        return;
    arena_free(&lead->arena);
    buf_free(&lead->body);
    buf_free(&lead->original);
    free(lead->failure_text);
    free(lead);
}

void lead_fail(struct lead *lead, enum stage stage, const char *code, const char *fmt, ...)
{
    char text[ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    utf8_scrub(text); /* it may have been cut within a character */
    const char *error = arena_strdup(&lead->arena, str_c(text));
    const char *own_code = code ? arena_strdup(&lead->arena, str_c(code)) : NULL;
    lead->outcome = OUTCOME_FAILED;
    lead->failure = (struct failure){
        .stage = stage,
        .http_status = lead->http_status,
        .code = own_code || !code ? own_code : "out_of_memory",
        .error = error ? error : rc_text(RC_NOMEM),
        .attempts = lead->attempts,
    };
}
