/* Lower and upper case of one character: the simple mappings of Unicode 14.0 (UnicodeData.txt, chapter 5.18
 * of the standard), which are one character for one, whatever comes before and behind it. So "ß" has no
 * upper case, a final sigma is not a matter of its own, and "I" becomes "i" also in Turkish.
 *
 * A table, because what towlower() knows depends on the system and its locale: the same lead must give the same
 * bytes everywhere. The libraries that know it (ICU, libunistring) are ten times what the rest of the program
 * is. Pure; any thread. */
#ifndef LEADPIPE_CASE_MAP_H
#define LEADPIPE_CASE_MAP_H

#include <stdint.h>

uint32_t case_lower(uint32_t c);
uint32_t case_upper(uint32_t c);

#endif
