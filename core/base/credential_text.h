/* Keys, tokens and secrets as people store them: in a file that an editor has saved, in a variable
 * that was pasted. What belongs to the storing goes; what cannot be meant is refused. */
#ifndef LEADPIPE_CREDENTIAL_TEXT_H
#define LEADPIPE_CREDENTIAL_TEXT_H

#include <stdbool.h>

#include "core/base/str.h"

/* Without a byte order mark, and without the blanks and line ends around it: of ASCII, and the ones
 * of Unicode that nobody sees (no-break space, zero-width space, line separator, ...). */
struct str credential_trim(struct str text);

/* What may stand within a credential, beside the visible characters of ASCII. */
enum credential_form {
    CREDENTIAL_ONE_WORD, /* nothing */
    CREDENTIAL_ONE_LINE, /* blanks */
    CREDENTIAL_WORDS,    /* blanks and line ends */
};

/* Why a trimmed text can be no credential, for a message ("is empty", "has several lines"); NULL: it
 * can. The text itself is never in it. */
const char *credential_fault(struct str text, enum credential_form form);

/* Does it look like a credential, where the name of a file or variable was expected? Then a message
 * must not repeat it. A guess: long without a dot, of letters and digits mixed, or with a beginning
 * that keys have ("sk-", "whsec_", "Bearer "). */
bool credential_is_likely(const char *text);

/* The name, or what is to stand in a message in its place. */
const char *credential_file_shown(const char *name);
/* The same of an environment variable: also in the place of what cannot be the name of one. */
const char *credential_variable_shown(const char *name);

#endif
