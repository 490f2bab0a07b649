/* leadpipe providers: the built-in profiles. */
#include <stdio.h>
#include <string.h>

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

static int list(struct messages *m)
{
    const struct builtin_profile *b;
    for (size_t i = 0; (b = profile_builtin(i)); i++) {
        struct profile *p = NULL;
        struct err e;
        if (profile_load(&p, b->name, &e) != RC_OK) {
            messages_write(m, LOG_LEVEL_ERROR, b->name, e.msg);
            return EXIT_STATUS_STOPPED;
        }
        if (i)
            (void)putchar('\n');
        print_profile(p);
        profile_free(p);
    }
    return EXIT_STATUS_OK;
}

static int show(struct messages *m, const char *name)
{
    const struct builtin_profile *b;
    for (size_t i = 0; (b = profile_builtin(i)); i++) {
        if (strcmp(b->name, name) != 0)
            continue;
        (void)fwrite(b->json, 1, b->len, stdout);
        return EXIT_STATUS_OK;
    }
    return messages_usage(m,
                          "--show: unknown provider %s; \"leadpipe providers\" lists the "
                          "built-in ones",
                          name);
}

int command_providers(struct messages *m, int argc, char *argv[])
{
    static const char with_value[] = "--show=";
    if (argc == 3 && strcmp(argv[1], "--show") == 0)
        return show(m, argv[2]);
    if (argc == 2 && strncmp(argv[1], with_value, sizeof with_value - 1) == 0)
        return show(m, argv[1] + sizeof with_value - 1);
    if (argc == 2 && strcmp(argv[1], "--show") == 0)
        return messages_usage(m, "--show: missing value: the name of a built-in provider");
    int n_show = 0;
    for (int i = 1; i < argc; i++)
        n_show += strncmp(argv[i], "--show", 6) == 0;
    if (n_show > 1)
        return messages_usage(m, "--show: given more than once; it is not repeatable");
    if (!command_takes(m, argc, argv, 0))
        return EXIT_STATUS_USAGE;
    return list(m);
}
