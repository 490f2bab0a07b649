#include "sinks/postgres/finish_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void pg_finish_text_put(struct buf *b, const struct pg_place *p)
{
    buf_addf(b, "%s %s %" PRId64, p->token, p->run_id, p->started_us / 1000);
}

static bool is_hex(struct str text, size_t n)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return text.len == n;
}

enum rc pg_finish_text_read(struct str text, struct pg_finish_text *out, struct err *e)
{
    char copy[128];
    struct str rest, token, id;
    uint64_t started_ms;
    bool good = text.len < sizeof copy - 1 && !memchr(text.ptr, 0, text.len);
    /* each part ends with a space, the last one too */
    (void)snprintf(copy, sizeof copy, STR_FMT " ", STR_ARG(text));
    rest = str_c(copy);
    good = good && text_take(&rest, ' ', &token) && is_hex(token, PG_TOKEN_BYTES - 1) &&
           text_take(&rest, ' ', &id) && is_hex(id, 32) &&
           text_take_uint(&rest, ' ', &started_ms) && rest.len == 0 &&
           started_ms < (uint64_t)INT64_MAX / 1000;
    if (!good)
        return err_set(e, RC_SYNTAX, "what it says about finishing its outputs is malformed");
    (void)snprintf(out->run_id, sizeof out->run_id, STR_FMT, STR_ARG(id));
    out->started_ms = (int64_t)started_ms;
    return RC_OK;
}
