#include "walk.h"

#include "hash_index.h"
#include "schema.h"

/* A value that a place has in the element that the walk is at. */
struct slot {
    struct cell cell; /* CELL_ABSENT also where no column shows the place */
    const cJSON *raw; /* NULL: absent */
    uint64_t weight;  /* of the cell, where rows of scopes below show it */
};

struct found {
    struct extra extra;
    const cJSON *raw;
    uint32_t repeats; /* slot: no column while that has an equal value; or PLAN_NONE */
};

struct found_list {
    struct found *items;
    uint32_t n, cap;
    uint64_t weight; /* of all cells, where rows of scopes below show them */
};

struct table_rows {
    struct row *rows;
    uint32_t n, cap;
    struct cell *next_cells; /* of the next row */
};

/* How often each key of a pivot was there in the row. */
struct pivot_key {
    struct str key;
    uint32_t n;
};

struct pivot_keys {
    struct hash_index index;
    struct pivot_key *items;
    uint32_t n, cap;
};

struct walk {
    const struct flatten_plan *plan;
    struct arena *arena;
    struct slot *slots;
    uint32_t *positions; /* by scope */
    uint32_t *counters;
    struct found_list *lists;
    struct table_rows *tables;
    struct pivot_keys *keys; /* by pivot */
    uint64_t repeated_bytes;
    struct err *err;
    enum rc rc; /* why a function below gave false */
};

/* ---- memory --------------------------------------------------------------------------------- */

static bool refuse(struct walk *w, enum rc rc)
{
    w->rc = rc;
    return false;
}

static bool refuse_memory(struct walk *w, size_t bytes)
{
    if (bytes <= w->arena->max_bytes - w->arena->held_bytes)
        return refuse(w, err_nomem(w->err));
    return refuse(w, err_set(w->err, RC_LIMIT, "its rows need more than %zu MiB of memory",
                             w->arena->max_bytes >> 20));
}

/* The array with room for `want`: `items` or a larger copy. What it was before stays unused in the
 * arena, which is never more than what is used. NULL: refused. */
static void *grown(struct walk *w, void *items, uint32_t n, uint32_t *cap, uint64_t want,
                   size_t size)
{
    if (want <= *cap)
        return items;
    uint64_t more = *cap ? (uint64_t)*cap * 2 : 8;
    if (more < want)
        more = want;
    void *copy = NULL;
    size_t bytes = SIZE_MAX;
    if (more < UINT32_MAX && more <= SIZE_MAX / size) {
        bytes = (size_t)more * size;
        copy = arena_alloc(w->arena, bytes);
    }
    if (!copy) {
        (void)refuse_memory(w, bytes);
        return NULL;
    }
    if (n)
        memcpy(copy, items, n * size);
    *cap = (uint32_t)more;
    return copy;
}

/* ---- members that are not documented -------------------------------------------------------- */

static uint64_t source_hash(const struct source *s, uint64_t seed)
{
    uint64_t hash = str_hash(s->key, seed ^ ((uint64_t)s->scope << 32 | s->occurrence));
    return s->member.ptr ? str_hash(s->member, hash + 1) : hash;
}

static bool too_many(struct walk *w, uint32_t table)
{
    struct str name = w->plan->profile->tables[table].name;
    return refuse(w, err_set(w->err, RC_LIMIT,
                             "a row of %.*s has more than %d members that are not documented",
                             STR_ARG(name), SCHEMA_COLUMNS_MAX));
}

/* Adds to a list. `found` comes with everything but the hash. */
static bool add_found(struct walk *w, uint32_t list_id, struct found found)
{
    struct found_list *list = &w->lists[list_id];
    const struct plan_list *spec = &w->plan->lists[list_id];
    if (list->n >= SCHEMA_COLUMNS_MAX)
        return too_many(w, spec->table);
    struct found *items = grown(w, list->items, list->n, &list->cap, list->n + 1, sizeof *items);
    if (!items)
        return false;
    found.extra.source.hash = source_hash(&found.extra.source, w->plan->profile->hash_seed);
    items[list->n++] = found;
    list->items = items;
    if (spec->scope != w->plan->tables[spec->table].scope)
        list->weight += cell_weight(&found.extra.cell) + sizeof found.extra;
    return true;
}

static bool make_cell(struct walk *w, const cJSON *value, bool is_expiring, bool is_url_element,
                      struct cell *out)
{
    const struct signed_url_rules *urls = &w->plan->urls;
    if (cell_make(urls, w->arena, value, is_expiring, is_url_element, out))
        return true;
    return refuse_memory(w, sizeof(cJSON));
}

