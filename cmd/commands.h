/* The subcommands: each reads its own arguments (argv[0] is its name) and returns the exit status. */
#ifndef LEADPIPE_CMD_COMMANDS_H
#define LEADPIPE_CMD_COMMANDS_H

#include "messages.h"

enum exit_status {
    EXIT_STATUS_OK = 0,
    EXIT_STATUS_STOPPED = 1, /* the run stopped before its end */
    EXIT_STATUS_USAGE = 2,   /* wrong usage or configuration: nothing was done */
    EXIT_STATUS_LEADS = 3,   /* at its end, but leads failed */
    EXIT_STATUS_SIGNAL = 128,
};

struct command {
    const char *name; /* NULL ends the table */
    const char *args; /* for its usage line */
    const char *help;
    int (*run)(struct messages *m, int argc, char *argv[]);
};

extern const struct command commands[];

const struct command *command_named(const char *name);

int command_export(struct messages *m, int argc, char *argv[]);
int command_providers(struct messages *m, int argc, char *argv[]);
int command_sinks(struct messages *m, int argc, char *argv[]);
int command_tables(struct messages *m, int argc, char *argv[]);
int command_help(struct messages *m, int argc, char *argv[]);
int command_version(struct messages *m, int argc, char *argv[]);

/* For the commands without options of their own: are there exactly `n` arguments, none of which
 * looks like an option? Else says what is wrong and returns false. */
bool command_takes(struct messages *m, int argc, char *argv[], int n);

/* No command of that name: says so, with the nearest one. */
int command_unknown(struct messages *m, const char *name);

#endif
