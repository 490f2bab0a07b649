/* leadpipe tables: what a provider's leads are flattened into. */
#include <stdio.h>

#include "cmd/commands.h"
#include "core/provider/profile.h"
#include "cmd/help.h"

/* What is left of a path below another, or all of it. */
static struct str below(struct str path, struct str base)
{
    if (path.len > base.len && memcmp(path.ptr, base.ptr, base.len) == 0 &&
        path.ptr[base.len] == '/')
        return (struct str){path.ptr + base.len + 1, path.len - base.len - 1};
    return path;
}

static void print_line(struct str name, size_t name_width, const char *what, struct str path)
{
    char text[1024];
    int used = printf("  " STR_FMT, STR_ARG(name));
    (void)snprintf(text, sizeof text, "%s" STR_FMT, what, STR_ARG(path));
    help_print_wrapped(stdout, used < 0 ? 0 : (size_t)used, name_width + 4, text);
}

static void print_column(const struct table_spec *t, const struct column_spec *c, size_t width)
{
    switch (c->kind) {
    case COLUMN_VALUE:
        /* A lead's paths are told from the root: there, a lone name would not say where. */
        print_line(c->name, width, "",
                   t->each.n_steps ? below(c->path.text, t->each.text) : c->path.text);
        return;
    case COLUMN_POSITION:
        if (str_eq(c->path.text, t->each.text))
            print_line(c->name, width, "its position, from 0", STR_NONE);
        else
            print_line(c->name, width, "the position, from 0, of its ", c->path.text);
        return;
    case COLUMN_COUNT:
        print_line(c->name, width, "number of ", c->path.text);
        return;
    }
}

static void print_pivot(const struct pivot_spec *p, size_t width)
{
    char name[256];
    (void)snprintf(name, sizeof name, STR_FMT "...", STR_ARG(p->prefix));
    print_line(str_c(name), width, "one column for each ", p->key.text);
}

static size_t name_width(const struct table_spec *t)
{
    size_t width = strlen("provider");
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].name.len > width)
            width = t->columns[i].name.len;
    }
    return width < 36 ? width : 36;
}

static void print_table(const struct table_spec *t)
{
    size_t width = name_width(t);
    int used = printf(STR_FMT ":", STR_ARG(t->name));
    char text[1024];
    if (t->each.n_steps)
        (void)snprintf(text, sizeof text, "one row for each " STR_FMT, STR_ARG(t->each.text));
    else
        (void)snprintf(text, sizeof text, "one row for each lead");
    help_print_wrapped(stdout, used < 0 ? 0 : (size_t)used, t->name.len + 2, text);
    print_line(STR("provider"), width, "the provider's name", STR_NONE);
    print_line(STR("lead_id"), width, "the requested ID", STR_NONE);
    for (size_t i = 0; i < t->n_columns; i++)
        print_column(t, &t->columns[i], width);
    for (size_t i = 0; i < t->n_pivots; i++)
        print_pivot(&t->pivots[i], width);
    (void)putchar('\n');
}

int command_tables(struct messages *m, int argc, char *argv[])
{
    struct profile *p = NULL;
    struct err e;
    if (!command_takes(m, argc, argv, 1))
        return EXIT_STATUS_USAGE;
    enum rc rc = profile_load(&p, argv[1], &e);
    if (rc != RC_OK) {
        messages_write(m, LOG_LEVEL_ERROR, "tables", e.msg);
        return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
    }
    for (size_t i = 0; i < p->n_tables; i++)
        print_table(&p->tables[i]);
    (void)puts(
        "\nMembers of a payload that are not listed here become columns at the end of their\n"
        "table.");
    profile_free(p);
    return EXIT_STATUS_OK;
}