/* A member of an object whose members become columns; `child` is its place, if it has one. */
static bool add_member(struct walk *w, const struct plan_node *node, const struct plan_node *child,
                       struct str key, const cJSON *value)
{
    if (child && (child->handled & value->type))
        return true;
    bool is_expiring = child ? child->is_expiring
                             : node->is_url_element && signed_urls_is_member(&w->plan->urls, key);
    struct found found = {
        .extra.source = {.scope = node->rule, .key = key},
        .raw = value,
        .repeats = child ? child->repeats : PLAN_NONE,
    };
    return make_cell(w, value, is_expiring, false, &found.extra.cell) &&
           add_found(w, node->list, found);
}

/* ---- a scope's members ---------------------------------------------------------------------- */

static bool visit(struct walk *w, const struct plan_node *node, const cJSON *value);

static bool visit_member(struct walk *w, const struct plan_node *node, uint32_t child_id,
                         struct str key, const cJSON *value)
{
    const struct plan_node *child = NULL;
    if (child_id != PLAN_NONE) {
        child = &w->plan->nodes[child_id];
        if (!visit(w, child, value))
            return false;
    }
    return node->list == PLAN_NONE || add_member(w, node, child, key, value);
}

/* Providers send members in the order in which they document them: so the next one is guessed, and
 * looked up only where it is another. */
static bool visit_members(struct walk *w, const struct plan_node *node, const cJSON *object)
{
    const struct plan_node *nodes = w->plan->nodes;
    uint32_t guess = node->first_member;
    for (const cJSON *member = object->child; member; member = member->next) {
        uint32_t child = guess;
        struct str key;
        if (guess != PLAN_NONE && strcmp(nodes[guess].name.ptr, member->string) == 0) {
            key = nodes[guess].name;
        } else {
            key = str_c(member->string);
            child = plan_member(w->plan, (uint32_t)(node - nodes), key);
        }
        if (child != PLAN_NONE)
            guess = nodes[child].next_member;
        if (!visit_member(w, node, child, key, member))
            return false;
    }
    return true;
}

/* Nested as deeply as the profile's paths. */
static bool visit(struct walk *w, const struct plan_node *node, const cJSON *value)
{
    struct slot *slot = &w->slots[node->slot];
    slot->raw = value;
    for (uint32_t c = node->counter; c != PLAN_NONE; c = w->plan->counters[c])
        w->counters[c]++;
    if (node->is_column &&
        !make_cell(w, value, node->is_expiring, node->is_url_element, &slot->cell))
        return false;
    if (node->is_inherited)
        slot->weight = cell_weight(&slot->cell);
    return !node->is_entered || !cJSON_IsObject(value) || visit_members(w, node, value);
}

/* An element of a table that is no object is taken for one with the only member "value". */
static bool visit_lone(struct walk *w, const struct plan_scope *scope, const cJSON *value)
{
    const struct plan_node *node = &w->plan->nodes[scope->node];
    bool has_place = w->plan->tables[scope->table].shows_element ||
                     (node->star != PLAN_NONE && cJSON_IsArray(value));
    if (has_place)
        return true;
    uint32_t child = plan_member(w->plan, scope->node, STR("value"));
    return visit_member(w, node, child, STR("value"), value);
}

/* ---- pivots --------------------------------------------------------------------------------- */

/* How often the key was there so far, this time included; 0: refused. */
static uint32_t count_key(struct walk *w, uint32_t pivot, struct str key)
{
    struct pivot_keys *keys = &w->keys[pivot];
    uint64_t hash = str_hash(key, w->plan->profile->hash_seed);
    uint32_t place;
    for (size_t cursor = 0; hash_index_next(&keys->index, hash, &cursor, &place);) {
        if (str_eq(keys->items[place].key, key))
            return ++keys->items[place].n;
    }
    if (keys->n >= SCHEMA_COLUMNS_MAX) {
        (void)too_many(w, w->plan->pivots[pivot].table);
        return 0;
    }
    void *items = grown(w, keys->items, keys->n, &keys->cap, keys->n + 1, sizeof *keys->items);
    if (!items)
        return 0;
    keys->items = items;
    if (hash_index_add(&keys->index, hash, keys->n)) {
        (void)refuse(w, err_nomem(w->err));
        return 0;
    }
    keys->items[keys->n++] = (struct pivot_key){key, 1};
    return 1;
}

static bool is_object_of_scalars(const cJSON *v)
{
    if (!cJSON_IsObject(v) || !v->child)
        return false;
    for (const cJSON *member = v->child; member; member = member->next) {
        if (!value_is_scalar(member))
            return false;
    }
    return true;
}

static bool add_pivot_members(struct walk *w, const struct plan_pivot *pivot, struct found found,
                              const cJSON *object)
{
    const struct plan_node *node = &w->plan->nodes[pivot->value];
    for (const cJSON *member = object->child; member; member = member->next) {
        struct str name = str_c(member->string);
        found.extra.source.member = name;
        bool is_expiring = node->is_url_element && signed_urls_is_member(&w->plan->urls, name);
        if (!make_cell(w, member, is_expiring, false, &found.extra.cell) ||
            !add_found(w, pivot->list, found))
            return false;
    }
    return true;
}

