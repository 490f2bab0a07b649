/* The credentials of object storage, where the tools of AWS have them: the environment's variables
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else a profile of a file. Temporary ones
 * expire, and other programs write new ones to that file: it is read again when the server refuses those at
 * hand. */
#ifndef LEADPIPE_AWS_CREDENTIALS_H
#define LEADPIPE_AWS_CREDENTIALS_H

#include "core/base/secrets.h"

struct aws_credentials;

/* What belongs together. It never changes and lives as long as the credentials, so that a request can be
 * signed with it while another thread reads new ones. */
struct aws_keys {
    const char *access_key, *secret_key;
    const char *session_token; /* NULL: none */
};

/* Takes the variables out of the environment, and registers what is secret. The file is
 * $AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials, its profile $AWS_PROFILE, else "default".
 * RC_USAGE: there are none, or they are incomplete. On the main thread, as secrets_take_variable().
 * `s` must outlive the credentials. */
enum rc aws_credentials_load(struct aws_credentials **out, struct secrets *s, struct err *e);
void aws_credentials_free(struct aws_credentials *c); /* overwrites them; may be NULL */

/* The latest ones. Any thread. */
const struct aws_keys *aws_credentials_keys(struct aws_credentials *c);

/* The server has refused `refused`. RC_OK: there are other ones now. The file is read again by the first
 * of those that ask. RC_BUSY: it is not there, or incomplete: perhaps somebody is writing it. RC_END: it has
 * no others. Any result but RC_OK has a text, without a subject, that says why there are none. Any thread. */
enum rc aws_credentials_renew(struct aws_credentials *c, const struct aws_keys *refused,
                              struct err *e);

#endif
