/* Help texts, 80 columns wide. */
#ifndef LEADPIPE_CMD_HELP_H
#define LEADPIPE_CMD_HELP_H

#include <stdio.h>

#include "cmd/commands.h"

#define HELP_WIDTH 80
#define HELP_BYTES_MAX 4096 /* of one option */

void help_print_short(FILE *f);
void help_print_command(FILE *f, const struct command *c);

/* `text` at column `indent`, broken at blanks; the cursor stands at column `at`:
 * where that is too far to the right, on the next line. Ends the line. */
void help_print_wrapped(FILE *f, size_t at, size_t indent, const char *text);

#endif
