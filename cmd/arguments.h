/* The command line without secrets, for manifests and reports. */
#ifndef LEADPIPE_CMD_ARGUMENTS_H
#define LEADPIPE_CMD_ARGUMENTS_H

#include "core/base/secrets.h"
#include "cmd/options.h"

struct arguments {
    char **items; /* owned */
    size_t n;
};

/* Copies argv, without values that the tables of options mark as secret. */
enum rc arguments_copy(struct arguments *out, int argc, char *const argv[],
                       const struct export_options *o, struct err *e);
/* Redacts registered secrets anywhere else in it, such as a key that was given as an ID. */
void arguments_redact(struct arguments *a, struct secrets *s);
void arguments_free(struct arguments *a);

/* Append a value without its secrets. For tests. */
void arguments_redact_spec(struct buf *out, const char *spec);
void arguments_redact_url(struct buf *out, const char *url);

#endif
