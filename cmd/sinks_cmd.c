/* leadpipe sinks: each sink with its options, or one of them, from the table that its parser reads. */
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/help.h"
#include "core/base/suggest.h"
#include "sinks/registry.h"

#define OPTION_INDENT 30

static void print_option(const struct option_spec *spec)
{
    struct buf arg, text;
    buf_init(&arg, HELP_BYTES_MAX);
    buf_init(&text, HELP_BYTES_MAX);
    option_put_arg(&arg, spec);
    option_put_help(&text, spec);
    int used = printf("  %s%s%s", spec->name, arg.len ? "=" : "", buf_cstr(&arg));
    help_print_wrapped(stdout, used < 0 ? 0 : (size_t)used, OPTION_INDENT, buf_cstr(&text));
    buf_free(&arg);
    buf_free(&text);
}

static void print_sink(const struct sink_ops *ops)
{
    (void)puts(ops->name);
    help_print_wrapped(stdout, 0, 2, ops->help);
    (void)putchar('\n');
    for (const struct option_spec *spec = ops->opts; spec && spec->name; spec++)
        print_option(spec);
}

static int print_one(struct messages *m, const char *name)
{
    const struct sink_ops *ops = sink_by_name(str_c(name));
    const char *option = sink_left_out(str_c(name)), *nearest = NULL;
    if (ops) {
        print_sink(ops);
        return EXIT_STATUS_OK;
    }
    if (option)
        return messages_usage(m, "this build has no %s sink: rebuild with -D%s=ON", name, option);
    for (size_t i = 0; sink_registry[i]; i++)
        suggest_consider(&nearest, name, sink_registry[i]->name);
    return messages_usage(m, "unknown sink %s; %s%s", name,
                          nearest ? "did you mean " : "\"leadpipe sinks\" lists them all",
                          nearest ? nearest : "");
}

int command_sinks(struct messages *m, int argc, char *argv[])
{
    if (!command_takes(m, argc, argv, argc > 1 ? 1 : 0))
        return EXIT_STATUS_USAGE;
    if (argc > 1)
        return print_one(m, argv[1]);
    (void)puts(
        "Give a sink as -t KIND[,OPTION[=VALUE]]...:TARGET, such as csv:out/,\n"
        "ndjson,gzip=9:leads.ndjson.gz or webhook,batch=50:https://crm.example/hook.\n"
        "TARGET - is standard output. Write a comma in a value as \\, and a colon as \\:; a\n"
        "colon followed by a space is part of the value, and so are those of an http or\n"
        "https URL.");
    for (size_t i = 0; sink_registry[i]; i++) {
        (void)putchar('\n');
        print_sink(sink_registry[i]);
    }
    return EXIT_STATUS_OK;
}
