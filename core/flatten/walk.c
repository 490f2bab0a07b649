#include "core/flatten/walk_internal.h"

/* ---- memory --------------------------------------------------------------------------------- */

bool walk_refuse(struct walk *w, enum rc rc)
{
    w->rc = rc;
    return false;
}

bool walk_refuse_memory(struct walk *w)
{
    if (w->arena->refused == RC_NOMEM)
        return walk_refuse(w, err_nomem(w->err));
    return walk_refuse(w, err_set(w->err, RC_LIMIT, "its rows need more than %zu MiB of memory",
                                  w->arena->max_bytes >> 20));
}

void *walk_grown(struct walk *w, void *items, uint32_t n, uint32_t *cap, uint64_t want, size_t size)
{
    if (want <= *cap)
        return items;
    uint64_t more = *cap ? (uint64_t)*cap * 2 : 8;
    if (more < want)
        more = want;
    bool is_possible = more < UINT32_MAX && more <= SIZE_MAX / size;
    void *copy = arena_alloc(w->arena, is_possible ? (size_t)more * size : SIZE_MAX);
    if (!copy) {
        (void)walk_refuse_memory(w);
        return NULL;
    }
    if (n)
        memcpy(copy, items, n * size);
    *cap = (uint32_t)more;
    return copy;
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
        return walk_refuse(w, err_set(w->err, RC_LIMIT,
                                      "values repeated in each row take more than %d MiB",
                                      (int)(WALK_REPEATED_BYTES_MAX >> 20)));
    w->repeated_bytes += bytes * n_rows;
    return true;
}

static bool reserve_rows(struct walk *w, uint32_t table_id, uint32_t n)
{
    const struct plan_table *table = &w->plan->tables[table_id];
    struct table_rows *out = &w->tables[table_id];
    void *rows =
        walk_grown(w, out->rows, out->n, &out->cap, (uint64_t)out->n + n, sizeof *out->rows);
    if (!rows)
        return false;
    out->rows = rows;
    size_t bytes = SIZE_MAX;
    if (!table->n_columns || n <= SIZE_MAX / sizeof(struct cell) / table->n_columns)
        bytes = sizeof(struct cell) * table->n_columns * n;
    out->next_cells = arena_alloc(w->arena, bytes);
    return out->next_cells ? count_repeated(w, table, n) : walk_refuse_memory(w);
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
            return walk_refuse_memory(w);
    }
    return true;
}

/* The parameter is a text, which providers repeat as a text or as a number. */
static bool is_param(const cJSON *value, struct str param)
{
    return (cJSON_IsString(value) || cJSON_IsNumber(value)) && str_eq(json_text_key(value), param);
}

static bool is_repeated(const struct walk *w, const struct found *found)
{
    const struct plan_node *place = found->place;
    if (!place)
        return false;
    if (place->repeats_param != PLAN_NONE)
        return is_param(found->raw, w->lead->params[place->repeats_param]);
    const cJSON *of = place->repeats == PLAN_NONE ? NULL : w->slots[place->repeats].raw;
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
    bool is_possible = n <= UINT32_MAX && n <= SIZE_MAX / sizeof *row->extras;
    row->extras = arena_alloc(w->arena, is_possible ? (size_t)n * sizeof *row->extras : SIZE_MAX);
    if (!row->extras)
        return walk_refuse_memory(w);
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
    if (!array || !json_is_array(array))
        return true;
    uint32_t scope_id = w->plan->nodes[node->star].scope;
    uint32_t table_id = w->plan->scopes[scope_id].table;
    uint32_t n = 0;
    for (const cJSON *element = array->child; element; element = element->next) {
        if (n++ == UINT32_MAX)
            return walk_refuse_memory(w);
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
    bool ok = walk_visit(w, &w->plan->nodes[scope->node], value);
    if (ok && has_row && !json_is_object(value))
        ok = walk_visit_lone(w, scope, value);
    for (uint32_t i = 0; ok && i < scope->pivots.n; i++)
        ok = walk_add_pivot(w, scope->pivots.ids[i]);
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
        return walk_refuse_memory(w);
    return true;
}

static struct rows *take_rows(struct walk *w)
{
    size_t n_tables = w->plan->profile->n_tables;
    struct rows *tables = arena_array(w->arena, n_tables, sizeof *tables);
    for (size_t i = 0; tables && i < n_tables; i++)
        tables[i] = (struct rows){w->tables[i].rows, w->tables[i].n};
    if (!tables)
        (void)walk_refuse_memory(w);
    return tables;
}

enum rc walk_payload(const struct flatten_plan *plan, struct lead *lead, struct err *e)
{
    struct walk w = {.plan = plan, .lead = lead, .arena = &lead->arena, .err = e};
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
