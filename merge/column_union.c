#include "merge/column_union.h"

#include <stdlib.h>

#include "core/base/grow.h"

/* ---- reading --------------------------------------------------------------------------------- */

static enum rc add_to_shard(struct shard_columns *c, uint32_t index, struct str name)
{
    uint32_t *list = list_grow(c->index, c->n, &c->cap, sizeof *list);
    if (!list)
        return RC_NOMEM;
    c->index = list;
    struct str *names = list_grow(c->names, c->n, &c->names_cap, sizeof *names);
    if (!names)
        return RC_NOMEM;
    c->names = names;
    char *copy = malloc(name.len + 1);
    if (!copy)
        return RC_NOMEM;
    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    c->index[c->n] = index;
    c->names[c->n++] = (struct str){copy, name.len};
    return RC_OK;
}

static enum rc add_first(struct table_firsts *t, struct merge_first first)
{
    struct merge_first *items = list_grow(t->items, t->n, &t->cap, sizeof *items);
    if (!items)
        return RC_NOMEM;
    t->items = items;
    t->items[t->n++] = first;
    return RC_OK;
}

static enum rc refuse_many(const struct column_union *u, size_t table, struct err *e)
{
    return err_set(
        e, RC_USAGE,
        "the shards together have more columns in %.*s than --max-columns allows (%llu), "
        "so one run would have other rows; run the shards again with a larger --max-columns",
        STR_ARG(u->set->profile->tables[table].name),
        (unsigned long long)u->set->header.max_columns);
}

/* Adds a column that appears in the shard with this lead first. */
static enum rc add_column(struct column_union *u, const struct lead_order *o, size_t shard,
                          const struct rows_column *c, struct err *e)
{
    const struct column *column = NULL;
    struct err why;
    enum rc rc = c->table < u->n_tables
                     ? schema_add(u->schema, (size_t)c->table, &c->origin, &column, &why)
                     : RC_SYNTAX;
    if (rc == RC_LIMIT)
        return refuse_many(u, (size_t)c->table, e);
    if (rc == RC_SYNTAX)
        return shard_file_damaged(o->rows[shard].file, e);
    if (rc != RC_OK)
        return err_nomem(e);
    struct table_firsts *t = &u->tables[c->table];
    if (column->index == t->n)
        rc = add_first(t, (struct merge_first){o->rows[shard].place, c->row});
    if (rc == RC_OK)
        rc = add_to_shard(&u->shards[shard * u->n_tables + c->table], column->index, c->name);
    return rc == RC_OK ? RC_OK : err_nomem(e);
}

static enum rc read_all(struct column_union *u, struct err *e)
{
    struct lead_order o;
    size_t shard = 0;
    enum rc rc = lead_order_open(&o, u->set, true, e);
    if (rc == RC_OK) {
        while ((rc = lead_order_next(&o, &shard, e)) == RC_OK) {
            struct rows_lead *lead = &o.rows[shard].lead;
            while (rc == RC_OK && lead->rest.len > 0) {
                struct rows_column column;
                rc = rows_take_column(lead, &column) ? add_column(u, &o, shard, &column, e)
                                                     : shard_file_damaged(o.rows[shard].file, e);
            }
            if (rc != RC_OK)
                break;
        }
    }
    lead_order_close(&o);
    return rc == RC_END ? RC_OK : rc;
}

/* ---- what sinks need of it ------------------------------------------------------------------- */

static enum rc describe(struct column_union *u, size_t shard, size_t table, struct err *e)
{
    struct shard_columns *c = &u->shards[shard * u->n_tables + table];
    struct merge_columns *out = &u->columns[shard * u->n_tables + table];
    size_t all = schema_columns(u->schema, table);
    c->position = malloc((all + 1) * sizeof *c->position);
    if (!c->position)
        return err_nomem(e);
    for (size_t i = 0; i < all; i++)
        c->position[i] = MERGE_NO_COLUMN;
    *out = (struct merge_columns){.index = c->index,
                                  .position = c->position,
                                  .names = c->names,
                                  .n = (uint32_t)c->n,
                                  .is_same = true,
                                  .is_in_order = true};
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t index = c->index[i];
        if (c->position[index] != MERGE_NO_COLUMN) { /* twice */
            const struct shard_manifest *m = &u->set->shards[shard];
            return err_set(e, RC_SYNTAX, "%s: is not the file that %s describes", m->leads.path,
                           m->path);
        }
        c->position[index] = i;
        out->is_same &= index == i;
        out->is_in_order &= (i == 0 || c->index[i - 1] < index) &&
                            str_eq(c->names[i], schema_column(u->schema, table, index)->name);
    }
    return RC_OK;
}

enum rc column_union_make(struct column_union *u, const struct shard_set *set, struct err *e)
{
    *u = (struct column_union){.set = set, .n_tables = set->profile->n_tables};
    size_t n = set->n * u->n_tables;
    u->shards = calloc(n, sizeof *u->shards);
    u->columns = calloc(n, sizeof *u->columns);
    u->tables = calloc(u->n_tables, sizeof *u->tables);
    u->first = calloc(u->n_tables, sizeof *u->first);
    if (!u->shards || !u->columns || !u->tables || !u->first ||
        schema_new(&u->schema, set->profile, (size_t)set->header.max_columns) != RC_OK)
        return err_nomem(e);
    enum rc rc = read_all(u, e);
    for (size_t i = 0; rc == RC_OK && i < n; i++)
        rc = describe(u, i / u->n_tables, i % u->n_tables, e);
    for (size_t i = 0; i < u->n_tables; i++)
        u->first[i] = u->tables[i].items;
    return rc;
}

void column_union_free(struct column_union *u)
{
    size_t n = u->set ? u->set->n * u->n_tables : 0;
    for (size_t i = 0; u->shards && i < n; i++) {
        for (size_t k = 0; k < u->shards[i].n; k++)
            free((char *)(uintptr_t)u->shards[i].names[k].ptr);
        free(u->shards[i].names);
        free(u->shards[i].index);
        free(u->shards[i].position);
    }
    for (size_t i = 0; u->tables && i < u->n_tables; i++)
        free(u->tables[i].items);
    free(u->shards);
    free(u->columns);
    free(u->tables);
    free(u->first);
    schema_free(u->schema);
    *u = (struct column_union){0};
}