static bool add_pivot(struct walk *w, uint32_t pivot_id)
{
    const struct plan_pivot *pivot = &w->plan->pivots[pivot_id];
    const cJSON *key = w->slots[pivot->key].raw;
    if (!key || !cJSON_IsString(key) || !key->valuestring[0])
        return true;
    struct found found = {
        .extra.source = {.scope = pivot->rule, .key = str_c(key->valuestring)},
        .repeats = PLAN_NONE,
    };
    found.extra.source.occurrence = count_key(w, pivot_id, found.extra.source.key);
    if (!found.extra.source.occurrence)
        return false;
    const struct slot *value = &w->slots[w->plan->nodes[pivot->value].slot];
    if (!value->raw)
        return true;
    if (is_object_of_scalars(value->raw))
        return add_pivot_members(w, pivot, found, value->raw);
    found.extra.cell = value->cell;
    return add_found(w, pivot->list, found);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Values of scopes above are shown again in each of the new rows. */
static bool count_repeated(struct walk *w, const struct plan_table *table, uint32_t n_rows)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < table->inherited.n; i++)
        bytes += w->slots[table->inherited.ids[i]].weight;
    for (uint32_t i = 0; i < table->lists.n; i++)
        bytes += w->lists[table->lists.ids[i]].weight;
    uint64_t left = WALK_REPEATED_BYTES_MAX - w->repeated_bytes;
    if (bytes && n_rows > left / bytes)
        return refuse(w, err_set(w->err, RC_LIMIT,
                                 "values that repeat in each row take more than %d MiB",
                                 (int)(WALK_REPEATED_BYTES_MAX >> 20)));
    w->repeated_bytes += bytes * n_rows;
    return true;
}

static bool reserve_rows(struct walk *w, uint32_t table_id, uint32_t n)
{
    const struct plan_table *table = &w->plan->tables[table_id];
    struct table_rows *out = &w->tables[table_id];
    void *rows = grown(w, out->rows, out->n, &out->cap, (uint64_t)out->n + n, sizeof *out->rows);
    if (!rows)
        return false;
    out->rows = rows;
    size_t bytes = SIZE_MAX;
    if (!table->n_columns || n <= SIZE_MAX / sizeof(struct cell) / table->n_columns)
        bytes = sizeof(struct cell) * table->n_columns * n;
    out->next_cells = arena_alloc(w->arena, bytes);
    return out->next_cells ? count_repeated(w, table, n) : refuse_memory(w, bytes);
}

static void begin_row(struct walk *w, uint32_t table_id)
{
    const struct plan_table *table = &w->plan->tables[table_id];
    for (uint32_t i = 0; i < table->n_counters; i++)
        w->counters[table->first_counter + i] = 0;
    for (uint32_t i = 0; i < table->pivots.n; i++) {
        struct pivot_keys *keys = &w->keys[table->pivots.ids[i]];
        hash_index_clear(&keys->index);
        keys->n = 0;
    }
}

static bool fill_cells(struct walk *w, const struct plan_table *table, struct cell *cells)
{
    for (uint32_t i = 0; i < table->n_columns; i++) {
        const struct plan_column *column = &table->columns[i];
        if (column->kind == COLUMN_VALUE) {
            cells[i] = w->slots[column->at].cell;
            continue;
        }
        uint32_t number =
            column->kind == COLUMN_POSITION ? w->positions[column->at] : w->counters[column->at];
        if (!cell_number(w->arena, number, &cells[i]))
            return refuse_memory(w, sizeof "4294967295");
    }
    return true;
}

static bool is_repeated(const struct walk *w, const struct found *found)
{
    if (found->repeats == PLAN_NONE)
        return false;
    const cJSON *of = w->slots[found->repeats].raw;
    return of && value_equal(found->raw, of);
}

static bool fill_extras(struct walk *w, uint32_t table_id, struct row *row)
{
    const struct plan_table *table = &w->plan->tables[table_id];
    uint64_t n = 0;
    for (uint32_t i = 0; i < table->lists.n; i++)
        n += w->lists[table->lists.ids[i]].n;
    row->extras = NULL;
    row->n_extras = 0;
    if (n == 0)
        return true;
    if (n > SCHEMA_COLUMNS_MAX)
        return too_many(w, table_id);
    row->extras = arena_alloc(w->arena, (size_t)n * sizeof *row->extras);
    if (!row->extras)
        return refuse_memory(w, (size_t)n * sizeof *row->extras);
    for (uint32_t i = 0; i < table->lists.n; i++) {
        const struct found_list *list = &w->lists[table->lists.ids[i]];
        for (uint32_t j = 0; j < list->n; j++) {
            if (!is_repeated(w, &list->items[j]))
                row->extras[row->n_extras++] = list->items[j].extra;
        }
    }
    return true;
}

