#include "core/flatten/signed_urls.h"

struct signed_url_rules signed_urls_of(const struct profile *p, enum signed_urls mode)
{
    struct signed_url_rules r = {.mode = mode};
    if (mode != SIGNED_URLS_KEEP && p->n_url_arrays && p->n_url_members) {
        r.arrays = p->url_arrays;
        r.n_arrays = p->n_url_arrays;
        r.members = p->url_members;
        r.n_members = p->n_url_members;
    }
    return r;
}

static bool is_one_of(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name))
            return true;
    }
    return false;
}

bool signed_urls_is_array(const struct signed_url_rules *r, struct str name)
{
    return is_one_of(r->arrays, r->n_arrays, name);
}

bool signed_urls_is_member(const struct signed_url_rules *r, struct str name)
{
    return is_one_of(r->members, r->n_members, name);
}

size_t signed_urls_kept_bytes(const char *url, size_t len)
{
    const char *query = len ? memchr(url, '?', len) : NULL;
    return query ? (size_t)(query - url) : len;
}

static bool is_container(const cJSON *v)
{
    return json_is_array(v) || json_is_object(v);
}

/* An array by whose name its objects are known to have expiring URLs. */
static bool is_url_array(const struct signed_url_rules *r, const cJSON *v)
{
    return json_is_array(v) && v->string && signed_urls_is_array(r, json_name_key(v));
}

/* What all functions below share. Each gives a copy where something differs, else NULL. */
struct edit {
    const struct signed_url_rules *rules;
    struct arena *arena;
    bool out_of_memory;
};

static cJSON *copy_node(struct edit *e, const cJSON *v)
{
    cJSON *copy = arena_alloc(e->arena, sizeof *copy);
    if (copy)
        *copy = *v;
    else
        e->out_of_memory = true;
    return copy;
}

static cJSON *edit_url(struct edit *e, const cJSON *v)
{
    struct str text = json_text(v);
    size_t kept = signed_urls_kept_bytes(text.ptr, text.len);
    bool drop = e->rules->mode == SIGNED_URLS_DROP;
    if (!drop && kept == text.len)
        return NULL;
    cJSON *copy = copy_node(e, v);
    if (!copy)
        return NULL;
    copy->type = drop ? cJSON_NULL : cJSON_String;
    const char *kept_text = drop ? NULL : arena_strdup(e->arena, (struct str){text.ptr, kept});
    if (!drop && !kept_text)
        e->out_of_memory = true;
    json_set_text(copy,
                  (struct str){kept_text, kept}); /* what was replaced is behind the whole one */
    return copy;
}

static void append(cJSON **first, cJSON *node)
{
    cJSON *last = *first ? (*first)->prev : node; /* cJSON's own convention */
    if (*first)
        last->next = node;
    else
        *first = node;
    node->next = NULL;
    node->prev = last;
    (*first)->prev = node;
}

/* Copies of the children of `v` before `end`. */
static void append_until(struct edit *e, cJSON **first, const cJSON *v, const cJSON *end)
{
    for (const cJSON *child = v->child; child != end && !e->out_of_memory; child = child->next) {
        cJSON *copy = copy_node(e, child);
        if (copy)
            append(first, copy);
    }
}

static cJSON *edit_container(struct edit *e, const cJSON *v, bool is_element);

/* `has_urls`: the child's siblings and it may be expiring URLs; `in_url_array`: it may have some. */
static cJSON *edit_child(struct edit *e, const cJSON *child, bool has_urls, bool in_url_array)
{
    if (is_container(child))
        return edit_container(e, child, in_url_array);
    if (has_urls && cJSON_IsString(child) && signed_urls_is_member(e->rules, json_name_key(child)))
        return edit_url(e, child);
    return NULL;
}

/* Nested as deeply as the parser allows. */
static cJSON *edit_container(struct edit *e, const cJSON *v, bool is_element)
{
    bool has_urls = is_element && json_is_object(v), in_url_array = is_url_array(e->rules, v);
    cJSON *first = NULL;
    for (const cJSON *child = v->child; child && !e->out_of_memory; child = child->next) {
        cJSON *edited = edit_child(e, child, has_urls, in_url_array);
        if (!edited && !first)
            continue; /* all the same so far */
        if (!first)
            append_until(e, &first, v, child);
        if (!edited)
            edited = copy_node(e, child);
        if (edited)
            append(&first, edited);
    }
    if (!first || e->out_of_memory)
        return NULL;
    cJSON *copy = copy_node(e, v);
    if (copy)
        copy->child = first;
    return copy;
}

const cJSON *signed_urls_edit(const struct signed_url_rules *r, struct arena *a, const cJSON *value,
                              bool is_element)
{
    if (r->n_members == 0 || !is_container(value))
        return value;
    struct edit e = {.rules = r, .arena = a};
    const cJSON *copy = edit_container(&e, value, is_element);
    if (e.out_of_memory)
        return NULL;
    return copy ? copy : value;
}
