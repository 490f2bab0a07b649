#include "core/flatten/schema.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/grow.h"
#include "core/base/hash_index.h"
#include "core/provider/name.h"
#include "core/provider/table_column.h"

/* Longer names are cut, and the clash rule keeps them apart. */
#define NAME_BYTES_MAX 512
#define RAW_BYTES_MAX 4096

/* A payload's keys are the payload's to choose, and are kept for the whole run. An origin beyond this
 * gets no column. */
#define MEMORY_BYTES_MAX ((size_t)32 << 20)

struct taken_name {
    struct str name;
    uint64_t hash;
    uint32_t next_n; /* no "_n" below this is free, for n from 2 */
};

/* A column with its texts behind it. */
struct made {
    struct column column;
    size_t bytes;
    uint32_t base; /* name that it wanted, if that was another's, else its own */
    uint32_t n;    /* of the "_n" that it got instead; 0: none */
    char texts[];
};

struct schema_table {
    const struct table_spec *spec;
    struct made **columns;
    uint32_t n_columns;
    size_t columns_cap;
    uint32_t n_before;          /* without those of the lead at hand */
    const struct column *other; /* "other_members", if it is one of them */
    struct hash_index by_origin;
    struct taken_name *names;
    uint32_t n_names;
    size_t names_cap;
    struct hash_index by_name;
};

struct schema {
    const struct profile *profile;
    size_t max_columns;
    struct schema_table *tables;
    struct buf raw, name; /* reused */
    size_t bytes;         /* of all columns */
};

/* ---- names ---------------------------------------------------------------------------------- */

static uint64_t name_hash(const struct schema *s, struct str name)
{
    return str_hash(name, s->profile->hash_seed);
}

static bool find_name(const struct schema *s, const struct schema_table *t, struct str name,
                      uint32_t *out)
{
    uint64_t hash = name_hash(s, name);
    uint32_t item;
    for (size_t cursor = 0; hash_index_next(&t->by_name, hash, &cursor, &item);) {
        if (str_eq(t->names[item].name, name)) {
            *out = item;
            return true;
        }
    }
    return false;
}

/* `name` must live as long as the schema. */
static enum rc add_name(const struct schema *s, struct schema_table *t, struct str name)
{
    struct taken_name *names = list_grow(t->names, t->n_names, &t->names_cap, sizeof *names);
    if (!names)
        return RC_NOMEM;
    t->names = names;
    uint64_t hash = name_hash(s, name);
    if (hash_index_add(&t->by_name, hash, t->n_names) != RC_OK)
        return RC_NOMEM;
    names[t->n_names++] = (struct taken_name){name, hash, 2};
    return RC_OK;
}

static void remove_last_name(struct schema_table *t)
{
    uint32_t last = --t->n_names;
    hash_index_remove(&t->by_name, t->names[last].hash, last);
}

/* The beginning of `text` in at most `max` bytes, whole characters only. */
static struct str cut(struct str text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
        max--;
    return (struct str){text.ptr, max};
}

/* The column for what finds no column has an origin of its own, behind all others. */
static uint32_t other_scope(const struct schema_table *t)
{
    return (uint32_t)(t->spec->n_objects + t->spec->n_pivots);
}

static bool is_other(const struct schema_table *t, const struct column_origin *origin)
{
    return origin->scope == other_scope(t);
}

