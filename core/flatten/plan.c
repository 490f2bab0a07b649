#include "core/flatten/plan.h"

/* ---- the tree of places --------------------------------------------------------------------- */

static uint32_t edge_hash(uint32_t parent, struct str name)
{
    return (uint32_t)str_hash(name, parent);
}

uint32_t plan_member(const struct flatten_plan *plan, uint32_t parent, struct str name)
{
    for (uint32_t at = edge_hash(parent, name);; at++) {
        uint32_t child = plan->edges[at & plan->edge_mask];
        if (child == PLAN_NONE)
            return PLAN_NONE;
        const struct plan_node *node = &plan->nodes[child];
        if (node->parent == parent && str_eq(node->name, name))
            return child;
    }
}

static uint32_t add_node(struct flatten_plan *plan, uint32_t parent, struct str name)
{
    uint32_t id = plan->n_nodes++;
    plan->nodes[id] = (struct plan_node){
        .name = name,
        .parent = parent,
        .star = PLAN_NONE,
        .counter = PLAN_NONE,
        .list = PLAN_NONE,
        .repeats = PLAN_NONE,
        .repeats_param = PLAN_NONE,
    };
    return id;
}

static uint32_t add_scope(struct flatten_plan *plan, uint32_t node)
{
    uint32_t scope = plan->n_scopes++;
    plan->scopes[scope] = (struct plan_scope){.node = node, .table = PLAN_NONE};
    return scope;
}

static uint32_t member_node(struct flatten_plan *plan, uint32_t parent, struct str name)
{
    uint32_t id = plan_member(plan, parent, name);
    if (id != PLAN_NONE)
        return id;
    id = add_node(plan, parent, name);
    plan->nodes[id].scope = plan->nodes[parent].scope;
    plan->nodes[parent].is_entered = true;
    uint32_t at = edge_hash(parent, name);
    while (plan->edges[at & plan->edge_mask] != PLAN_NONE)
        at++;
    plan->edges[at & plan->edge_mask] = id;
    return id;
}

static uint32_t star_node(struct flatten_plan *plan, uint32_t parent)
{
    if (plan->nodes[parent].star == PLAN_NONE) {
        uint32_t id = add_node(plan, parent, STR_NONE);
        plan->nodes[id].scope = add_scope(plan, id);
        plan->nodes[parent].star = id;
    }
    return plan->nodes[parent].star;
}

/* The node of a path; made where it is not there yet. */
static uint32_t path_node(struct flatten_plan *plan, const struct path *p)
{
    uint32_t node = 0;
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct path_step *step = &p->steps[i];
        node =
            path_step_is_star(step) ? star_node(plan, node) : member_node(plan, node, step->name);
    }
    return node;
}

static size_t table_steps(const struct table_spec *t)
{
    size_t n = t->each.n_steps;
    for (size_t i = 0; i < t->n_columns; i++)
        n += t->columns[i].path.n_steps;
    for (size_t i = 0; i < t->n_objects; i++)
        n += t->objects[i].path.n_steps;
    for (size_t i = 0; i < t->n_pivots; i++)
        n += t->pivots[i].each.n_steps + t->pivots[i].key.n_steps + t->pivots[i].value.n_steps;
    for (size_t i = 0; i < t->n_repeats; i++)
        n += t->repeats[i].path.n_steps + t->repeats[i].of.n_steps;
    return n;
}

static void add_column_nodes(struct flatten_plan *plan, const struct table_spec *t)
{
    uint32_t at = path_node(plan, &t->each);
    plan->nodes[0].leads_to_table = true;
    for (; at; at = plan->nodes[at].parent)
        plan->nodes[at].leads_to_table = true;
    for (size_t i = 0; i < t->n_columns; i++)
        (void)path_node(plan, &t->columns[i].path);
}

static void add_rule_nodes(struct flatten_plan *plan, const struct table_spec *t)
{
    for (size_t i = 0; i < t->n_objects; i++)
        (void)path_node(plan, &t->objects[i].path);
    for (size_t i = 0; i < t->n_pivots; i++) {
        (void)path_node(plan, &t->pivots[i].each);
        (void)path_node(plan, &t->pivots[i].key);
        (void)path_node(plan, &t->pivots[i].value);
    }
    for (size_t i = 0; i < t->n_repeats; i++) {
        (void)path_node(plan, &t->repeats[i].path);
        if (t->repeats[i].param < 0)
            (void)path_node(plan, &t->repeats[i].of);
    }
}

