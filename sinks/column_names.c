#include "sinks/column_names.h"

#include <stdlib.h>

#include "core/base/grow.h"

void column_names_free(struct column_names *c)
{
    free(c->items);
    *c = (struct column_names){0};
}

enum rc column_names_add(struct column_names *c, struct str name)
{
    struct str *items = list_grow(c->items, c->n, &c->cap, sizeof *items);
    if (!items)
        return RC_NOMEM;
    c->items = items;
    c->items[c->n++] = name;
    return RC_OK;
}

enum rc column_names_add_keys(struct column_names *c, const struct profile *p)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < p->n_key_columns; i++)
        rc = column_names_add(c, p->key_columns[i]);
    return rc;
}

enum rc column_names_add_columns(struct column_names *c, const struct table_spec *table)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < table->n_columns; i++)
        rc = column_names_add(c, table->columns[i].name);
    return rc;
}

enum rc column_names_add_documented(struct column_names *c, const struct profile *p,
                                    const struct table_spec *table)
{
    enum rc rc = column_names_add_keys(c, p);
    return rc == RC_OK ? column_names_add_columns(c, table) : rc;
}
