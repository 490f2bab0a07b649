/* leadpipe completion: the script of a shell. */
#include "cmd/completion.h"

#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"

int command_completion(struct messages *m, int argc, char *argv[])
{
    if (!command_takes(m, argc, argv, 1))
        return EXIT_STATUS_USAGE;
    for (const struct builtin *b = completion_builtins; b->name; b++) {
        if (strcmp(b->name, argv[1]) != 0)
            continue;
        (void)fwrite(b->text, 1, b->len, stdout); /* checked when standard output is closed */
        return EXIT_STATUS_OK;
    }
    return messages_usage(m, "completion: unknown shell %s; allowed: " COMPLETION_SHELLS, argv[1]);
}
