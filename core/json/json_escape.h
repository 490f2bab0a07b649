/* How characters stand in a string of JSON. Private to core/json. */
#ifndef LEADPIPE_JSON_ESCAPE_H
#define LEADPIPE_JSON_ESCAPE_H

#include "core/json/json_scan.h"

/* How many bytes there are before the first that needs an escape. */
static inline size_t json_plain_run(struct str s)
{
    const unsigned char *from = (const unsigned char *)s.ptr;
    return (size_t)(json_plain_end(from, from + s.len, 0) - from);
}

/* The shortest escape of `c`; its length. */
static inline size_t json_escape(unsigned char c, char out[6])
{
    static const char short_forms[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    };
    static const char digits[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = c < 0x20 ? short_forms[c] : (char)c;
    if (out[1])
        return 2;
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = digits[c >> 4];
    out[5] = digits[c & 15];
    return 6;
}

#endif
