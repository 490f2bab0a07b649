/* The secrets of a run in one place, and texts without them.
 *
 * Whatever must not be shown (API key, values of headers, webhook secrets, passwords in URLs) is
 * registered here before the first request. Every text that is not the program's own goes through
 * secrets_redact() before it goes into a message, a list, a manifest or a state. Any thread.
 *
 * A secret is found as it stands and in the encodings that servers echo it in, nested ones too: JSON
 * and C escapes, percent-encoding, HTML character references, quoted-printable, base64 (RFC 4648,
 * both alphabets, at any offset within what was encoded) and hexadecimal. Letters are compared
 * without case. So is a long beginning of a secret, and any beginning where a text was cut.
 *
 * Values of fewer than SECRET_BYTES_MIN bytes are not looked for: they would be found everywhere.
 * Those of fewer than SECRET_BYTES_ANYWHERE are found as whole words only. */
#ifndef LEADPIPE_SECRETS_H
#define LEADPIPE_SECRETS_H

#include "core/base/err.h"
#include "core/base/str.h"

#define SECRET_BYTES_MIN 4
#define SECRET_BYTES_ANYWHERE 8

/* What a text becomes that cannot be searched to its end. */
#define SECRETS_LEFT_OUT "the text is left out: it may hold a credential"

struct secrets;

enum rc secrets_new(struct secrets **out); /* RC_NOMEM */
void secrets_free(struct secrets *s);      /* overwrites them; may be NULL */

/* All of the following copy. RC_NOMEM. */

/* A value by itself. */
enum rc secrets_add(struct secrets *s, struct str value);

/* The value of a header: what follows a scheme ("Bearer TOKEN"); of "Basic BASE64" also the password
 * within; else the value and its words of at least SECRET_BYTES_ANYWHERE bytes. None for the headers
 * that never carry a credential, such as Content-Type. */
enum rc secrets_add_header(struct secrets *s, const char *name, struct str value);

/* Of a URL, well-formed or not: the password (or the user, where it stands for one) and what the
 * query calls a key, token, secret, ... */
enum rc secrets_add_url(struct secrets *s, const char *url);

/* A word that messages show by itself, such as a database user's name: a secret that begins with it is not
 * taken for cut off where only the word stands. */
enum rc secrets_add_public(struct secrets *s, struct str word);

/* The value of an environment variable, which is overwritten and taken out of the environment, so
 * that neither a child process nor /proc shows it: from then on only this has it. *out lives as long
 * as `s`, and is NULL where the variable is not set. Not yet registered: a value may be a list. On
 * the main thread, before any other reads the environment. */
enum rc secrets_take_variable(struct secrets *s, const char *name, const char **out);

/* Replaces every secret in a C string by "***", in place: the text never grows, except that it
 * becomes SECRETS_LEFT_OUT (cut to `size`) where memory or the effort allowed for one text runs out.
 * `s` may be NULL: nothing is secret. The result may not be UTF-8 where the secret was not. */
void secrets_redact(struct secrets *s, char *text, size_t size);

#endif
