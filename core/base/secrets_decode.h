/* Decodings in which a secret may stand in a text. Private to secrets.c. */
#ifndef LEADPIPE_SECRETS_DECODE_H
#define LEADPIPE_SECRETS_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A byte, and the bytes of the original text that it was decoded from: from `from` to before `to`. */
struct decoded_byte {
    uint32_t from, to;
    unsigned char byte;
};

struct decoded {
    struct decoded_byte *bytes;
    size_t len;
};

enum decoding {
    DECODE_ESCAPES, /* \/ \n \u006b \x6b \153, %6B, %u006b, &#107; &#x6b; &sol; */
    DECODE_FORM,    /* %6B, and + for a blank */
    DECODE_QUOTED,  /* =6B, and = at the end of a line */
    DECODE_BASE64_0,
    DECODE_BASE64_1, /* from the second character of each run on, and so on */
    DECODE_BASE64_2,
    DECODE_BASE64_3,
    DECODE_HEX_0,
    DECODE_HEX_1,
    DECODINGS,
};

/* Decodes `in` into out->bytes, which has room for in->len + 1 bytes: no decoding is longer. False:
 * nothing in it is encoded in this way. */
bool secrets_decode(enum decoding how, const struct decoded *in, struct decoded *out);

#endif
