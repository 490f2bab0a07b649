/* Recognizes secrets, which must not be in a job file. A reference to a variable, ${NAME}, is allowed. */
#ifndef LEADPIPE_CMD_JOB_SECRET_H
#define LEADPIPE_CMD_JOB_SECRET_H

#include <stdbool.h>

#include "core/base/option.h"
#include "core/base/str.h"

/* May the byte be part of a key's name? */
bool job_is_name_byte(char c);

/* Does it look like the name of a secret: "api-key", "X-Auth-Token", "dbPassword"? */
bool job_is_secret_name(struct str name);

/* Is it one of the variables that systemd sets for the units of leadpipe? They are paths of directories. */
bool job_is_set_by_systemd(struct str variable);

/* Does any part of the text look like a secret, or like the name of one? */
bool job_may_hold_secret(struct str text);

enum job_secret {
    JOB_SECRET_NONE,
    JOB_SECRET_REFERENCE, /* allowed: the secret is in the environment */
    JOB_SECRET_USERINFO,  /* refused: user and password of a URL */
    JOB_SECRET_HEADER,    /* refused: the value of a header that carries credentials */
    JOB_SECRET_PAIR,      /* refused: NAME=VALUE with the name of a secret */
};

/* Examines a value as it is written in the file; a NUL follows it. `o` may be NULL. */
enum job_secret job_secret_in(const struct option_spec *o, struct str value);

/* Must the references in a value that is not a path stay as they are where it is shown? `made`: the value with the
 * variables' contents, which may be secrets: they have such names, or the value is the URL of a server or a command.
 * Both texts are followed by a NUL. */
bool job_hides_variables(const struct option_spec *o, struct str written, struct str made);

/* The length of the reference "${NAME}" with which `s` begins; 0: it does not begin with one. */
size_t job_reference(struct str s);

#endif
