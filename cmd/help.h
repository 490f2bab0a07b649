/* Help texts, 80 columns wide. */
#ifndef LEADPIPE_CMD_HELP_H
#define LEADPIPE_CMD_HELP_H

#include <stdio.h>

#include "cmd/commands.h"

#define HELP_WIDTH 80
#define HELP_BYTES_MAX 4096 /* of one option */

void help_print_short(FILE *f);
void help_print_command(FILE *f, const struct command *c);

/* Prints `text` at column `indent`, wrapped at blanks, and ends the line. `at` is the current column; if it is beyond
 * `indent`, begins on the next line. */
void help_print_wrapped(FILE *f, size_t at, size_t indent, const char *text);

#endif
