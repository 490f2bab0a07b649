/* What must not stand in a job file: secrets. A reference to a variable, ${NAME}, is none. */
#ifndef LEADPIPE_CMD_JOB_SECRET_H
#define LEADPIPE_CMD_JOB_SECRET_H

#include <stdbool.h>

#include "core/base/option.h"
#include "core/base/str.h"

/* Bytes of the names of keys. */
bool job_is_name_byte(char c);

/* Is it named like a secret: "api-key", "X-Auth-Token", "dbPassword"? */
bool job_is_secret_name(struct str name);

/* Is there anything in the text that looks like a secret, or like the name of one? */
bool job_may_hold_secret(struct str text);

enum job_secret {
    JOB_SECRET_NONE,
    JOB_SECRET_REFERENCE, /* it is in the environment */
    JOB_SECRET_USERINFO,  /* refused: user and password of a URL */
    JOB_SECRET_HEADER,    /* refused: the value of a header that carries credentials */
    JOB_SECRET_PAIR,      /* refused: NAME=VALUE with the name of a secret */
};

/* What a value has, as it is written in the file; `o` is NULL for targets and files of IDs. */
enum job_secret job_secret_in(const struct option_spec *o, struct str value);

/* The length of a reference that `s` begins with, "${NAME}"; 0: it begins with none. */
size_t job_reference(struct str s);

#endif
