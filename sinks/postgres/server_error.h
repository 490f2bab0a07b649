/* What the server says of an error, as a message may show it. Pure. */
#ifndef LEADPIPE_SINKS_POSTGRES_SERVER_ERROR_H
#define LEADPIPE_SINKS_POSTGRES_SERVER_ERROR_H

#include <libpq-fe.h>

#include "core/base/err.h"

/* Of the fields of an error, by the SQLSTATE (appendix "PostgreSQL Error Codes" of its documentation): RC_NET,
 * RC_BUSY, RC_AUTH or RC_IO, as link.h has them. */
enum rc pg_error_class(const char *sqlstate);

/* The texts of an error's fields; NULL where there is none. */
struct pg_error_fields {
    const char *sqlstate, *message, *detail, *hint;
};

/* Message, detail, hint, and what to do about it, cut to `size`. The server quotes rows, and with them
 * personal data, in the errors that are about the values of one: those are left out. `user`: of the
 * connection. */
void pg_error_text(const struct pg_error_fields *f, const char *user, char *out, size_t size);

#endif
