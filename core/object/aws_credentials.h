/* The credentials of object storage, where the tools of AWS have them: the environment's variables
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else a profile of a file. */
#ifndef LEADPIPE_AWS_CREDENTIALS_H
#define LEADPIPE_AWS_CREDENTIALS_H

#include "core/base/buf.h"
#include "core/base/secrets.h"

/* Zero it first. Its texts are its own, or those of the secrets. */
struct aws_credentials {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL: none */
    struct buf file;
};

/* Takes the variables out of the environment, and registers what is secret. The file is
 * $AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials, its profile $AWS_PROFILE, else "default".
 * RC_USAGE: there are none, or they are incomplete. On the main thread, as secrets_take_variable(). */
enum rc aws_credentials_load(struct aws_credentials *out, struct secrets *s, struct err *e);
void aws_credentials_free(struct aws_credentials *c); /* overwrites them */

#endif
