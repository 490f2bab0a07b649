/* Commands that list built-in files, or print one of them (--show NAME): providers, destinations. */
#ifndef LEADPIPE_CMD_BUILTINS_H
#define LEADPIPE_CMD_BUILTINS_H

#include "core/base/builtin.h"
#include "core/base/option.h"
#include "cmd/messages.h"

struct builtins_options {
    const char *show;
};

struct builtins_command {
    const char *kind;    /* "provider" */
    const char *command; /* "providers" */
    const struct builtin *(*at)(size_t i);
    int (*print)(struct messages *m, const struct builtin *b); /* returns the exit status */
};

/* Runs such a command, whose only option is --show. Returns the exit status. */
int builtins_run(const struct builtins_command *c, struct messages *m, int argc, char *argv[]);

/* Prints the built-in file `name`, or, if it is NULL, the list of all. Returns the exit status. */
int builtins_print(const struct builtins_command *c, struct messages *m, const char *name);

#endif
