#include "core/flatten/prescan.h"

static enum rc add_member(struct prescan *l, struct arena *a, enum prescan_what what,
                          const struct path *root, const struct path *path)
{
    size_t n = root->n_steps + path->n_steps;
    if (l->n == PRESCAN_MEMBERS_MAX || root->n_stars || path->n_stars) {
        l->possible = false;
        return RC_OK;
    }
    struct prescan_member *member = &l->items[l->n++];
    member->what = what;
    member->n_names = n;
    member->names = arena_array(a, n ? n : 1, sizeof *member->names);
    if (!member->names)
        return RC_NOMEM;
    for (size_t i = 0; i < n; i++)
        member->names[i] =
            i < root->n_steps ? root->steps[i].name : path->steps[i - root->n_steps].name;
    return RC_OK;
}

enum rc prescan_make(struct prescan *out, struct arena *a, const struct profile *p)
{
    const struct path body = {0};
    struct prescan l = {.possible = true};
    enum rc rc = RC_OK;
    if (p->success.n_steps)
        rc = add_member(&l, a, PRESCAN_SUCCESS, &body, &p->success);
    for (size_t i = 0; rc == RC_OK && i < p->n_required; i++)
        rc = add_member(&l, a, PRESCAN_REQUIRED, &p->root, &p->required[i]);
    /* Without a required object the root must still be there: only the tree's path knows that. */
    l.possible = l.possible && p->n_required;
    if (rc == RC_OK && p->own_id.n_steps)
        rc = add_member(&l, a, PRESCAN_OWN_ID, &p->root, &p->own_id);
    if (rc == RC_OK)
        *out = l;
    return rc;
}

/* The text of a string without escapes, or a number's digits; absent: neither. *unsure: a string
 * with escapes. `at` is within a text that is known to be JSON. */
static struct str plain_text(const char *at, bool *unsure)
{
    if (*at == '"') {
        size_t n = strcspn(at + 1, "\"\\");
        *unsure = at[n + 1] == '\\';
        return (struct str){at + 1, n};
    }
    if (*at != '-' && (*at < '0' || *at > '9'))
        return STR_NONE;
    return (struct str){at, strspn(at, "+-.0123456789Ee")};
}

static bool is_ordinary(const struct prescan_member *member, const char *value, struct lead *lead)
{
    bool unsure = false;
    switch (member->what) {
    case PRESCAN_SUCCESS:
        return !value || *value != 'f'; /* `false` is the only word that begins so */
    case PRESCAN_REQUIRED:
        return value && *value == '{';
    case PRESCAN_OWN_ID:
        lead->other_id = value ? plain_text(value, &unsure) : STR_NONE;
        if (str_eq(lead->other_id, lead->id))
            lead->other_id = STR_NONE;
        return !unsure;
    }
    return false;
}

enum rc prescan_run(const struct prescan *prescan, struct lead *lead, bool *enough, struct err *e)
{
    struct json_watch watches[PRESCAN_MEMBERS_MAX];
    size_t n_watches = 0;
    for (size_t i = 0; i < prescan->n; i++) {
        const struct prescan_member *member = &prescan->items[i];
        if (member->n_names)
            watches[n_watches++] =
                (struct json_watch){.names = member->names, .n_names = member->n_names};
    }
    struct json_doc doc;
    struct str text = buf_str(&lead->body);
    bool unsure = false;
    enum rc rc = json_watch(&lead->arena, text, watches, n_watches, &doc, &unsure, e);
    if (rc != RC_OK)
        return rc;
    bool ordinary = !unsure;
    n_watches = 0;
    for (size_t i = 0; ordinary && i < prescan->n; i++) {
        const struct prescan_member *member = &prescan->items[i];
        const char *value = member->n_names ? watches[n_watches++].value : doc.compact.ptr;
        ordinary = is_ordinary(member, value, lead);
    }
    if (ordinary)
        lead->doc = doc;
    *enough = ordinary;
    return RC_OK;
}
