/* leadpipe tables: the tables into which a provider's leads are flattened. */
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/help.h"
#include "core/provider/tables_json.h"
#include "sinks/sql/dialect.h"

#define OUTPUT_BYTES_MAX ((size_t)64 << 20) /* a profile has at most PROFILE_BYTES_MAX */

/* The part of a path below another one, or all of it. */
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

static void print_value(const struct table_spec *t, const struct column_spec *c, size_t width)
{
    char what[64] = "";
    if (c->type != TYPE_TEXT)
        (void)snprintf(what, sizeof what, "%s, ", column_type_text(c->type));
    /* Paths of the lead itself are shown from the root; a name alone would be ambiguous there. */
    print_line(c->name, width, what,
               t->each.n_steps ? below(c->path.text, t->each.text) : c->path.text);
}

static void print_column(const struct table_spec *t, const struct column_spec *c, size_t width)
{
    switch (c->kind) {
    case COLUMN_VALUE:
        print_value(t, c, width);
        return;
    case COLUMN_POSITION:
        if (str_eq(c->path.text, t->each.text))
            print_line(c->name, width, "integer, its position, from 0", STR_NONE);
        else
            print_line(c->name, width, "integer, the position, from 0, of its ", c->path.text);
        return;
    case COLUMN_COUNT:
        print_line(c->name, width, "integer, the number of ", c->path.text);
        return;
    }
}

static void print_pivot(const struct pivot_spec *p, size_t width)
{
    char name[256];
    (void)snprintf(name, sizeof name, STR_FMT "...", STR_ARG(p->prefix));
    print_line(str_c(name), width, "one column for each ", p->key.text);
}

static void print_key_columns(const struct profile *p, size_t width)
{
    print_line(p->key_columns[0], width, "the provider's name", STR_NONE);
    print_line(p->key_columns[1], width, "the requested ID", STR_NONE);
    for (size_t i = 0; i < p->n_params; i++)
        print_line(p->key_columns[KEY_COLUMNS_FIXED + i], width, "the requested ", p->params[i]);
}

static size_t name_width(const struct profile *p, const struct table_spec *t)
{
    size_t width = 0;
    for (size_t i = 0; i < table_columns(p, t); i++) {
        const struct table_column column = table_column(p, t, i);
        if (column.name.len > width)
            width = column.name.len;
    }
    return width < 36 ? width : 36;
}

static void print_table(const struct profile *p, const struct table_spec *t)
{
    size_t width = name_width(p, t);
    int used = printf(STR_FMT ":", STR_ARG(t->name));
    char text[1024];
    if (t->each.n_steps)
        (void)snprintf(text, sizeof text, "one row for each " STR_FMT, STR_ARG(t->each.text));
    else
        (void)snprintf(text, sizeof text, "one row for each lead");
    help_print_wrapped(stdout, used < 0 ? 0 : (size_t)used, t->name.len + 2, text);
    print_key_columns(p, width);
    for (size_t i = 0; i < t->n_columns; i++)
        print_column(t, &t->columns[i], width);
    for (size_t i = 0; i < t->n_pivots; i++)
        print_pivot(&t->pivots[i], width);
    (void)putchar('\n');
}

static void print_tables(const struct profile *p)
{
    for (size_t i = 0; i < p->n_tables; i++)
        print_table(p, &p->tables[i]);
    (void)puts(
        "\nMembers of a payload that are not listed here become columns at the end of their\n"
        "table, of type text. --json and --ddl show the same for programs and databases.");
}

/* ---- for programs and databases --------------------------------------------------------------- */

static enum rc write_ddl(struct buf *b, const struct profile *p, const struct sql_dialect *d,
                         struct err *e)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->n_tables; i++) {
        buf_adds(b, i ? "\n" : "");
        rc = sql_create_table(b, d, p, &p->tables[i], e);
    }
    return rc;
}

/* Prints all of it, or only a message. */
static enum rc print_for(const struct profile *p, const struct sql_dialect *ddl, struct err *e)
{
    struct buf b;
    buf_init(&b, OUTPUT_BYTES_MAX);
    enum rc rc = RC_OK;
    if (ddl)
        rc = write_ddl(&b, p, ddl, e);
    else
        tables_json(&b, p, NULL);
    if (rc == RC_OK && buf_rc(&b) != RC_OK)
        rc = err_set(e, buf_rc(&b), "%s", rc_text(buf_rc(&b)));
    if (rc == RC_OK)
        (void)fwrite(b.data, 1, b.len, stdout); /* checked when standard output is closed */
    buf_free(&b);
    return rc;
}

/* ---- the command ------------------------------------------------------------------------------ */

struct tables_options {
    bool json;
    int ddl; /* index of the dialect, or OPTION_AUTO */
};

const struct option_spec tables_option_specs[] = {
    {
        .name = "json",
        OPTION_AT(struct tables_options, FLAG, json),
        .excludes = "ddl",
        .help = "print tables, columns, types and keys as JSON",
    },
    {
        .name = "ddl",
        OPTION_AT(struct tables_options, CHOICE, ddl),
        .choices = SQL_DIALECTS,
        .excludes = "json",
        .help = "print SQL that creates the tables in such a database",
    },
    {.name = NULL},
};

static int show(struct messages *m, const char *provider, const struct tables_options *o)
{
    const struct sql_dialect *ddl = o->ddl == OPTION_AUTO ? NULL : sql_dialect((size_t)o->ddl);
    struct profile *p = NULL;
    struct err e;
    enum rc rc = profile_load(&p, provider, &e);
    if (rc == RC_OK && (o->json || ddl))
        rc = print_for(p, ddl, &e);
    else if (rc == RC_OK)
        print_tables(p);
    profile_free(p);
    if (rc == RC_OK)
        return EXIT_STATUS_OK;
    messages_write(m, LOG_LEVEL_ERROR, "tables", e.msg);
    return rc == RC_USAGE ? EXIT_STATUS_USAGE : EXIT_STATUS_STOPPED;
}

int command_tables(struct messages *m, int argc, char *argv[])
{
    struct tables_options o = {false, 0};
    struct text_list arguments = {NULL, 0};
    struct arena memory;
    arena_init(&memory, SIZE_MAX / 2);
    int status = command_read(m, argc, argv, &o, &arguments, 1, &memory);
    if (status == EXIT_STATUS_OK)
        status = show(m, arguments.items[0], &o);
    arena_free(&memory);
    return status;
}