/* Before the first payload, members are thought to come in the order of the profile. */
static void make_guesses(struct flatten_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        atomic_init(&plan->guesses[i].inside, PLAN_NONE);
        atomic_init(&plan->guesses[i].behind, PLAN_NONE);
    }
    for (uint32_t i = plan->n_nodes; i-- > 1;) {
        if (!plan->nodes[i].name.ptr)
            continue;
        atomic_uint *first = &plan->guesses[plan->nodes[i].parent].inside;
        atomic_init(&plan->guesses[i].behind, atomic_load(first));
        atomic_init(first, i);
    }
}

static enum rc build_nodes(struct flatten_plan *plan)
{
    const struct profile *p = plan->profile;
    size_t max = 1;
    for (size_t t = 0; t < p->n_tables; t++)
        max += table_steps(&p->tables[t]);
    size_t n_edges = 16;
    while (n_edges < 2 * max)
        n_edges *= 2;
    plan->nodes = arena_array(&plan->memory, max, sizeof *plan->nodes);
    plan->scopes = arena_array(&plan->memory, max, sizeof *plan->scopes);
    plan->edges = arena_array(&plan->memory, n_edges, sizeof *plan->edges);
    if (!plan->nodes || !plan->scopes || !plan->edges)
        return RC_NOMEM;
    memset(plan->edges, 0xFF, n_edges * sizeof *plan->edges); /* PLAN_NONE */
    plan->edge_mask = (uint32_t)(n_edges - 1);
    uint32_t root = add_node(plan, 0, STR_NONE);
    plan->nodes[root].scope = add_scope(plan, root);
    for (size_t t = 0; t < p->n_tables; t++)
        add_column_nodes(plan, &p->tables[t]);
    for (size_t t = 0; t < p->n_tables; t++)
        add_rule_nodes(plan, &p->tables[t]);
    plan->guesses = arena_array(&plan->memory, plan->n_nodes, sizeof *plan->guesses);
    if (!plan->guesses)
        return RC_NOMEM;
    make_guesses(plan);
    return RC_OK;
}

/* The slots of a scope lie side by side, so that they are emptied at once. */
static void assign_slots(struct flatten_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_nodes; i++)
        plan->scopes[plan->nodes[i].scope].n_slots++;
    uint32_t next = 0;
    for (uint32_t s = 0; s < plan->n_scopes; s++) {
        plan->scopes[s].first_slot = next;
        next += plan->scopes[s].n_slots;
        plan->scopes[s].n_slots = 0;
    }
    for (uint32_t i = 0; i < plan->n_nodes; i++) {
        struct plan_scope *scope = &plan->scopes[plan->nodes[i].scope];
        plan->nodes[i].slot = scope->first_slot + scope->n_slots++;
    }
}