/* What an origin would be called if it were alone, into s->name. */
static enum rc make_base_name(struct schema *s, const struct schema_table *t,
                              const struct column_origin *origin)
{
    const struct table_spec *spec = t->spec;
    bool is_object = origin->scope < spec->n_objects;
    if (is_other(t, origin)) {
        buf_clear(&s->name);
        buf_adds(&s->name, SCHEMA_OTHER_MEMBERS);
        return buf_rc(&s->name);
    }
    struct str prefix = is_object ? spec->objects[origin->scope].prefix
                                  : spec->pivots[origin->scope - spec->n_objects].prefix;
    buf_clear(&s->raw);
    buf_clear(&s->name);
    buf_add_str(&s->raw, prefix);
    buf_add_str(&s->raw, cut(json_key_text(origin->key), RAW_BYTES_MAX));
    if (origin->occurrence > 1)
        buf_addf(&s->raw, "_%u", (unsigned)origin->occurrence);
    if (origin->member.ptr) {
        buf_addc(&s->raw, '_');
        buf_add_str(&s->raw, cut(json_key_text(origin->member), RAW_BYTES_MAX));
    }
    if (buf_rc(&s->raw) != RC_OK)
        return RC_NOMEM;
    name_snake(&s->name, buf_str(&s->raw));
    if (buf_rc(&s->name) != RC_OK)
        return RC_NOMEM;
    s->name.len = cut(buf_str(&s->name), NAME_BYTES_MAX).len;
    return RC_OK;
}

/* Changes s->name into a free name: itself, or with the lowest free "_n". *n is 0 or that. */
static enum rc find_free_name(struct schema *s, struct schema_table *t, uint32_t *base, uint32_t *n)
{
    uint32_t taken;
    *n = 0;
    *base = t->n_names;
    if (!find_name(s, t, buf_str(&s->name), base))
        return RC_OK;
    size_t base_len = s->name.len;
    for (*n = t->names[*base].next_n;; ++*n) {
        s->name.len = base_len;
        buf_addf(&s->name, "_%u", (unsigned)*n);
        if (buf_rc(&s->name) != RC_OK)
            return RC_NOMEM;
        if (!find_name(s, t, buf_str(&s->name), &taken))
            return RC_OK;
    }
}

/* ---- columns -------------------------------------------------------------------------------- */

static bool origin_equal(const struct column_origin *a, const struct column_origin *b)
{
    if (a->scope != b->scope || a->occurrence != b->occurrence || !str_eq(a->key, b->key))
        return false;
    if (!a->member.ptr || !b->member.ptr)
        return !a->member.ptr && !b->member.ptr;
    return str_eq(a->member, b->member);
}

static const struct column *find_column(const struct schema_table *t,
                                        const struct column_origin *origin)
{
    uint32_t item;
    for (size_t cursor = 0; hash_index_next(&t->by_origin, origin->hash, &cursor, &item);) {
        const struct column *column = &t->columns[item]->column;
        if (origin_equal(&column->origin, origin))
            return column;
    }
    return NULL;
}

/* Copies a text to `*to`, with a NUL behind it, and moves that on. */
static struct str put_text(char **to, struct str text)
{
    if (!text.ptr)
        return text;
    char *copy = *to;
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *to += text.len + 1;
    return (struct str){copy, text.len};
}

static struct made *made_new(const struct column_origin *origin, struct str name)
{
    size_t bytes = sizeof(struct made) + origin->key.len + origin->member.len + name.len + 3;
    struct made *made = malloc(bytes);
    if (!made)
        return NULL;
    char *to = made->texts;
    *made = (struct made){.column.origin = *origin, .bytes = bytes};
    made->column.name = put_text(&to, name);
    made->column.origin.key = put_text(&to, origin->key);
    made->column.origin.member = put_text(&to, origin->member);
    return made;
}

/* Puts it into the table's lists: into all or none. */
static enum rc enlist(const struct schema *s, struct schema_table *t, struct made *made)
{
    struct made **columns = list_grow(t->columns, t->n_columns, &t->columns_cap, sizeof *columns);
    if (!columns)
        return RC_NOMEM;
    t->columns = columns;
    if (add_name(s, t, made->column.name) != RC_OK)
        return RC_NOMEM;
    if (hash_index_add(&t->by_origin, made->column.origin.hash, t->n_columns) != RC_OK) {
        remove_last_name(t);
        return RC_NOMEM;
    }
    made->column.index = t->n_columns;
    columns[t->n_columns++] = made;
    return RC_OK;
}

