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
    enum pg_key key = PG_KEY_NONE;
    enum rc rc = find_keys(p, r, t, l->cfg.spec, keys, &n, e);
    if (rc != RC_OK || !t->exists || !r->has_key)
        return rc;
    rc = pg_table_find_key(l, p, r->name, keys, n, &key, e);
    if (rc != RC_OK || key == PG_KEY_EXACT)
        return rc;
    struct buf names;
    buf_init(&names, NAMES_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_adds(&names, i ? ", " : "");
        buf_add_str(&names, keys[i]);
    }
    rc = err_set(e, RC_USAGE,
                 "%s: the table " STR_FMT "." STR_FMT " exists, but has no unique key on "
                 "(%s)%s%s; add one, or choose another schema= or prefix=",
                 l->cfg.spec, STR_ARG(p->schema), STR_ARG(r->name), buf_cstr(&names),
                 key == PG_KEY_LOOSE
                     ? " with a deterministic collation (with others, different IDs may count "
                       "as one lead)"
                     : "",
                 p->mode == SQL_MODE_APPEND ? ", which mode=append needs" : "");
    buf_free(&names);
    return rc;
}

/* ---- what would only fail at the end ------------------------------------------------------------ */

/* How many columns the merge would have to add, and the first of them. */
static enum rc count_missing(const struct pg_place *p, const struct sql_relation *r,
                             struct pg_table *t, size_t *n, struct str *first, struct err *e)
{
    const char *ends[4] = {SQL_SOURCE_RUN SQL_COLUMN_EXPORTED_AT, SQL_SOURCE_RUN SQL_COLUMN_RUN_ID};
    size_t n_ends = 2;
    if (!p->all_text)
        ends[n_ends++] = SQL_SOURCE_RUN SQL_COLUMN_MISFITS;
    if (p->deletes == SQL_DELETES_MARK && r == p->relations.items)
        ends[n_ends++] = SQL_SOURCE_RUN SQL_COLUMN_DELETED_AT;
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < r->n_columns + n_ends; i++) {
        const struct sql_mapped *mapped;
        const char *end = i < r->n_columns ? "" : ends[i - r->n_columns];
        struct str source = i < r->n_columns ? r->columns[i].source : str_c(end);
        struct str wanted =
            i < r->n_columns ? r->columns[i].wanted : str_c(end + strlen(SQL_SOURCE_RUN));
        rc = sql_column_map_find(&t->map, wanted, source, &mapped, e);
        if (rc != RC_OK || mapped->exists)
            continue;
        if ((*n)++ == 0)
            *first = mapped->column;
    }
    return rc;
}

static enum rc check_rights(const struct pg_place *p, const struct sql_relation *r,
                            struct pg_table *t, struct pg_link *l, struct err *e)
{
    struct pg_rights rights;
    struct str first = STR_NONE;
    size_t n = 0;
    enum rc rc = pg_table_rights(t, l, p, r->name, &rights, e);
    if (rc == RC_OK)
        rc = count_missing(p, r, t, &n, &first, e);
    if (rc != RC_OK)
        return rc;
    if (rights.is_filtered)
        return err_set(
            e, RC_IO,
            "%s: row level security would hide rows of the table " STR_FMT "." STR_FMT
            " from the role " STR_FMT
            ", so that they could be neither updated nor deleted; use a role that it does not apply to, "
            "such as one with bypassrls",
            l->cfg.spec, STR_ARG(p->schema), STR_ARG(r->name), STR_ARG(rights.role));
    bool is_first = r == p->relations.items; /* of the lead itself, which always has one row */
    bool updates = rights.updates || p->mode == SQL_MODE_APPEND;
    bool deletes = rights.deletes || p->mode == SQL_MODE_APPEND ||
                   (is_first && p->mode == SQL_MODE_UPSERT && p->deletes != SQL_DELETES_DELETE);
    if (!rights.reads || !rights.inserts || !updates || !deletes)
        return err_set(e, RC_IO,
                       "%s: the role " STR_FMT " may not %s the table " STR_FMT "." STR_FMT
                       "; as its owner, " STR_FMT ": grant select, insert, update, delete on it",
                       l->cfg.spec, STR_ARG(rights.role),
                       !rights.reads     ? "read"
                       : !rights.inserts ? "insert into"
                       : !updates        ? "update"
                                         : "delete from",
                       STR_ARG(p->schema), STR_ARG(r->name), STR_ARG(rights.owner));
    if (n == 0 || rights.owns)
        return RC_OK;
    return err_set(e, RC_IO,
                   "%s: the table " STR_FMT "." STR_FMT " lacks %zu column%s (" STR_FMT
                   "%s), and only its owner can add columns; let " STR_FMT
                   " add them, as \"leadpipe tables " STR_FMT
                   " --ddl postgres\" prints them, or grant the role " STR_FMT " to " STR_FMT,
                   l->cfg.spec, STR_ARG(p->schema), STR_ARG(r->name), n, n == 1 ? "" : "s",
                   STR_ARG(first), n == 1 ? "" : ", ...", STR_ARG(rights.owner),
                   STR_ARG(p->provider), STR_ARG(rights.owner), STR_ARG(rights.role));
}

static bool has_source(const struct sql_column_map *map, struct str column)
{
    for (size_t i = 0; i < map->n; i++) {
        if (str_eq(map->items[i].column, column))
            return map->items[i].source.ptr && map->items[i].source.len > 0;
    }
    return false;
}

/* Once all sources have been looked for that are known. A member of the payload may yet have the column's name:
 * so the run is not refused. */
static void warn_of_not_null(const struct sql_relation *r, const struct pg_table *t,
                             struct pg_link *l)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        const struct pg_column *c = &t->columns[i];
        if (c->must_be_given && !has_source(&t->map, c->name))
            log_msg(l->cfg.log, LOG_LEVEL_WARN, l->cfg.spec,
                    "the column " STR_FMT "." STR_FMT
                    " is not null and has no default: rows without a value for it are refused when "
                    "the run comes to its end; give it a default, or drop its not null",
                    STR_ARG(r->name), STR_ARG(c->name));
    }
}

enum rc pg_check_end(const struct pg_place *p, const struct sql_relation *r, struct pg_table *t,
                     struct pg_link *l, struct err *e)
{
    enum rc rc = t->exists ? check_rights(p, r, t, l, e) : RC_OK;
    if (rc == RC_OK && t->exists)
        warn_of_not_null(r, t, l);
    return rc;
}
