#include "sinks/postgres/user_table.h"

#include "sinks/postgres/fit.h"

#define NAMES_BYTES_MAX ((size_t)1 << 20)

enum rc pg_staged_type(const struct pg_place *p, const struct sql_relation *r, size_t column,
                       const struct pg_column *has, const char *spec, enum column_type *out,
                       struct err *e)
{
    const struct sql_column *c = &r->columns[column];
    *out = c->type;
    if (!has)
        return RC_OK;
    bool is_text = pg_column_is_text(has);
    if (p->all_text && !is_text)
        return err_set(e, RC_USAGE,
                       "%s: types=text needs columns of type text, but " STR_FMT "." STR_FMT
                       " is of type " STR_FMT,
                       spec, STR_ARG(r->name), STR_ARG(has->name), STR_ARG(has->type));
    if (c->is_key) {
        bool fits = c->type == TYPE_INTEGER ? has->category == 'N' : has->category == 'S';
        if (fits && !has->is_domain)
            return RC_OK;
        return err_set(e, RC_USAGE,
                       "%s: " STR_FMT "." STR_FMT " is part of the key and of type " STR_FMT
                       "; it must be of type %s",
                       spec, STR_ARG(r->name), STR_ARG(has->name), STR_ARG(has->type),
                       pg_type(p, c->type));
    }
    if (is_text)
        *out = TYPE_TEXT;
    else if (!pg_column_is(has, c->type))
        *out = TYPE_JSON;
    return RC_OK;
}

/* INDEX_MAX_KEYS of a server as it is built everywhere. */
#define KEY_COLUMNS_MAX 32

static enum rc find_keys(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                         const char *spec, struct str keys[KEY_COLUMNS_MAX], size_t *out,
                         struct err *e)
{
    size_t n = 0;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_columns; i++) {
        const struct sql_mapped *mapped;
        if (!r->columns[i].is_key)
            continue;
        rc = sql_column_map_find(&t->map, r->columns[i].wanted, r->columns[i].source, &mapped, e);
        if (rc == RC_OK && n < KEY_COLUMNS_MAX)
            keys[n] = mapped->column;
        n++;
    }
    if (rc != RC_OK || !r->has_key)
        return rc;
    if (p->mode == SQL_MODE_APPEND && n < KEY_COLUMNS_MAX)
        keys[n] = STR(SQL_COLUMN_RUN_ID);
    n += p->mode == SQL_MODE_APPEND;
    *out = n;
    if (n <= KEY_COLUMNS_MAX)
        return RC_OK;
    return err_set(e, RC_USAGE,
                   "%s: the key of the table " STR_FMT
                   " would have %zu columns, but PostgreSQL allows %d; use a profile with fewer "
                   "parameters",
                   spec, STR_ARG(r->name), n, KEY_COLUMNS_MAX);
}

enum rc pg_check_table(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                       struct pg_link *l, struct err *e)
{
    struct str keys[KEY_COLUMNS_MAX];
    size_t n = 0;
    bool has_key = false;
    enum rc rc = find_keys(p, r, t, l->cfg.spec, keys, &n, e);
    if (rc != RC_OK || !t->exists || !r->has_key)
        return rc;
    rc = pg_table_has_key(l, p, r->name, keys, n, &has_key, e);
    if (rc != RC_OK || has_key)
        return rc;
    struct buf names;
    buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_adds(&names, i ? ", " : "");
        buf_add_str(&names, keys[i]);
    }
    rc = err_set(e, RC_USAGE,
                 "%s: the table " STR_FMT "." STR_FMT " exists, but has no unique key on "
                 "(%s)%s; add one, or choose another schema= or prefix=",
                 l->cfg.spec, STR_ARG(p->schema), STR_ARG(r->name), buf_cstr(&names),
                 p->mode == SQL_MODE_APPEND ? ", which mode=append needs" : "");
    buf_free(&names);
    return rc;
}