/* The last column is for what finds none. */
static bool has_room(const struct schema *s, const struct schema_table *t,
                     const struct column_origin *origin)
{
    size_t bytes = sizeof(struct made) + origin->key.len + origin->member.len + NAME_BYTES_MAX;
    size_t n = table_columns(s->profile, t->spec) + t->n_columns - (t->other != NULL);
    if (is_other(t, origin))
        return true;
    return n + 1 < s->max_columns && bytes <= MEMORY_BYTES_MAX &&
           s->bytes <= MEMORY_BYTES_MAX - bytes;
}

static enum rc make_column(struct schema *s, struct schema_table *t,
                           const struct column_origin *origin, const struct column **out)
{
    if (!has_room(s, t, origin))
        return RC_LIMIT;
    uint32_t base, n;
    enum rc rc = make_base_name(s, t, origin);
    if (rc == RC_OK)
        rc = find_free_name(s, t, &base, &n);
    if (rc != RC_OK)
        return rc;
    struct made *made = made_new(origin, buf_str(&s->name));
    if (!made)
        return RC_NOMEM;
    made->base = base;
    made->n = n;
    rc = enlist(s, t, made);
    if (rc != RC_OK) {
        free(made);
        return rc;
    }
    if (n)
        t->names[base].next_n = n + 1;
    s->bytes += made->bytes;
    if (is_other(t, origin))
        t->other = &made->column;
    *out = &made->column;
    return RC_OK;
}

/* The last column was never there. */
static void unmake_last(struct schema *s, struct schema_table *t)
{
    struct made *made = t->columns[--t->n_columns];
    hash_index_remove(&t->by_origin, made->column.origin.hash, t->n_columns);
    remove_last_name(t);
    if (made->n && made->n < t->names[made->base].next_n)
        t->names[made->base].next_n = made->n;
    s->bytes -= made->bytes;
    if (t->other == &made->column)
        t->other = NULL;
    free(made);
}

static void free_table(struct schema_table *t)
{
    for (uint32_t i = 0; i < t->n_columns; i++)
        free(t->columns[i]);
    free(t->columns);
    free(t->names);
    hash_index_free(&t->by_origin);
    hash_index_free(&t->by_name);
}

/* ---- values without a column ---------------------------------------------------------------- */

/* Of a pivot whose elements have rows of their own. */
static bool is_in_rows(const struct schema *s, const struct schema_table *t,
                       const struct column_origin *origin)
{
    const struct table_spec *spec = t->spec;
    if (origin->scope < spec->n_objects || is_other(t, origin))
        return false;
    const struct path *each = &spec->pivots[origin->scope - spec->n_objects].each;
    for (size_t i = 0; i < s->profile->n_tables; i++) {
        if (path_equal(&s->profile->tables[i].each, each))
            return true;
    }
    return false;
}

/* A cell as a value again. */
static cJSON *node_of(struct arena *a, const struct cell *cell)
{
    static const int types[] = {
        [CELL_NULL] = cJSON_NULL,     [CELL_FALSE] = cJSON_False, [CELL_TRUE] = cJSON_True,
        [CELL_NUMBER] = cJSON_Number, [CELL_TEXT] = cJSON_String, [CELL_JSON] = cJSON_Object};
    cJSON *node = arena_alloc(a, sizeof *node);
    if (!node)
        return NULL;
    *node = (cJSON){.type = types[cell->kind]};
    if (cell->kind == CELL_JSON) {
        node->type = cell->u.json->type;
        node->child = cell->u.json->child;
    }
    if (cell->kind != CELL_NUMBER && cell->kind != CELL_TEXT)
        return node;
    struct str text = {arena_strdup(a, (struct str){cell->u.text, cell->len}), cell->len};
    json_set_text(node, text);
    return text.ptr ? node : NULL;
}

/* Into s->name: what the column would be called if there were no others; of those in one object that
 * would be called the same, each has the lowest free "_n". */
