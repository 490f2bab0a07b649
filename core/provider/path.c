#include "core/provider/path.h"

#include "core/json/json.h"

static bool is_star(struct str step)
{
    return str_eq_c(step, "*");
}

/* Undoes "~1" and "~0" in place. False: another character behind a tilde. */
static bool unescape(char *name, size_t *len)
{
    size_t to = 0;
    for (size_t from = 0; from < *len; from++) {
        char c = name[from];
        if (c == '~') {
            from++;
            if (from == *len || (name[from] != '0' && name[from] != '1'))
                return false;
            c = name[from] == '1' ? '/' : '~';
        }
        name[to++] = c;
    }
    name[to] = '\0';
    *len = to;
    return true;
}

static enum rc parse_step(struct path_step *out, struct arena *a, struct str step, struct err *e)
{
    if (is_star(step)) {
        out->name = STR_NONE;
        return RC_OK;
    }
    char *name = arena_strdup(a, step);
    if (!name)
        return err_nomem(e);
    size_t len = step.len;
    if (!unescape(name, &len))
        return err_set(e, RC_SYNTAX, "in a name, write ~0 for a tilde and ~1 for a slash");
    out->name = (struct str){name, len};
    return RC_OK;
}

static size_t count_steps(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '/';
    return n;
}

/* From the slash at `*at` to the next one. */
static struct str next_step(struct str text, size_t *at)
{
    size_t from = *at + 1;
    const char *slash = memchr(text.ptr + from, '/', text.len - from);
    *at = slash ? (size_t)(slash - text.ptr) : text.len;
    return (struct str){text.ptr + from, *at - from};
}

enum rc path_parse(struct path *out, struct arena *a, struct str text, struct err *e)
{
    if (text.len && text.ptr[0] != '/')
        return err_set(e, RC_SYNTAX, "a path must be empty or begin with a slash");
    struct path p = {.n_steps = count_steps(text)};
    if (text.len > PATH_BYTES_MAX || p.n_steps > PATH_STEPS_MAX)
        return err_set(e, RC_SYNTAX, "a path has at most %d steps and %d bytes", PATH_STEPS_MAX,
                       PATH_BYTES_MAX);
    const char *copy = arena_strdup(a, text);
    p.steps = arena_array(a, p.n_steps, sizeof *p.steps);
    if (!copy || !p.steps)
        return err_nomem(e);
    p.text = (struct str){copy, text.len};
    size_t at = 0;
    for (size_t i = 0; i < p.n_steps; i++) {
        enum rc rc = parse_step(&p.steps[i], a, next_step(text, &at), e);
        if (rc != RC_OK)
            return rc;
        p.n_stars += path_step_is_star(&p.steps[i]);
    }
    *out = p;
    return RC_OK;
}

bool path_is_star(const struct path *p)
{
    return p->n_steps && path_step_is_star(&p->steps[p->n_steps - 1]);
}

/* The first `n` steps of both are the same. */
static bool same_steps(const struct path *a, const struct path *b, size_t n)
{
    if (n > a->n_steps || n > b->n_steps)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct path_step *x = &a->steps[i], *y = &b->steps[i];
        if (path_step_is_star(x) != path_step_is_star(y) || !str_eq(x->name, y->name))
            return false;
    }
    return true;
}

bool path_equal(const struct path *a, const struct path *b)
{
    return a->n_steps == b->n_steps && same_steps(a, b, a->n_steps);
}

bool path_begins_with(const struct path *p, const struct path *prefix)
{
    return same_steps(p, prefix, prefix->n_steps);
}

bool path_lies_on(const struct path *p, const struct path *each)
{
    size_t n = p->n_steps;
    while (n && !path_step_is_star(&p->steps[n - 1]))
        n--;
    return same_steps(p, each, n);
}

const cJSON *path_find(const struct path *p, const cJSON *from)
{
    const cJSON *at = from;
    for (size_t i = 0; at && i < p->n_steps; i++) {
        const struct path_step *step = &p->steps[i];
        if (path_step_is_star(step))
            at = cJSON_IsArray(at) ? at->child : NULL;
        else
            at = cJSON_IsObject(at) ? json_member(at, step->name.ptr) : NULL;
    }
    return at;
}
