#include "cmd/builtins.h"

#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"

static int list(const struct builtins_command *c, struct messages *m)
{
    const struct builtin *b;
    int status = EXIT_STATUS_OK;
    for (size_t i = 0; status == EXIT_STATUS_OK && (b = c->at(i)); i++) {
        if (i)
            (void)putchar('\n');
        status = c->print(m, b);
    }
    return status;
}

static int show(const struct builtins_command *c, struct messages *m, const char *name)
{
    const struct builtin *b;
    for (size_t i = 0; (b = c->at(i)); i++) {
        if (strcmp(b->name, name) != 0)
            continue;
        (void)fwrite(b->text, 1, b->len, stdout);
        return EXIT_STATUS_OK;
    }
    return messages_usage(m, "--show: unknown %s %s; \"leadpipe %s\" lists the built-in ones",
                          c->kind, name, c->command);
}

int builtins_print(const struct builtins_command *c, struct messages *m, const char *name)
{
    return name ? show(c, m, name) : list(c, m);
}

int builtins_run(const struct builtins_command *c, struct messages *m, int argc, char *argv[])
{
    struct builtins_options o = {NULL};
    struct text_list arguments = {NULL, 0};
    struct arena memory;
    arena_init(&memory, SIZE_MAX / 2);
    int status = command_read(m, argc, argv, &o, &arguments, 0, &memory);
    if (status == EXIT_STATUS_OK)
        status = builtins_print(c, m, o.show);
    arena_free(&memory);
    return status;
}
