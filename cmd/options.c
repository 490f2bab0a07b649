/* Reads the command line of `leadpipe export` by its table. */
#include "cmd/options.h"

#include <getopt.h>
#include <stdlib.h>

#include "cmd/messages.h"
#include "cmd/suggest.h"

/* What getopt_long() returns for the table's row i; letters stay below. */
#define LONG_BASE 1000

#define SPECS_MAX 64

struct getopt_tables {
    struct option longs[SPECS_MAX + 1];
    char shorts[2 * SPECS_MAX + 3];
};

/* "-" gives what is no option as an option of its own, in order: so every element of argv can be
 * looked at before getopt does. ":" tells a value that is missing from a name that is unknown. */
static void make_tables(struct getopt_tables *t)
{
    char *letter = t->shorts;
    *letter++ = '-';
    *letter++ = ':';
    size_t i = 0;
    for (const struct option_spec *spec = export_option_specs; spec->name; spec++, i++) {
        t->longs[i] = (struct option){
            .name = spec->name,
            .has_arg = spec->arg ? required_argument : no_argument,
            .val = LONG_BASE + (int)i,
        };
        if (!spec->letter)
            continue;
        *letter++ = spec->letter;
        if (spec->arg)
            *letter++ = ':';
    }
    t->longs[i] = (struct option){0};
    *letter = '\0';
}

static const struct option_spec *spec_of(int code)
{
    if (code >= LONG_BASE)
        return &export_option_specs[code - LONG_BASE];
    for (const struct option_spec *spec = export_option_specs; spec->name; spec++) {
        if (spec->letter && spec->letter == code)
            return spec;
    }
    return NULL;
}

static const struct option_spec *spec_named(const char *name, size_t len)
{
    for (const struct option_spec *spec = export_option_specs; spec->name; spec++) {
        if (strlen(spec->name) == len && memcmp(spec->name, name, len) == 0)
            return spec;
    }
    return NULL;
}

/* Long options must be written out. An abbreviation would break with the next option that begins
 * alike, and "--api-key SECRET" would be taken for --api-key-file and end up in a message. So what
 * stands behind "=" is not repeated either. */
static enum rc check_long(const char *element, struct err *e)
{
    if (!element || strncmp(element, "--", 2) != 0 || !element[2])
        return RC_OK;
    const char *name = element + 2;
    size_t len = strcspn(name, "=");
    if (spec_named(name, len))
        return RC_OK;
    char word[64];
    (void)snprintf(word, sizeof word, "%.*s", (int)len, name);
    const char *nearest = NULL;
    for (const struct option_spec *spec = export_option_specs; spec->name; spec++) {
        suggest_consider(&nearest, word, spec->name);
    }
    if (nearest)
        return err_set(e, RC_USAGE, "unknown option --%s; did you mean --%s?", word, nearest);
    return err_set(e, RC_USAGE, "unknown option --%s; \"leadpipe help export\" lists them all",
                   word);
}

static enum rc refuse(int code, struct err *e)
{
    const struct option_spec *spec = spec_of(optopt);
    if (code == ':' && spec)
        return err_set(e, RC_USAGE, "--%s: missing value: %s", spec->name, spec->arg);
    if (spec && !spec->arg)
        return err_set(e, RC_USAGE, "--%s: takes no value", spec->name);
    return err_set(e, RC_USAGE, "unknown option -%c; \"leadpipe help export\" lists them all",
                   optopt);
}

static bool is_repeatable(const struct option_spec *spec)
{
    return spec->type == OPTION_LIST || spec->type == OPTION_COUNT;
}

/* Of two values one would be dropped. They are not repeated: either may hold a password. */
static enum rc note_given(bool given[SPECS_MAX], const struct option_spec *spec, struct err *e)
{
    bool *before = &given[spec - export_option_specs];
    if (*before && !is_repeatable(spec))
        return err_set(e, RC_USAGE, "--%s: given more than once; it is not repeatable", spec->name);
    *before = true;
    return RC_OK;
}

