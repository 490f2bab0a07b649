#include "core/provider/table_column.h"

const struct table_column column_misfits = {.name = {"_misfits", 8}, .type = TYPE_JSON};
const struct table_column column_exported_at = {.name = {"_exported_at", 12},
                                                .type = TYPE_TIMESTAMP};
const struct table_column column_run_id = {.name = {"_run_id", 7}, .type = TYPE_TEXT};

/* The first column that says which element of the table's star-th "*" (from 1, the outermost) a row
 * stands in; NULL: there is none. */
static const struct column_spec *position_of(const struct table_spec *t, size_t star)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct column_spec *c = &t->columns[i];
        if (c->kind == COLUMN_POSITION && c->path.n_stars == star)
            return c;
    }
    return NULL;
}

size_t table_columns(const struct profile *p, const struct table_spec *t)
{
    return p->n_key_columns + t->n_columns;
}

struct table_column table_column(const struct profile *p, const struct table_spec *t, size_t i)
{
    if (i < p->n_key_columns)
        return (struct table_column){.name = p->key_columns[i], .type = TYPE_TEXT, .is_key = true};
    const struct column_spec *spec = &t->columns[i - p->n_key_columns];
    return (struct table_column){
        .name = spec->name,
        .type = spec->type,
        .is_key = spec->kind == COLUMN_POSITION && position_of(t, spec->path.n_stars) == spec,
        .spec = spec,
    };
}

bool table_has_key(const struct table_spec *t)
{
    for (size_t star = 1; star <= t->each.n_stars; star++) {
        if (!position_of(t, star))
            return false;
    }
    return true;
}
