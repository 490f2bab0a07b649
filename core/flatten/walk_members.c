/* What a walk keeps of the members of one scope. */
#include "core/flatten/walk_internal.h"

/* ---- members that are not documented -------------------------------------------------------- */

/* Adds to a list. `found` comes with everything but the hash. */
static bool add_found(struct walk *w, uint32_t list_id, struct found found)
{
    struct found_list *list = &w->lists[list_id];
    const struct plan_list *spec = &w->plan->lists[list_id];
    struct found *items =
        walk_grown(w, list->items, list->n, &list->cap, (uint64_t)list->n + 1, sizeof *items);
    if (!items)
        return false;
    found.extra.origin.hash = column_origin_hash(&found.extra.origin, w->plan->profile->hash_seed);
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
    return walk_refuse_memory(w);
}

/* A member of an object whose members become columns; `child` is its place, if it has one. */
static inline bool add_member(struct walk *w, const struct plan_node *node,
                              const struct plan_node *child, struct str key, const cJSON *value)
{
    if (child && (child->handled & value->type))
        return true;
    bool is_expiring = child ? child->is_expiring
                             : node->is_url_element && signed_urls_is_member(&w->plan->urls, key);
    struct found found = {
        .extra.origin = {.scope = node->rule, .key = key},
        .raw = value,
        .place = child,
    };
    return make_cell(w, value, is_expiring, false, &found.extra.cell) &&
           add_found(w, node->list, found);
}

/* ---- a scope's members ---------------------------------------------------------------------- */

/* A scalar that stays as it is, as most values are. False: it is for cell_make(). */
static inline bool make_plain_cell(const struct plan_node *node, const cJSON *value,
                                   struct cell *out)
{
    int type = value->type & 0xFF;
    if (node->is_expiring || type > cJSON_String)
        return false;
    struct str text = json_text(value);
    if (text.len > UINT32_MAX)
        return false;
    enum cell_kind kind = type == cJSON_String   ? CELL_TEXT
                          : type == cJSON_Number ? CELL_NUMBER
                          : type == cJSON_True   ? CELL_TRUE
                          : type == cJSON_False  ? CELL_FALSE
                                                 : CELL_NULL;
    *out = (struct cell){.kind = (uint8_t)kind, .len = (uint32_t)text.len, .u.text = text.ptr};
    return true;
}

/* What a place has, but for what is in it. */
static inline bool take_value(struct walk *w, const struct plan_node *node, const cJSON *value)
{
    struct slot *slot = &w->slots[node->slot];
    slot->raw = value;
    for (uint32_t c = node->counter; c != PLAN_NONE; c = w->plan->counters[c])
        w->counters[c]++;
    if (node->is_column && !make_plain_cell(node, value, &slot->cell) &&
        !make_cell(w, value, node->is_expiring, node->is_url_element, &slot->cell))
        return false;
    if (node->is_inherited)
        slot->weight = cell_weight(&slot->cell);
    return true;
}

static bool visit_members(struct walk *w, const struct plan_node *node, const cJSON *object);

static inline bool visit_member(struct walk *w, const struct plan_node *node, uint32_t child_id,
                                struct str key, const cJSON *value)
{
    const struct plan_node *child = NULL;
    if (child_id != PLAN_NONE) {
        child = &w->plan->nodes[child_id];
        if (!take_value(w, child, value) ||
            (child->is_entered && json_is_object(value) && !visit_members(w, child, value)))
            return false;
    }
    return node->list == PLAN_NONE || add_member(w, node, child, key, value);
}

/* Providers send members in the same order each time: so the one that was here in the payload
 * before is tried, and looked up only where it is another. */
static inline uint32_t find_member(struct walk *w, uint32_t node_id, atomic_uint *guess,
                                   const cJSON *member, struct str *key)
{
    const struct flatten_plan *plan = w->plan;
    uint32_t child = atomic_load_explicit(guess, memory_order_relaxed);
    if (child != PLAN_NONE && str_eq(plan->nodes[child].name, json_member_name(member)) &&
        !(member->valueint & JSON_NAME_REPLACED)) {
        *key = plan->nodes[child].name;
        return child;
    }
    *key = json_name_key(member);
    child = plan_member(plan, node_id, *key);
    if (child != PLAN_NONE)
        atomic_store_explicit(guess, child, memory_order_relaxed);
    return child;
}

/* Nested as deeply as the profile's paths. */
static bool visit_members(struct walk *w, const struct plan_node *node, const cJSON *object)
{
    uint32_t node_id = (uint32_t)(node - w->plan->nodes);
    atomic_uint *guess = &w->plan->guesses[node_id].inside;
    for (const cJSON *member = object->child; member; member = member->next) {
        struct str key;
        uint32_t child = find_member(w, node_id, guess, member, &key);
        if (child != PLAN_NONE)
            guess = &w->plan->guesses[child].behind;
        if (!visit_member(w, node, child, key, member))
            return false;
    }
    return true;
}

bool walk_visit(struct walk *w, const struct plan_node *node, const cJSON *value)
{
    return take_value(w, node, value) &&
           (!node->is_entered || !json_is_object(value) || visit_members(w, node, value));
}

bool walk_visit_lone(struct walk *w, const struct plan_scope *scope, const cJSON *value)
{
    const struct plan_node *node = &w->plan->nodes[scope->node];
    bool has_place = w->plan->tables[scope->table].shows_element ||
                     (node->star != PLAN_NONE && json_is_array(value));
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
    void *items =
        walk_grown(w, keys->items, keys->n, &keys->cap, (uint64_t)keys->n + 1, sizeof *keys->items);
    if (!items)
        return 0;
    keys->items = items;
    if (hash_index_add(&keys->index, hash, keys->n) != RC_OK) {
        (void)walk_refuse(w, err_nomem(w->err));
        return 0;
    }
    keys->items[keys->n++] = (struct pivot_key){key, 1};
    return 1;
}

static bool is_object_of_scalars(const cJSON *v)
{
    if (!json_is_object(v) || !v->child)
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
        struct str name = json_name_key(member);
        found.extra.origin.member = name;
        bool is_expiring = node->is_url_element && signed_urls_is_member(&w->plan->urls, name);
        if (!make_cell(w, member, is_expiring, false, &found.extra.cell) ||
            !add_found(w, pivot->list, found))
            return false;
    }
    return true;
}

bool walk_add_pivot(struct walk *w, uint32_t pivot_id)
{
    const struct plan_pivot *pivot = &w->plan->pivots[pivot_id];
    const cJSON *key = w->slots[pivot->key].raw;
    if (!key || !cJSON_IsString(key) || !key->valuestring[0])
        return true;
    struct found found = {
        .extra.origin = {.scope = pivot->rule, .key = json_text_key(key)},
    };
    found.extra.origin.occurrence = count_key(w, pivot_id, found.extra.origin.key);
    if (!found.extra.origin.occurrence)
        return false;
    const struct slot *value = &w->slots[w->plan->nodes[pivot->value].slot];
    if (!value->raw)
        return true;
    if (is_object_of_scalars(value->raw))
        return add_pivot_members(w, pivot, found, value->raw);
    found.extra.cell = value->cell;
    return add_found(w, pivot->list, found);
}
