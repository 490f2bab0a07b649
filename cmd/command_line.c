#include "cmd/command_line.h"

#include <getopt.h>
#include <stdio.h>

/* getopt_long() returns this plus i for row i of the table; letters are smaller numbers. */
#define LONG_BASE 1000

#define HINT_BYTES 128
#define HINT "\"leadpipe help %s\" lists them all"

struct getopt_tables {
    struct option *longs;
    char *shorts;
};

/* "-" makes getopt return arguments in order, too, so that every element of argv can be checked before getopt does.
 * ":" makes it distinguish a missing value from an unknown name. */
static enum rc make_tables(struct getopt_tables *t, const struct option_reader *r, struct err *e)
{
    size_t n = option_table_size(r->table);
    t->longs = arena_array(r->memory, n + 1, sizeof *t->longs);
    t->shorts = arena_zalloc(r->memory, 2 * n + 3);
    if (!t->longs || !t->shorts)
        return err_nomem(e);
    char *letter = t->shorts;
    *letter++ = '-';
    *letter++ = ':';
    for (size_t i = 0; i < n; i++) {
        const struct option_spec *o = &r->table[i];
        bool takes_value = option_takes_value(o);
        t->longs[i] = (struct option){
            .name = o->name,
            .has_arg = takes_value ? required_argument : no_argument,
            .val = LONG_BASE + (int)i,
        };
        if (!o->letter)
            continue;
        *letter++ = o->letter;
        if (takes_value)
            *letter++ = ':';
    }
    return RC_OK;
}

static const struct option_spec *spec_of(const struct option_spec *table, int code)
{
    if (code >= LONG_BASE)
        return &table[code - LONG_BASE];
    for (const struct option_spec *o = table; o->name; o++) {
        if (o->letter && o->letter == code)
            return o;
    }
    return NULL;
}

/* The command whose help lists the options: run and check take those of export. */
static const char *listing_command(const char *command)
{
    bool takes_those_of_export = strcmp(command, "run") == 0 || strcmp(command, "check") == 0;
    return takes_those_of_export ? "export" : command;
}

/* Long options cannot be abbreviated. An abbreviation would break as soon as another option begins in the same way, and
 * "--api-key SECRET" would be taken for --api-key-file, with the secret in a message. For the same reason messages do not
 * repeat what comes after "=". */
static enum rc check_long(const struct option_reader *r, const char *command, const char *element,
                          struct err *e)
{
    if (!element || strncmp(element, "--", 2) != 0 || !element[2])
        return RC_OK;
    char hint[HINT_BYTES];
    struct str name = {element + 2, strcspn(element + 2, "=")};
    if (option_named(r->table, name))
        return RC_OK;
    (void)snprintf(hint, sizeof hint, HINT, listing_command(command));
    return option_unknown(r, name, hint, e);
}

/* Reports what getopt() has found: a missing value (":"), a value for an option that takes none, or an unknown option. */
static enum rc take_unusual(struct option_reader *r, int code, const char *command, struct err *e)
{
    const struct option_spec *o = spec_of(r->table, optopt);
    if (o && (code == ':' || !option_takes_value(o)))
        return option_take(r, o, code == ':' ? NULL : "", e);
    return err_set(e, RC_USAGE, "unknown option -%c; " HINT, optopt, listing_command(command));
}

enum rc command_line_read(struct option_reader *r, struct text_list *arguments, int argc,
                          char *const argv[], struct err *e)
{
    struct getopt_tables tables = {NULL, NULL};
    enum rc rc = make_tables(&tables, r, e);
    opterr = 0;
    optind = 0; /* resets getopt, including the mode of "-" (getopt(3), GNU) */
    if (rc == RC_OK && argc > 1)
        rc = check_long(r, argv[0], argv[1], e);
    while (rc == RC_OK) {
        int code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (code == -1)
            break;
        if (code == 1)
            rc = text_list_add(arguments, optarg, r->memory, e);
        else if (code == ':' || code == '?')
            rc = take_unusual(r, code, argv[0], e);
        else
            rc = option_take(r, spec_of(r->table, code), optarg, e);
        if (rc == RC_OK && optind < argc)
            rc = check_long(r, argv[0], argv[optind], e);
    }
    for (int i = optind; rc == RC_OK && i < argc; i++) /* after "--" */
        rc = text_list_add(arguments, argv[i], r->memory, e);
    return rc;
}
