#include "sinks/delivery/lead_text.h"

#include "core/base/blob.h"
#include "core/source/ids.h"

/* PLACE:FINGERPRINT ID PARAM...\n, where the fingerprint is 64 hexadecimal digits and the rest is
 * counted (blob.h). */

#define FINGERPRINT_DIGITS ((size_t)2 * FINGERPRINT_BYTES)

static const char digits[] = "0123456789abcdef";

static void put_fingerprint(struct buf *out, const unsigned char *fingerprint)
{
    char text[FINGERPRINT_DIGITS];
    for (size_t i = 0; i < FINGERPRINT_BYTES; i++) {
        text[2 * i] = digits[fingerprint[i] >> 4];
        text[2 * i + 1] = digits[fingerprint[i] & 15];
    }
    buf_add(out, text, sizeof text);
}

void lead_text_put(struct buf *out, const struct unacked_lead *lead, size_t n_params)
{
    buf_addf(out, "%llu:", (unsigned long long)lead->seq);
    put_fingerprint(out, lead->fingerprint);
    counted_put(out, lead->id);
    for (size_t i = 0; i < n_params; i++)
        counted_put(out, lead->params[i]);
    buf_addc(out, '\n');
}

static bool take_fingerprint(struct str *text, unsigned char out[FINGERPRINT_BYTES])
{
    if (text->len < FINGERPRINT_DIGITS)
        return false;
    for (size_t i = 0; i < FINGERPRINT_DIGITS; i++) {
        const char *digit = memchr(digits, text->ptr[i], 16);
        if (!digit)
            return false;
        out[i / 2] = (unsigned char)(out[i / 2] << 4 | (digit - digits));
    }
    *text = (struct str){text->ptr + FINGERPRINT_DIGITS, text->len - FINGERPRINT_DIGITS};
    return true;
}

bool lead_text_next(struct str *text, size_t n_params, struct str *params, struct lead_note *out)
{
    if (!text_take_uint(text, ':', &out->lead.seq) || !take_fingerprint(text, out->fingerprint) ||
        !counted_take(text, &out->lead.id) || out->lead.seq >= INT64_MAX ||
        id_check(out->lead.id, NULL) != RC_OK)
        return false;
    for (size_t i = 0; i < n_params; i++) {
        if (!counted_take(text, &params[i]) || params[i].len > ID_BYTES_MAX ||
            !utf8_valid(params[i].ptr, params[i].len))
            return false;
    }
    if (text->len == 0 || *text->ptr != '\n')
        return false;
    *text = (struct str){text->ptr + 1, text->len - 1};
    out->lead.params = params;
    out->lead.fingerprint = out->fingerprint;
    return true;
}

enum rc lead_text_take(struct arena *arena, struct str text, size_t n_params,
                       struct lead_note **out, size_t *n)
{
    /* each takes at least this many bytes */
    size_t most = text.len / (sizeof "0:" - 1 + FINGERPRINT_DIGITS + sizeof "1:x\n" - 1);
    if (most == 0)
        return RC_SYNTAX;
    struct lead_note *notes = arena_array(arena, most, sizeof *notes);
    if (!notes)
        return RC_NOMEM;
    size_t taken = 0;
    for (; text.len > 0; taken++) {
        struct str *params = arena_array(arena, n_params, sizeof *params);
        if (!params)
            return RC_NOMEM;
        if (taken == most || !lead_text_next(&text, n_params, params, &notes[taken]))
            return RC_SYNTAX;
    }
    *out = notes;
    *n = taken;
    return RC_OK;
}
