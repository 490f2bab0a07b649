/* What an HTML page says in a few words, for a message. Pure; any thread. */
#ifndef LEADPIPE_HTML_TEXT_H
#define LEADPIPE_HTML_TEXT_H

#include "core/base/arena.h"
#include "core/base/str.h"

/* Is it a page rather than JSON? It begins with "<", whatever it is declared as. */
bool html_is_page(struct str body);

/* The page's <title>, or where that is missing or empty its visible text: one line of valid UTF-8
 * without control characters, character references (&amp; &#39;) decoded, of at most `max` bytes (cut
 * between characters). NULL: there is none, or memory is out. */
char *html_text(struct arena *a, struct str body, size_t max);

#endif
