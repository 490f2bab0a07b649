/* Completions for shells: the scripts (from cmd/completions/), and the command that they call. */
#ifndef LEADPIPE_CMD_COMPLETION_H
#define LEADPIPE_CMD_COMPLETION_H

#include "core/base/builtin.h"
#include <stddef.h>

#include "cmd/messages.h"

#define COMPLETION_SHELLS "bash|zsh|fish"

/* The scripts, by the shell's name, in alphabetical order; a NULL name ends the table. */
extern const struct builtin completion_builtins[];

/* The command that the scripts call, with the words of the command line up to the cursor. */
#define COMPLETE_COMMAND "__complete"

/* Prints completions of the last word, made from the tables of commands, options and sinks. First line: the part
 * of the word that stays. Second line: flags ("files", "folders": names of files or folders are possible, too;
 * "nospace": the word may continue). Then one candidate per line, with a tab and a description. Prints nothing if
 * there are no completions. Returns the exit status. */
int command_complete(struct messages *m, int argc, char *argv[]);

#endif