static enum rc name_other(struct schema *s, struct schema_table *names,
                          const struct column_origin *origin, const struct schema_table *t,
                          struct arena *a, const char **out)
{
    uint32_t base, n;
    enum rc rc = make_base_name(s, t, origin);
    if (rc == RC_OK)
        rc = find_free_name(s, names, &base, &n);
    if (rc != RC_OK)
        return rc;
    *out = arena_strdup(a, buf_str(&s->name));
    if (!*out)
        return a->refused;
    rc = add_name(s, names, (struct str){*out, s->name.len});
    if (rc == RC_OK && n)
        names->names[base].next_n = n + 1;
    return rc;
}

static enum rc add_other(struct schema *s, const struct schema_table *t, struct schema_table *names,
                         struct arena *a, const struct extra *extra, cJSON *object)
{
    const char *name;
    enum rc rc = name_other(s, names, &extra->origin, t, a, &name);
    if (rc != RC_OK)
        return rc;
    cJSON *node = node_of(a, &extra->cell);
    if (!node)
        return a->refused;
    if (!json_set_name(node, str_c(name))) /* the arena's, as all that is in the tree */
        return RC_LIMIT;
    node->prev = object->child ? object->child->prev : node;
    if (object->child)
        object->child->prev->next = node;
    else
        object->child = node;
    object->child->prev = node;
    return RC_OK;
}

/* The extras without a column leave the row; an object with those that are nowhere else comes in. */
static enum rc gather_others(struct schema *s, struct schema_table *t, struct lead *lead,
                             struct row *row)
{
    struct extra other = {.origin = {.scope = other_scope(t), .key = STR("")}};
    struct schema_table names = {0};
    cJSON *object = arena_zalloc(&lead->arena, sizeof *object);
    if (!object)
        return lead->arena.refused;
    enum rc rc = RC_OK;
    uint32_t kept = 0;
    for (uint32_t i = 0; rc == RC_OK && i < row->n_extras; i++) {
        if (row->extras[i].column) {
            row->extras[kept++] = row->extras[i];
        } else if (is_in_rows(s, t, &row->extras[i].origin)) {
            lead->codes_beyond++;
        } else {
            lead->members_beyond++;
            rc = add_other(s, t, &names, &lead->arena, &row->extras[i], object);
        }
    }
    free_table(&names);
    if (rc != RC_OK)
        return rc;
    row->n_extras = kept;
    if (!object->child)
        return RC_OK;
    object->type = cJSON_Object;
    other.origin.hash = column_origin_hash(&other.origin, s->profile->hash_seed);
    other.cell = (struct cell){.kind = CELL_JSON, .u.json = object};
    other.column = t->other;
    if (!other.column)
        rc = make_column(s, t, &other.origin, &other.column);
    row->extras[row->n_extras++] = other;
    return rc;
}

/* ---- leads ---------------------------------------------------------------------------------- */

static enum rc resolve_row(struct schema *s, struct schema_table *t, struct lead *lead,
                           struct row *row)
{
    bool all = true;
    for (uint32_t i = 0; i < row->n_extras; i++) {
        struct extra *extra = &row->extras[i];
        extra->column = find_column(t, &extra->origin);
        if (extra->column)
            continue;
        enum rc rc = make_column(s, t, &extra->origin, &extra->column);
        if (rc != RC_OK && rc != RC_LIMIT)
            return rc;
        all = all && rc == RC_OK;
    }
    return all ? RC_OK : gather_others(s, t, lead, row);
}

static void forget_columns(struct rows *rows)
{
    for (uint32_t i = 0; i < rows->n_rows; i++) {
        for (uint32_t j = 0; j < rows->rows[i].n_extras; j++)
            rows->rows[i].extras[j].column = NULL;
    }
}

