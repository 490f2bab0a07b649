/* The commands about what is built in: all of it, or one as it is (--show NAME). */
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
    int (*print)(struct messages *m, const struct builtin *b); /* gives the exit status */
};

/* As a command of commands.h, whose only option is --show. */
int builtins_run(const struct builtins_command *c, struct messages *m, int argc, char *argv[]);

/* What such a command prints: that of one, or of all where `name` is NULL. Gives the exit status. */
int builtins_print(const struct builtins_command *c, struct messages *m, const char *name);

#endif