static enum rc take(struct export_options *o, bool given[SPECS_MAX], int code, struct err *e)
{
    if (code == 1)
        return text_list_add(&o->files, optarg, e);
    const struct option_spec *spec = code == ':' || code == '?' ? NULL : spec_of(code);
    if (!spec)
        return refuse(code, e);
    enum rc rc = note_given(given, spec, e);
    if (rc == RC_OK)
        rc = option_set(o, spec, optarg ? optarg : "", e);
    if (rc == RC_OK && spec->secret_offset)
        rc =
            text_list_add((struct text_list *)(void *)((char *)o + spec->secret_offset), optarg, e);
    return rc;
}

static enum rc read_arguments(struct export_options *o, int argc, char *const argv[], struct err *e)
{
    struct getopt_tables tables = {.shorts = ""};
    bool given[SPECS_MAX] = {false};
    make_tables(&tables);
    opterr = 0;
    optind = 0; /* starts anew, "-" included (getopt(3), GNU) */
    enum rc rc = argc > 1 ? check_long(argv[1], e) : RC_OK;
    while (rc == RC_OK) {
        int code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (code == -1)
            break;
        rc = take(o, given, code, e);
        if (rc == RC_OK && optind < argc)
            rc = check_long(argv[optind], e);
    }
    for (int i = optind; rc == RC_OK && i < argc; i++) /* behind "--" */
        rc = text_list_add(&o->files, argv[i], e);
    return rc;
}

static enum rc set_defaults(struct export_options *o, struct err *e)
{
    *o = (struct export_options){.expect = -1};
    for (const struct option_spec *spec = export_option_specs; spec->name; spec++) {
        enum rc rc = spec->default_text ? option_set(o, spec, spec->default_text, e) : RC_OK;
        if (rc != RC_OK)
            return rc;
    }
    return RC_OK;
}

#define EXAMPLE "for example: leadpipe export -p omni -t csv:out/ ids.txt"

static enum rc check_combinations(const struct export_options *o, struct err *e)
{
    if (!o->provider && !o->sinks.n)
        return err_set(e, RC_USAGE, "-p PROVIDER and -t SINK are required; " EXAMPLE);
    if (!o->provider)
        return err_set(e, RC_USAGE, "-p PROVIDER is required; " EXAMPLE);
    if (!o->sinks.n)
        return err_set(e, RC_USAGE, "-t SINK is required; " EXAMPLE);
    if (o->server && o->base_url)
        return err_set(e, RC_USAGE, "--server and --base-url cannot be used together");
    if (o->ids.n && o->files.n)
        return err_set(e, RC_USAGE, "--id and FILE (%s) cannot be used together",
                       o->files.items[0]);
    if (!o->state && (o->fresh || o->changed_only))
        return err_set(e, RC_USAGE, "--%s needs --state FILE", o->fresh ? "fresh" : "changed-only");
    if (o->resend && !o->changed_only)
        return err_set(e, RC_USAGE, "--resend needs --changed-only");
    if (o->quiet && o->verbose)
        return err_set(e, RC_USAGE, "--quiet and --verbose cannot be used together");
    if (o->quiet && o->progress == PROGRESS_ALWAYS)
        return err_set(e, RC_USAGE, "--quiet and --progress always cannot be used together");
    return RC_OK;
}

enum rc options_parse(struct export_options *out, int argc, char *const argv[], struct err *e)
{
    struct export_options o;
    enum rc rc = set_defaults(&o, e);
    if (rc == RC_OK)
        rc = read_arguments(&o, argc, argv, e);
    if (rc == RC_OK && !o.help)
        rc = check_combinations(&o, e);
    if (rc != RC_OK) {
        options_free(&o);
        return rc;
    }
    *out = o;
    return RC_OK;
}

void options_free(struct export_options *o)
{
    struct text_list *lists[] = {
        &o->params, &o->files, &o->ids, &o->sinks, &o->secret_specs, &o->secret_urls,
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        free(lists[i]->items);
        *lists[i] = (struct text_list){0};
    }
}
