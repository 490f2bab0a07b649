/* leadpipe tables: what a provider's leads are flattened into. */
#include <stdio.h>

#include "commands.h"
#include "core/profile.h"

static void print_column(const struct column_spec *c)
{
    static const char *const kinds[] = {
        [COLUMN_VALUE] = "",
        [COLUMN_POSITION] = "place, from 0, within ",
        [COLUMN_COUNT] = "number of ",
    };
    (void)printf("  %-36.*s %s" STR_FMT "\n", STR_ARG(c->name), kinds[c->kind],
                 STR_ARG(c->path.text));
}

static void print_table(const struct table_spec *t, bool first)
{
    if (first)
        (void)printf(STR_FMT ": one row for each lead\n", STR_ARG(t->name));
    else
        (void)printf("\n" STR_FMT ": one row for each of " STR_FMT "\n", STR_ARG(t->name),
                     STR_ARG(t->each.text));
    (void)printf("  %-36s the provider's name\n", "provider");
    (void)printf("  %-36s the ID that was asked for\n", "lead_id");
    for (size_t i = 0; i < t->n_columns; i++)
        print_column(&t->columns[i]);
    for (size_t i = 0; i < t->n_pivots; i++)
        (void)printf("  " STR_FMT "...%*s a column for each " STR_FMT "\n",
                     STR_ARG(t->pivots[i].prefix),
                     t->pivots[i].prefix.len < 33 ? (int)(33 - t->pivots[i].prefix.len) : 0, "",
                     STR_ARG(t->pivots[i].key.text));
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
        print_table(&p->tables[i], i == 0);
    (void)puts(
        "\nMembers of a payload that are not listed here become columns at the end of their\n"
        "table.");
    profile_free(p);
    return EXIT_STATUS_OK;
}
