/* Texts of an ID input: what is allowed, and how they are shown. Private to core/source. */
#ifndef LEADPIPE_IDS_TEXT_H
#define LEADPIPE_IDS_TEXT_H

#include "core/base/err.h"
#include "core/base/str.h"

#define EXCERPT_BYTES 80

/* The beginning of a text from outside, in quotes and as unicode_show() has it. */
struct excerpt {
    char text[EXCERPT_BYTES + 8];
};
struct excerpt ids_excerpt(struct str s);

/* RC_SYNTAX: `s` cannot be an ID, nor a parameter (it goes into the URL in the same way). `what`
 * names it: "the ID", "agentId". */
enum rc ids_value_check(struct str what, struct str s, struct err *e);

/* Without the blanks around it: spaces of any kind, tabs, and what cannot be seen, such as a byte
 * order mark. */
struct str ids_trim(struct str s);

#endif
