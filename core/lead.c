#include "core/lead.h"

#include <stdlib.h>

#include "core/provider/profile.h"

/* Until the run says how much of its memory the lead may have. */
#define LEAD_ARENA_BYTES_MAX ((size_t)1 << 30)

uint64_t column_origin_hash(const struct column_origin *s, uint64_t seed)
{
    uint64_t hash = str_hash(s->key, seed ^ ((uint64_t)s->scope << 32 | s->occurrence));
    return s->member.ptr ? str_hash(s->member, hash + 1) : hash;
}

struct str row_key_value(const struct profile *p, const struct lead *lead, size_t i)
{
    if (i >= KEY_COLUMNS_FIXED)
        return lead->params[i - KEY_COLUMNS_FIXED];
    return i ? lead->id : p->name;
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

struct lead *lead_new(struct str id, const struct str *params, size_t n_params, size_t bytes)
{
    size_t texts_bytes = id.len + 1;
    for (size_t i = 0; i < n_params; i++)
        texts_bytes += params[i].len + 1;
    struct lead *lead = calloc(1, bytes + n_params * sizeof(struct str) + texts_bytes);
    if (!lead)
        return NULL;
    lead->params = (struct str *)(void *)((char *)lead + bytes);
    char *at = put_text((char *)(lead->params + n_params), id, &lead->id);
    for (size_t i = 0; i < n_params; i++)
        at = put_text(at, params[i], &lead->params[i]);
    arena_init(&lead->arena, LEAD_ARENA_BYTES_MAX);
    return lead;
}

void lead_free(struct lead *lead)
{
    if (!lead)
        return;
    arena_free(&lead->arena);
    buf_free(&lead->body);
    buf_free(&lead->original);
    free(lead);
}
