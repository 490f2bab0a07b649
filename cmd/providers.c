/* leadpipe providers: the built-in profiles. */
#include <stdio.h>
#include <string.h>

#include "cmd/builtins.h"
#include "cmd/commands.h"
#include "core/provider/profile.h"
#include "cmd/help.h"

static void print_list(const char *title, const struct str *names, size_t n)
{
    (void)printf("  %-11s", title);
    for (size_t i = 0; i < n; i++)
        (void)printf("%s" STR_FMT, i ? ", " : "", STR_ARG(names[i]));
    (void)puts(n ? "" : "none");
}

static void print_profile(const struct profile *p)
{
    (void)printf(STR_FMT ": " STR_FMT "\n", STR_ARG(p->name), STR_ARG(p->title));
    for (size_t i = 0; i < p->n_servers; i++)
        (void)printf("  %-11s" STR_FMT "  " STR_FMT "%s\n", i ? "" : "servers",
                     STR_ARG(p->servers[i].name), STR_ARG(p->servers[i].url),
                     i || p->n_servers == 1 ? "" : "  (default)");
    (void)printf("  %-11s" STR_FMT "\n", "API key",
                 STR_ARG(p->key_header.len ? p->key_variable : STR("none")));
    print_list("parameters", p->params, p->n_params);
}

static int print_builtin(struct messages *m, const struct builtin *b)
{
    struct profile *p = NULL;
    struct err e;
    if (profile_load(&p, b->name, &e) != RC_OK) {
        messages_write(m, LOG_LEVEL_ERROR, b->name, e.msg);
        return EXIT_STATUS_STOPPED;
    }
    print_profile(p);
    profile_free(p);
    return EXIT_STATUS_OK;
}

const struct option_spec providers_option_specs[] = {
    {
        .name = "show",
        .arg = "NAME",
        OPTION_AT(struct builtins_options, TEXT, show),
        .names = NAMES_PROVIDERS,
        .help = "print the profile of a built-in provider, as a starting point for your own",
    },
    {.name = NULL},
};

int command_providers(struct messages *m, int argc, char *argv[])
{
    static const struct builtins_command command = {"provider", "providers", profile_builtin,
                                                    print_builtin};
    return builtins_run(&command, m, argc, argv);
}
