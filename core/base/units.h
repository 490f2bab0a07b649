/* Durations, sizes, rates and counts as people write them. All of them are whole words: no sign, no
 * blank, nothing behind. What is too large for the type is refused like any other wrong word. */
#ifndef LEADPIPE_UNITS_H
#define LEADPIPE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

/* What is allowed, for messages: "--timeout: \"7\" is not " UNITS_DURATION_TEXT. */
#define UNITS_DURATION_TEXT "a duration such as 500ms, 30s, 5m, 2h or 7d"
#define UNITS_SIZE_TEXT "a size such as 65536, 64K, 32M or 1G"
#define UNITS_RATE_TEXT "a rate such as 10, 10/s or 600/m"
#define UNITS_PERCENT_TEXT "a percentage from 0% to 100% (up to four decimals)" /* no format */
#define UNITS_PORTION_TEXT "a whole number or " UNITS_PERCENT_TEXT

/* Outputs are untouched when these return false. */
bool units_uint(struct str s, uint64_t *out);       /* decimal digits */
bool units_duration(struct str s, int64_t *out_ms); /* digits and ms, s, m, h or d */
bool units_size(struct str s, uint64_t *out_bytes); /* digits, then nothing, K, M or G (1024) */
bool units_rate(struct str s, double *out_per_s);   /* over 0; may have decimals; /s or /m */
/* "12.5%" is 125000 millionths; at most 100%, and four decimals. */
bool units_percent(struct str s, uint64_t *out_millionths);

/* "1.5 MiB" for people; `size` is of `out`, and UNITS_BYTES_CHARS is enough. */
#define UNITS_BYTES_CHARS 32
void units_bytes(char *out, size_t size, uint64_t bytes);

/* "12,500", whatever the locale. */
#define UNITS_COUNT_CHARS 28
void units_count(char out[UNITS_COUNT_CHARS], uint64_t n);

/* So many of a whole: all of them, a count, or a share of it. */
struct portion {
    enum { PORTION_ANY, PORTION_COUNT, PORTION_SHARE } kind;
    uint64_t n; /* of a share: of PORTION_WHOLE parts */
};
#define PORTION_WHOLE 1000000

bool units_portion(struct str s, struct portion *out); /* digits, or a percentage */
/* How many of `all` it is, rounded down: 12% of 40 is 4. Of PORTION_ANY: UINT64_MAX. */
uint64_t portion_of(const struct portion *p, uint64_t all);

/* ---- texts that programs write for themselves ------------------------------------------------ */

/* Takes what stands before the first `end` from the beginning of `text`, and that, too. */
bool text_take(struct str *text, char end, struct str *out);
/* Takes decimal digits and the `end` behind them. */
bool text_take_uint(struct str *text, char end, uint64_t *out);

#endif