static bool end_row(struct walk *w, uint32_t table_id)
{
    const struct plan_table *table = &w->plan->tables[table_id];
    struct table_rows *out = &w->tables[table_id];
    struct row *row = &out->rows[out->n++];
    row->cells = out->next_cells;
    out->next_cells += table->n_columns;
    return fill_cells(w, table, row->cells) && fill_extras(w, table_id, row);
}

/* ---- elements ------------------------------------------------------------------------------- */

static bool walk_element(struct walk *w, uint32_t scope_id, const cJSON *value);

static bool walk_array(struct walk *w, const struct plan_node *node)
{
    const cJSON *array = w->slots[node->slot].raw;
    if (!array || !cJSON_IsArray(array))
        return true;
    uint32_t scope_id = w->plan->nodes[node->star].scope;
    uint32_t table_id = w->plan->scopes[scope_id].table;
    uint32_t n = 0;
    for (const cJSON *element = array->child; element; element = element->next) {
        if (n++ == UINT32_MAX)
            return refuse_memory(w, SIZE_MAX);
    }
    if (n && table_id != PLAN_NONE && !reserve_rows(w, table_id, n))
        return false;
    uint32_t position = 0;
    for (const cJSON *element = array->child; element; element = element->next) {
        w->positions[scope_id] = position++;
        if (!walk_element(w, scope_id, element))
            return false;
    }
    return true;
}

static void begin_scope(struct walk *w, const struct plan_scope *scope)
{
    memset(&w->slots[scope->first_slot], 0, scope->n_slots * sizeof *w->slots);
    for (uint32_t i = 0; i < scope->lists.n; i++) {
        struct found_list *list = &w->lists[scope->lists.ids[i]];
        list->n = 0;
        list->weight = 0;
    }
}

/* Nested as deeply as the profile's paths. */
static bool walk_element(struct walk *w, uint32_t scope_id, const cJSON *value)
{
    const struct plan_scope *scope = &w->plan->scopes[scope_id];
    bool has_row = scope->table != PLAN_NONE;
    begin_scope(w, scope);
    if (has_row)
        begin_row(w, scope->table);
    bool ok = visit(w, &w->plan->nodes[scope->node], value);
    if (ok && has_row && !cJSON_IsObject(value))
        ok = visit_lone(w, scope, value);
    for (uint32_t i = 0; ok && i < scope->pivots.n; i++)
        ok = add_pivot(w, scope->pivots.ids[i]);
    for (uint32_t i = 0; ok && i < scope->arrays.n; i++)
        ok = walk_array(w, &w->plan->nodes[scope->arrays.ids[i]]);
    if (ok && has_row)
        ok = end_row(w, scope->table);
    return ok;
}

/* ---- the payload ---------------------------------------------------------------------------- */

static bool prepare(struct walk *w)
{
    const struct flatten_plan *plan = w->plan;
    size_t n_tables = plan->profile->n_tables;
    w->slots = arena_array(w->arena, plan->n_nodes, sizeof *w->slots);
    w->positions = arena_array(w->arena, plan->n_scopes, sizeof *w->positions);
    w->counters = arena_array(w->arena, plan->n_counters, sizeof *w->counters);
    w->lists = arena_array(w->arena, plan->n_lists, sizeof *w->lists);
    w->tables = arena_array(w->arena, n_tables, sizeof *w->tables);
    w->keys = arena_array(w->arena, plan->n_pivots, sizeof *w->keys);
    if (!w->slots || !w->positions || !w->counters || !w->lists || !w->tables || !w->keys)
        return refuse_memory(w, plan->n_nodes * sizeof *w->slots);
    return true;
}

static struct rows *take_rows(struct walk *w)
{
    size_t n_tables = w->plan->profile->n_tables;
    struct rows *tables = arena_array(w->arena, n_tables, sizeof *tables);
    for (size_t i = 0; tables && i < n_tables; i++)
        tables[i] = (struct rows){w->tables[i].rows, w->tables[i].n};
    if (!tables)
        (void)refuse_memory(w, n_tables * sizeof *tables);
    return tables;
}

enum rc walk_payload(const struct flatten_plan *plan, struct lead *lead, struct err *e)
{
    struct walk w = {.plan = plan, .arena = &lead->arena, .err = e};
    struct rows *tables = NULL;
    bool ok = prepare(&w) && reserve_rows(&w, 0, 1) && walk_element(&w, 0, lead->root);
    if (ok)
        tables = take_rows(&w);
    for (uint32_t i = 0; w.keys && i < plan->n_pivots; i++)
        hash_index_free(&w.keys[i].index);
    if (!tables)
        return w.rc;
    lead->tables = tables;
    return RC_OK;
}
