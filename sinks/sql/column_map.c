#include "sinks/sql/column_map.h"

#include "core/base/grow.h"

#define MEMORY_MAX ((size_t)256 << 20)
#define NAME_BYTES_MAX ((size_t)1 << 16)

void sql_column_map_init(struct sql_column_map *m, const struct sql_dialect *d)
{
    *m = (struct sql_column_map){.dialect = d};
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

/* The first of name, name_2, name_3 that is nobody's: there already, or not at all. */
static enum rc find_free(struct sql_column_map *m, struct str wanted, struct buf *name,
                         struct err *e)
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
        const struct sql_mapped *known = rc == RC_OK ? named(m, buf_str(name)) : NULL;
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
    enum rc rc = find_free(m, wanted, &name, e);
    struct sql_mapped *known = rc == RC_OK ? named(m, buf_str(&name)) : NULL;
    const struct sql_mapped mapped = {.column = buf_str(&name), .source = source, .is_new = true};
    if (known) {
        known->is_new = true;
        rc = copy(m, source, &known->source, e);
        *out = known;
    } else if (rc == RC_OK) {
        rc = add(m, &mapped, e);
        *out = &m->items[m->n - 1];
    }
    buf_free(&name);
    return rc;
}