static enum rc refuse(struct schema *s, struct lead *lead, size_t at, enum rc rc, struct err *e)
{
    for (size_t i = 0; i <= at; i++) {
        struct schema_table *t = &s->tables[i];
        while (t->n_columns > t->n_before)
            unmake_last(s, t);
        forget_columns(&lead->tables[i]);
    }
    lead->codes_beyond = lead->members_beyond = 0;
    if (rc == RC_NOMEM)
        return err_nomem(e);
    return err_set(e, rc, "its rows need more than %zu MiB of memory", lead->arena.max_bytes >> 20);
}

enum rc schema_resolve(struct schema *s, struct lead *lead, struct err *e)
{
    for (size_t i = 0; i < s->profile->n_tables; i++) {
        struct schema_table *t = &s->tables[i];
        const struct rows *rows = &lead->tables[i];
        enum rc rc = RC_OK;
        t->n_before = t->n_columns;
        for (uint32_t k = 0; rc == RC_OK && k < rows->n_rows; k++)
            rc = resolve_row(s, t, lead, &rows->rows[k]);
        if (rc != RC_OK)
            return refuse(s, lead, i, rc, e);
    }
    return RC_OK;
}

enum rc schema_add(struct schema *s, size_t table, const struct column_origin *origin,
                   const struct column **out, struct err *e)
{
    const struct profile *p = s->profile;
    if (table >= p->n_tables || origin->scope > other_scope(&s->tables[table]))
        return err_set(e, RC_SYNTAX, "a column belongs to no table");
    struct column_origin copy = *origin;
    copy.hash = column_origin_hash(origin, p->hash_seed);
    *out = find_column(&s->tables[table], &copy);
    enum rc rc = *out ? RC_OK : make_column(s, &s->tables[table], &copy, out);
    return rc == RC_OK ? RC_OK : err_set(e, rc, "%s", rc_text(rc));
}

enum rc schema_restore(struct schema *s, size_t table, const struct column_origin *origin,
                       struct err *e)
{
    const struct column *column = NULL;
    size_t n = table < s->profile->n_tables ? s->tables[table].n_columns : 0;
    enum rc rc = schema_add(s, table, origin, &column, e);
    if (rc == RC_OK && s->tables[table].n_columns == n)
        return err_set(e, RC_SYNTAX, "a column is there twice");
    return rc;
}

size_t schema_columns(const struct schema *s, size_t table)
{
    return s->tables[table].n_columns;
}

const struct column *schema_column(const struct schema *s, size_t table, size_t index)
{
    return &s->tables[table].columns[index]->column;
}

/* ---- making and freeing --------------------------------------------------------------------- */

/* The names that are not for undocumented columns. */
static enum rc take_names(const struct schema *s, size_t table)
{
    struct schema_table *t = &s->tables[table];
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < table_columns(s->profile, t->spec); i++)
        rc = add_name(s, t, table_column(s->profile, t->spec, i).name);
    for (size_t i = 1; rc == RC_OK && table == 0 && i < s->profile->n_tables; i++)
        rc = add_name(s, t, s->profile->tables[i].name);
    return rc;
}

enum rc schema_new(struct schema **out, const struct profile *p, size_t max_columns)
{
    struct schema *s = calloc(1, sizeof *s);
    if (!s)
        return RC_NOMEM;
    s->profile = p;
    s->max_columns = max_columns;
    buf_init(&s->raw, 4 * RAW_BYTES_MAX);
    buf_init(&s->name, 16 * RAW_BYTES_MAX);
    s->tables = calloc(p->n_tables, sizeof *s->tables);
    enum rc rc = s->tables ? RC_OK : RC_NOMEM;
    for (size_t i = 0; rc == RC_OK && i < p->n_tables; i++) {
        s->tables[i].spec = &p->tables[i];
        rc = take_names(s, i);
    }
    if (rc != RC_OK) {
        schema_free(s);
        return rc;
    }
    *out = s;
    return RC_OK;
}

void schema_free(struct schema *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->tables && i < s->profile->n_tables; i++)
        free_table(&s->tables[i]);
    free(s->tables);
    buf_free(&s->raw);
    buf_free(&s->name);
    free(s);
}
