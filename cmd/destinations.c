/* leadpipe destinations: the built-in ones of the sink push. */
#include <stdio.h>
#include <string.h>

#include "cmd/builtins.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include "core/json/json_pointer.h"
#include "sinks/push/destination.h"

#define LINE_WIDTH 78

/* In lines of words, each after two blanks. */
static void print_wrapped(struct str text)
{
    size_t column = 0;
    while (text.len > 0) {
        const char *end = memchr(text.ptr, ' ', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        bool fits = column > 0 && column + 1 + n <= LINE_WIDTH;
        (void)printf("%s" STR_FMT, fits ? " " : column ? "\n  " : "  ", (int)n, text.ptr);
        column = (fits ? column + 1 : 2) + n;
        n += end != NULL;
        text = (struct str){text.ptr + n, text.len - n};
    }
    (void)putchar('\n');
}

static int print_destination(struct messages *m, const struct builtin *b)
{
    struct arena memory;
    struct json_doc doc;
    struct json_pointer at;
    struct err e;
    arena_init(&memory, SIZE_MAX / 2);
    enum rc rc =
        json_parse(&memory, (struct str){(const char *)b->text, b->len}, JSON_TREE, &doc, &e);
    if (rc == RC_OK)
        rc = json_pointer_parse(&at, &memory, STR("/about"), &e);
    if (rc == RC_OK) {
        const cJSON *about = json_pointer_find(&at, doc.root);
        (void)printf("%s\n", b->name);
        print_wrapped(about ? json_text(about) : STR_NONE);
    } else {
        messages_write(m, LOG_LEVEL_ERROR, b->name, e.msg);
    }
    arena_free(&memory);
    return rc == RC_OK ? EXIT_STATUS_OK : EXIT_STATUS_STOPPED;
}

const struct option_spec destinations_option_specs[] = {
    {
        .name = "show",
        .arg = "NAME",
        OPTION_AT(struct builtins_options, TEXT, show),
        .names = NAMES_DESTINATIONS,
        .help = "print a built-in destination, as a starting point for your own",
    },
    {.name = NULL},
};

int command_destinations(struct messages *m, int argc, char *argv[])
{
    static const struct builtins_command command = {"destination", "destinations",
                                                    destination_builtin, print_destination};
    return builtins_run(&command, m, argc, argv);
}
