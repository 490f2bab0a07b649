#include "sinks/record/record_columns.h"

#include <stdlib.h>
#include <string.h>

static enum rc add_undocumented(struct column_names *c, const struct schema *schema, size_t table)
{
    enum rc rc = RC_OK;
    size_t n = schema ? schema_columns(schema, table) : 0;
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = column_names_add(c, schema_column(schema, table, i)->name);
    return rc;
}

static enum rc add_table(struct column_names *c, const struct profile *p,
                         const struct schema *schema, size_t table)
{
    enum rc rc = column_names_add_columns(c, &p->tables[table]);
    return rc == RC_OK ? add_undocumented(c, schema, table) : rc;
}

/* ---- names that several tables have ---------------------------------------------------------- */

struct numbered {
    struct str name;
    size_t at;
};

static int compare_numbers(const void *a, const void *b)
{
    const struct numbered *x = a;
    const struct numbered *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static int compare_names(const void *a, const void *b)
{
    const struct numbered *x = a;
    const struct numbered *y = b;
    size_t shorter = x->name.len < y->name.len ? x->name.len : y->name.len;
    int by_bytes = shorter ? memcmp(x->name.ptr, y->name.ptr, shorter) : 0;
    if (by_bytes == 0)
        by_bytes = (x->name.len > y->name.len) - (x->name.len < y->name.len);
    return by_bytes ? by_bytes : compare_numbers(a, b);
}

/* Of names that are the same the first stays. */
static enum rc drop_repeated(struct column_names *c)
{
    struct numbered *sorted = calloc(c->n, sizeof *sorted);
    if (!sorted)
        return RC_NOMEM;
    for (size_t i = 0; i < c->n; i++)
        sorted[i] = (struct numbered){c->items[i], i};
    qsort(sorted, c->n, sizeof *sorted, compare_names);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (n == 0 || !str_eq(sorted[n - 1].name, sorted[i].name))
            sorted[n++] = sorted[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_numbers);
    for (size_t i = 0; i < n; i++)
        c->items[i] = sorted[i].name;
    c->n = n;
    free(sorted);
    return RC_OK;
}

/* ---- records -------------------------------------------------------------------------------- */

static enum rc add_lead(struct column_names *c, const struct profile *p,
                        const struct schema *schema)
{
    enum rc rc = column_names_add_keys(c, p);
    if (rc == RC_OK)
        rc = add_table(c, p, schema, 0);
    for (size_t i = 1; rc == RC_OK && i < p->n_tables; i++)
        rc = column_names_add(c, p->tables[i].name);
    return rc;
}

static enum rc add_rows(struct column_names *c, const struct profile *p,
                        const struct schema *schema)
{
    enum rc rc = column_names_add(c, STR("_table"));
    if (rc == RC_OK)
        rc = column_names_add_keys(c, p);
    for (size_t i = 0; rc == RC_OK && i < p->n_tables; i++)
        rc = add_table(c, p, schema, i);
    return rc == RC_OK ? drop_repeated(c) : rc;
}

enum rc record_column_names(struct column_names *c, const struct profile *p,
                            const struct schema *schema, enum record_layout layout, size_t table)
{
    static const char *const raw[] = {"provider", "lead_id", "payload"};
    enum rc rc = RC_OK;
    switch (layout) {
    case LAYOUT_LEAD:
        return add_lead(c, p, schema);
    case LAYOUT_ROWS:
        return add_rows(c, p, schema);
    case LAYOUT_TABLE:
        rc = column_names_add_keys(c, p);
        return rc == RC_OK ? add_table(c, p, schema, table) : rc;
    case LAYOUT_RAW:
        break;
    }
    for (size_t i = 0; rc == RC_OK && i < sizeof raw / sizeof *raw; i++)
        rc = column_names_add(c, str_c(raw[i]));
    return rc;
}
