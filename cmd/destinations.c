/* leadpipe destinations: the built-in ones of the sink push, and whether one in a file is valid. */
#include <stdio.h>
#include <string.h>

#include "cmd/builtins.h"
#include "cmd/commands.h"
#include "cmd/help.h"
#include "core/json/json_pointer.h"
#include "core/provider/profile.h"
#include "core/sink_http.h"
#include "sinks/push/push_config.h"

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

/* ---- --check --------------------------------------------------------------------------------- */

struct destinations_options {
    const char *show, *check, *provider;
    struct text_list params;
};

/* What a run checks before its first request, but for the credentials. */
static enum rc check_for(const struct profile *p, const struct destinations_options *o,
                         struct err *e)
{
    const struct sink_http_cfg http = {.proxy = ""};
    const struct push_opts opts = {.params = o->params, .preview = "-"};
    const struct sink_cfg cfg = {
        .target = o->check, .spec = o->check, .profile = p, .opts = &opts, .http = &http};
    struct push_config config;
    enum rc rc = push_config_make(&config, &cfg, e);
    if (rc == RC_OK)
        push_config_free(&config);
    return rc;
}

static int check(struct messages *m, const struct destinations_options *o)
{
    struct profile *p = NULL;
    struct err e;
    enum rc rc = profile_load(&p, o->provider, &e);
    if (rc == RC_OK)
        rc = check_for(p, o, &e);
    if (rc == RC_OK)
        (void)printf("%s: valid for the provider " STR_FMT "\n", o->check, STR_ARG(p->name));
    profile_free(p);
    if (rc == RC_OK)
        return EXIT_STATUS_OK;
    messages_write(m, LOG_LEVEL_ERROR, "destinations", e.msg);
    return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

/* ---- the command ----------------------------------------------------------------------------- */

#define AT(type, member) OPTION_AT(struct destinations_options, type, member)

const struct option_spec destinations_option_specs[] = {
    {
        .name = "show",
        .arg = "NAME",
        AT(TEXT, show),
        .names = NAMES_DESTINATIONS,
        .excludes = "check",
        .help = "print a built-in destination, as a starting point for your own",
    },
    {
        .name = "check",
        .arg = "FILE",
        AT(TEXT, check),
        .names = NAMES_DESTINATIONS | NAMES_FILES,
        .needs = "provider",
        .help =
            "check a destination as a run would before its first request, except for its credentials; nothing "
            "is fetched or sent",
    },
    {
        .name = "provider",
        .letter = 'p',
        .arg = "NAME|FILE",
        AT(TEXT, provider),
        .names = NAMES_PROVIDERS | NAMES_FILES,
        .needs = "check",
        .help = "with --check: where leads come from, which decides which columns there are",
    },
    {
        .name = "param",
        .arg = "NAME=VALUE",
        AT(LIST, params),
        .needs = "check",
        .help = "with --check: a parameter of the destination; repeatable",
    },
    {.name = NULL},
};

int command_destinations(struct messages *m, int argc, char *argv[])
{
    static const struct builtins_command command = {"destination", "destinations",
                                                    destination_builtin, print_destination};
    struct destinations_options o = {0};
    struct text_list arguments = {NULL, 0};
    struct arena memory;
    arena_init(&memory, SIZE_MAX / 2);
    int status = command_read(m, argc, argv, &o, &arguments, 0, &memory);
    if (status == EXIT_STATUS_OK)
        status = o.check ? check(m, &o) : builtins_print(&command, m, o.show);
    arena_free(&memory);
    return status;
}