static void mark_urls(struct flatten_plan *plan)
{
    for (uint32_t i = 1; i < plan->n_nodes; i++) {
        struct plan_node *node = &plan->nodes[i];
        const struct plan_node *parent = &plan->nodes[node->parent];
        if (!node->name.ptr)
            node->is_url_element =
                parent->name.ptr && signed_urls_is_array(&plan->urls, parent->name);
        else
            node->is_expiring =
                parent->is_url_element && signed_urls_is_member(&plan->urls, node->name);
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

/* Puts each of `n` things into the set that `place` names for it (NULL: into none). */
static enum rc group(struct flatten_plan *plan, uint32_t n,
                     struct plan_ids *(*place)(struct flatten_plan *plan, uint32_t thing))
{
    for (uint32_t i = 0; i < n; i++) {
        struct plan_ids *set = place(plan, i);
        if (set)
            set->n++;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct plan_ids *set = place(plan, i);
        if (!set)
            continue;
        if (!set->ids) {
            set->ids = arena_array(&plan->memory, set->n, sizeof *set->ids);
            if (!set->ids)
                return RC_NOMEM;
            set->n = 0;
        }
        set->ids[set->n++] = i;
    }
    return RC_OK;
}

static struct plan_ids *arrays_of_scope(struct flatten_plan *plan, uint32_t node)
{
    const struct plan_node *n = &plan->nodes[node];
    return n->star == PLAN_NONE ? NULL : &plan->scopes[n->scope].arrays;
}

static struct plan_ids *lists_of_scope(struct flatten_plan *plan, uint32_t list)
{
    return &plan->scopes[plan->lists[list].scope].lists;
}

static struct plan_ids *lists_of_table(struct flatten_plan *plan, uint32_t list)
{
    return &plan->tables[plan->lists[list].table].lists;
}

static struct plan_ids *pivots_of_scope(struct flatten_plan *plan, uint32_t pivot)
{
    return &plan->scopes[plan->pivots[pivot].scope].pivots;
}

static struct plan_ids *pivots_of_table(struct flatten_plan *plan, uint32_t pivot)
{
    return &plan->tables[plan->pivots[pivot].table].pivots;
}

static void add_value_column(struct plan_table *out, struct plan_node *node, uint32_t node_id,
                             uint32_t each)
{
    node->is_column = true;
    out->shows_element |= node_id == each;
    if (node->scope != out->scope) {
        node->is_inherited = true;
        out->inherited.ids[out->inherited.n++] = node->slot;
    }
}

static enum rc build_columns(struct flatten_plan *plan, uint32_t table)
{
    const struct table_spec *t = &plan->profile->tables[table];
    struct plan_table *out = &plan->tables[table];
    uint32_t each = plan->scopes[out->scope].node;
    out->n_columns = (uint32_t)t->n_columns;
    out->columns = arena_array(&plan->memory, t->n_columns, sizeof *out->columns);
    out->inherited.ids = arena_array(&plan->memory, t->n_columns, sizeof *out->inherited.ids);
    if (!out->columns || !out->inherited.ids)
        return RC_NOMEM;
    out->first_counter = plan->n_counters;
    for (size_t i = 0; i < t->n_columns; i++) {
        uint32_t id = path_node(plan, &t->columns[i].path);
        struct plan_node *node = &plan->nodes[id];
        struct plan_column *column = &out->columns[i];
        column->kind = t->columns[i].kind;
        if (column->kind == COLUMN_VALUE) {
            column->at = node->slot;
            add_value_column(out, node, id, each);
        } else if (column->kind == COLUMN_POSITION) {
            column->at = node->scope;
        } else {
            column->at = plan->n_counters++;
            plan->counters[column->at] = node->counter; /* the node's others, linked */
            node->counter = column->at;
        }
    }
    out->n_counters = plan->n_counters - out->first_counter;
    return RC_OK;
}

static uint32_t list_of(struct flatten_plan *plan, uint32_t table, uint32_t scope, bool is_pivots)
{
    for (uint32_t i = 0; i < plan->n_lists; i++) {
        const struct plan_list *list = &plan->lists[i];
        if (list->table == table && list->scope == scope && list->is_pivots == is_pivots)
            return i;
    }
    plan->lists[plan->n_lists] =
        (struct plan_list){.table = table, .scope = scope, .is_pivots = is_pivots};
    return plan->n_lists++;
}

static void build_pivots(struct flatten_plan *plan, uint32_t table)
{
    const struct table_spec *t = &plan->profile->tables[table];
    for (size_t i = 0; i < t->n_pivots; i++) {
        const struct pivot_spec *spec = &t->pivots[i];
        plan->pivots[plan->n_pivots++] = (struct plan_pivot){
            .table = table,
            .scope = plan->nodes[path_node(plan, &spec->each)].scope,
            .key = plan->nodes[path_node(plan, &spec->key)].slot,
            .value = path_node(plan, &spec->value),
            .list = list_of(plan, table, plan->tables[table].scope, true),
            .rule = (uint32_t)(t->n_objects + i),
        };
        plan->nodes[path_node(plan, &spec->value)].is_column = true;
    }
}

/* Lists come into being in the order in which a row shows them, which is from the root down, though
 * a profile may name its objects in any order. */
static void build_objects(struct flatten_plan *plan, uint32_t table)
{
    const struct table_spec *t = &plan->profile->tables[table];
    for (size_t depth = 0; depth <= t->each.n_stars; depth++) {
        for (size_t i = 0; i < t->n_objects; i++) {
            if (t->objects[i].path.n_stars != depth)
                continue;
            struct plan_node *node = &plan->nodes[path_node(plan, &t->objects[i].path)];
            node->list = list_of(plan, table, node->scope, false);
            node->rule = (uint32_t)i;
            node->is_entered = true;
        }
    }
    for (size_t i = 0; i < t->n_repeats; i++) {
        const struct repeat_spec *repeat = &t->repeats[i];
        struct plan_node *node = &plan->nodes[path_node(plan, &repeat->path)];
        if (repeat->param >= 0)
            node->repeats_param = (uint32_t)repeat->param;
        else
            node->repeats = plan->nodes[path_node(plan, &repeat->of)].slot;
    }
}

/* Which kinds of value at this member need no column of their own in the table that has its
 * parent's members? */
static uint8_t handled_types(const struct flatten_plan *plan, const struct plan_node *node,
                             uint32_t table)
{
    uint8_t handled = 0;
    if (node->list != PLAN_NONE && plan->lists[node->list].table == table)
        handled |= cJSON_Object | cJSON_NULL;
    if (node->star != PLAN_NONE && plan->nodes[node->star].leads_to_table)
        handled |= cJSON_Array | cJSON_NULL;
    return handled;
}

static void mark_handled(struct flatten_plan *plan)
{
    for (uint32_t i = 1; i < plan->n_nodes; i++) {
        struct plan_node *node = &plan->nodes[i];
        uint32_t list = plan->nodes[node->parent].list;
        if (list != PLAN_NONE && node->name.ptr)
            node->handled |= handled_types(plan, node, plan->lists[list].table);
    }
    for (uint32_t t = 0; t < plan->profile->n_tables; t++) {
        const struct table_spec *spec = &plan->profile->tables[t];
        for (size_t i = 0; i < spec->n_columns; i++) {
            if (spec->columns[i].kind != COLUMN_VALUE)
                continue;
            struct plan_node *node = &plan->nodes[path_node(plan, &spec->columns[i].path)];
            uint32_t list = plan->nodes[node->parent].list;
            if (list != PLAN_NONE && plan->lists[list].table == t)
                node->handled = UINT8_MAX;
        }
    }
}

static enum rc alloc_tables(struct flatten_plan *plan)
{
    const struct profile *p = plan->profile;
    size_t n_columns = 0, n_lists = 0, n_pivots = 0;
    for (size_t i = 0; i < p->n_tables; i++) {
        n_columns += p->tables[i].n_columns;
        n_lists += p->tables[i].n_objects + 1;
        n_pivots += p->tables[i].n_pivots;
    }
    plan->tables = arena_array(&plan->memory, p->n_tables, sizeof *plan->tables);
    plan->counters = arena_array(&plan->memory, n_columns, sizeof *plan->counters);
    plan->lists = arena_array(&plan->memory, n_lists, sizeof *plan->lists);
    plan->pivots = arena_array(&plan->memory, n_pivots, sizeof *plan->pivots);
    bool all = plan->tables && plan->counters && plan->lists && plan->pivots;
    return all ? RC_OK : RC_NOMEM;
}

static enum rc build_tables(struct flatten_plan *plan)
{
    enum rc rc = alloc_tables(plan);
    for (uint32_t t = 0; rc == RC_OK && t < plan->profile->n_tables; t++) {
        uint32_t each = path_node(plan, &plan->profile->tables[t].each);
        plan->tables[t].scope = plan->nodes[each].scope;
        plan->scopes[plan->tables[t].scope].table = t;
        rc = build_columns(plan, t);
        if (rc != RC_OK)
            break;
        build_pivots(plan, t);
        build_objects(plan, t);
    }
    return rc;
}

enum rc plan_build(struct flatten_plan *plan)
{
    enum rc rc = build_nodes(plan);
    if (rc != RC_OK)
        return rc;
    assign_slots(plan);
    mark_urls(plan);
    rc = build_tables(plan);
    if (rc != RC_OK)
        return rc;
    mark_handled(plan);
    rc = group(plan, plan->n_nodes, arrays_of_scope);
    if (rc == RC_OK)
        rc = group(plan, plan->n_lists, lists_of_scope);
    if (rc == RC_OK)
        rc = group(plan, plan->n_lists, lists_of_table);
    if (rc == RC_OK)
        rc = group(plan, plan->n_pivots, pivots_of_scope);
    if (rc == RC_OK)
        rc = group(plan, plan->n_pivots, pivots_of_table);
    return rc;
}
