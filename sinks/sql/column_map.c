#include "sinks/sql/column_map.h"

#include <string.h>

#include "core/base/grow.h"
#include "sinks/sql/relation.h"

#define MEMORY_MAX ((size_t)256 << 20)
#define NAME_BYTES_MAX ((size_t)1 << 16)

void sql_column_map_init(struct sql_column_map *m, const struct sql_dialect *d,
                         sql_column_has_values *has_values, void *ctx)
{
    *m = (struct sql_column_map){.dialect = d, .has_values = has_values, .ctx = ctx};
    arena_init(&m->memory, MEMORY_MAX);
}

void sql_column_map_free(struct sql_column_map *m)
{
    free(m->items);
    arena_free(&m->memory);
    *m = (struct sql_column_map){0};
}

static struct sql_mapped *named(const struct sql_column_map *m, struct str column)
{
    for (size_t i = 0; i < m->n; i++) {
        if (str_eq(m->items[i].column, column))
            return &m->items[i];
    }
    return NULL;
}

static enum rc copy(struct sql_column_map *m, struct str text, struct str *out, struct err *e)
{
    *out = text;
    if (text.ptr)
        out->ptr = arena_strdup(&m->memory, text);
    return out->ptr || !text.ptr ? RC_OK : err_nomem(e);
}

static enum rc add(struct sql_column_map *m, const struct sql_mapped *mapped, struct err *e)
{
    struct sql_mapped *items = list_grow(m->items, m->n, &m->cap, sizeof *items);
    if (!items)
        return err_nomem(e);
    m->items = items;
    struct sql_mapped *item = &items[m->n];
    *item = *mapped;
    enum rc rc = copy(m, mapped->column, &item->column, e);
    if (rc == RC_OK)
        rc = copy(m, mapped->source, &item->source, e);
    m->n += rc == RC_OK;
    return rc;
}

enum rc sql_column_map_remember(struct sql_column_map *m, struct str column, struct str source,
                                struct err *e)
{
    const struct sql_mapped mapped = {.column = column, .source = source.ptr ? source : STR("")};
    m->is_remembered = true;
    return add(m, &mapped, e);
}

enum rc sql_column_map_exists(struct sql_column_map *m, struct str column, bool is_fixed,
                              struct err *e)
{
    struct sql_mapped *known = named(m, column);
    const struct sql_mapped mapped = {.column = column, .exists = true, .is_fixed = is_fixed};
    if (!known)
        return add(m, &mapped, e);
    known->exists = true;
    known->is_fixed = is_fixed;
    if (is_fixed) /* since it was remembered: its source gets another one */
        known->source = STR_NONE;
    return RC_OK;
}

void sql_column_map_adopt(struct sql_column_map *m)
{
    for (size_t i = 0; !m->is_remembered && i < m->n; i++) {
        if (m->items[i].is_fixed)
            continue;
        m->items[i].source = STR("");
        m->items[i].is_new = true;
    }
}

static bool is_system(const struct sql_dialect *d, struct str name)
{
    for (size_t i = 0; d->system_columns[i]; i++) {
        if (str_eq_c(name, d->system_columns[i]))
            return true;
    }
    return false;
}

static bool is_of_run(struct str source)
{
    size_t n = strlen(SQL_SOURCE_RUN);
    return source.len > n && memcmp(source.ptr, SQL_SOURCE_RUN, n) == 0;
}

/* It was there at first, and nobody has wanted it so far: is it the user's own by now? */
static enum rc claim_for_user(const struct sql_column_map *m, struct sql_mapped *known,
                              struct str source, struct err *e)
{
    bool has_values = false;
    if (!known->exists || known->is_new || !known->source.ptr || known->source.len > 0 ||
        is_of_run(source))
        return RC_OK;
    enum rc rc = m->has_values(m->ctx, known->column, &has_values, e);
    if (rc == RC_OK && has_values)
        known->source = STR_NONE;
    return rc;
}

/* The first of name, name_2, name_3 that is nobody's: there already, or not at all. */
static enum rc find_free(struct sql_column_map *m, struct str wanted, struct str source,
                         struct buf *name, struct str *instead_of, struct err *e)
{
    struct buf numbered;
    buf_init(&numbered, NAME_BYTES_MAX);
    enum rc rc = RC_OK;
    for (unsigned n = 1; rc == RC_OK; n++) {
        buf_clear(name);
        buf_clear(&numbered);
        buf_add_str(&numbered, wanted);
        if (n > 1)
            buf_addf(&numbered, "_%u", n);
        rc = buf_rc(&numbered) == RC_OK ? sql_name(name, m->dialect, buf_str(&numbered), e)
                                        : err_nomem(e);
        struct sql_mapped *known = rc == RC_OK ? named(m, buf_str(name)) : NULL;
        if (known)
            rc = claim_for_user(m, known, source, e);
        if (known && n == 1 && !known->source.ptr)
            *instead_of = known->column;
        bool is_taken = known && (!known->source.ptr || known->source.len > 0);
        if (rc == RC_OK && !is_taken && !is_system(m->dialect, buf_str(name)))
            break;
    }
    buf_free(&numbered);
    return rc;
}

static struct sql_mapped *of_source(const struct sql_column_map *m, struct str source)
{
    for (size_t i = 0; i < m->n; i++) {
        if (m->items[i].source.ptr && str_eq(m->items[i].source, source))
            return &m->items[i];
    }
    return NULL;
}

const struct sql_mapped *sql_column_map_present(const struct sql_column_map *m, struct str wanted,
                                                struct str source)
{
    const struct sql_mapped *found = of_source(m, source);
    if (!found)
        found = named(m, wanted);
    bool is_free =
        found && found->source.ptr && (found->source.len == 0 || str_eq(found->source, source));
    return is_free && found->exists ? found : NULL;
}

enum rc sql_column_map_find(struct sql_column_map *m, struct str wanted, struct str source,
                            const struct sql_mapped **out, struct err *e)
{
    *out = of_source(m, source);
    if (*out)
        return RC_OK;
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    struct str instead_of = STR_NONE;
    enum rc rc = find_free(m, wanted, source, &name, &instead_of, e);
    struct sql_mapped *known = rc == RC_OK ? named(m, buf_str(&name)) : NULL;
    const struct sql_mapped mapped = {
        .column = buf_str(&name), .source = source, .is_new = true, .instead_of = instead_of};
    if (known) {
        known->is_new = true;
        known->instead_of = instead_of;
        rc = copy(m, source, &known->source, e);
        *out = known;
    } else if (rc == RC_OK) {
        rc = add(m, &mapped, e);
        if (rc == RC_OK)
            *out = &m->items[m->n - 1];
    }
    buf_free(&name);
    return rc;
}

void sql_warn_of_user_column(const struct sql_mapped *mapped, struct str table,
                             const struct log_hook *log, const char *subject)
{
    if (mapped->is_new && mapped->instead_of.ptr)
        log_msg(
            log, LOG_LEVEL_WARN, subject,
            "table " STR_FMT ": the column " STR_FMT
            " is yours and is left as it is; what is new in the payloads under this name is written "
            "to " STR_FMT " (to change that, see \"Your tables\" in warehouses.md)",
            STR_ARG(table), STR_ARG(mapped->instead_of), STR_ARG(mapped->column));
}
