/* Texts of an ID input: which are valid, and how messages show them. Private to core/source. */
#ifndef LEADPIPE_IDS_TEXT_H
#define LEADPIPE_IDS_TEXT_H

#include "core/base/err.h"
#include "core/base/str.h"

#define EXCERPT_BYTES 80

/* The beginning of a text from outside, in quotes and escaped by unicode_show(). */
struct excerpt {
    char text[EXCERPT_BYTES + 8];
};
struct excerpt ids_excerpt(struct str s);

/* Checks an ID or a parameter, which go into the URL in the same way. RC_SYNTAX: it is not valid. `what` names it in the
 * message: "the ID", "agentId". */
enum rc ids_value_check(struct str what, struct str s, struct err *e);

/* Removes blanks around `s`: spaces of any kind, tabs, and invisible characters such as a byte order mark. */
struct str ids_trim(struct str s);

#endif
