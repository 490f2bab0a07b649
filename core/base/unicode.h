/* What characters look like that cannot be seen: for IDs and for messages. */
#ifndef LEADPIPE_UNICODE_H
#define LEADPIPE_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

/* The character of a sequence that utf8_sequence() found. */
uint32_t utf8_decode(const unsigned char *p, size_t len);

/* The last character of valid UTF-8, and its length; `s` is not empty. Of what is not valid: its
 * last byte, as U+FFFD. */
uint32_t utf8_last(struct str s, size_t *len);

/* A space that is not ASCII: of Unicode's category Zs. */
bool unicode_is_space(uint32_t c);

/* Shown as nothing at all, or only in what it does to its neighbours: of Unicode's property
 * Default_Ignorable_Code_Point, the separators of lines and of paragraphs, annotations, and the
 * empty pattern of Braille. */
bool unicode_is_invisible(uint32_t c);

/* One of these that words and emoji are written with: zero-width joiner and non-joiner, and the
 * variation selectors. */
bool unicode_is_shaping(uint32_t c);

#define UNICODE_SHOWN_BYTES 12

/* Writes the first character of `s` (not empty) as it may be shown on a terminal and in a log:
 * itself, or where it is a control character, invisible (those for shaping aside) or not UTF-8 as
 * \n, \t, \x1b, \u202e. Returns the bytes written; *taken: of `s`. No NUL is added. */
size_t unicode_show(struct str s, char out[UNICODE_SHOWN_BYTES], size_t *taken);

#endif
