/* Completions for shells: their scripts, which are files of cmd/completions/, and what these ask for. */
#ifndef LEADPIPE_CMD_COMPLETION_H
#define LEADPIPE_CMD_COMPLETION_H

#include "core/base/builtin.h"
#include <stddef.h>

#include "cmd/messages.h"

/* The scripts, in order of name; ends with a NULL name. */
#define COMPLETION_SHELLS "bash|zsh|fish"

extern const struct builtin completion_builtins[]; /* by the shell's name */

/* What the scripts call, with the words up to the cursor; argv[0] is this command. */
#define COMPLETE_COMMAND "__complete"

/* Says on standard output what may stand in the place of the last of them, all made from the tables of
 * commands, options and sinks: what of that word comes before it; flags ("files", "folders": names of files
 * or folders, too; "nospace": the word goes on); then one candidate a line, with a description behind a tab.
 * Nothing where there is nothing to say. The exit status. */
int command_complete(struct messages *m, int argc, char *argv[]);

#endif
