#include "core/json/json_pointer.h"

/* Copies a step with "~1" and "~0" decoded. False: a "~" with something else behind it. */
static bool unescape(struct str from, char *to, struct str *out)
{
    size_t n = 0;
    for (size_t i = 0; i < from.len; i++) {
        char c = from.ptr[i];
        if (c == '~') {
            char next = ++i < from.len ? from.ptr[i] : '\0';
            if (next != '0' && next != '1')
                return false;
            c = next == '1' ? '/' : '~';
        }
        to[n++] = c;
    }
    to[n] = '\0';
    *out = (struct str){to, n};
    return true;
}

static size_t count_steps(struct str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '/';
    return n;
}

/* Each step gets a NUL behind it, so there is one byte more than the text has. */
static enum rc split(struct json_pointer *p, char *memory, struct err *e)
{
    size_t at = 0;
    for (size_t i = 0; i < p->n_steps; i++) {
        size_t begin = ++at;
        while (at < p->text.len && p->text.ptr[at] != '/')
            at++;
        struct str step = {p->text.ptr + begin, at - begin};
        if (!unescape(step, memory, &p->steps[i]))
            return err_set(e, RC_SYNTAX, "must have only ~0 and ~1 after a ~");
        memory += p->steps[i].len + 1;
    }
    return RC_OK;
}

enum rc json_pointer_parse(struct json_pointer *out, struct arena *a, struct str text,
                           struct err *e)
{
    if (text.len && text.ptr[0] != '/')
        return err_set(e, RC_SYNTAX, "must be empty or begin with a slash");
    if (text.len && memchr(text.ptr, '\0', text.len))
        return err_set(e, RC_SYNTAX, "must have no NUL");
    struct json_pointer p = {.n_steps = count_steps(text)};
    if (p.n_steps > JSON_POINTER_STEPS_MAX)
        return err_set(e, RC_SYNTAX, "must have at most %d steps", JSON_POINTER_STEPS_MAX);
    p.text = (struct str){arena_strdup(a, text), text.len};
    p.steps = arena_array(a, p.n_steps, sizeof *p.steps);
    char *memory = arena_alloc(a, text.len + 1);
    if (!p.text.ptr || !p.steps || !memory)
        return err_nomem(e);
    enum rc rc = split(&p, memory, e);
    if (rc == RC_OK)
        *out = p;
    return rc;
}

/* RFC 6901, section 4: "0", or digits that do not begin with 0. */
static const cJSON *element(const cJSON *array, struct str step)
{
    size_t index = 0;
    if (step.len == 0 || step.len > 9 || (step.len > 1 && step.ptr[0] == '0'))
        return NULL;
    for (size_t i = 0; i < step.len; i++) {
        if (step.ptr[i] < '0' || step.ptr[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(step.ptr[i] - '0');
    }
    const cJSON *at = array->child;
    while (at && index--)
        at = at->next;
    return at;
}

const cJSON *json_pointer_find(const struct json_pointer *p, const cJSON *from)
{
    const cJSON *at = from;
    for (size_t i = 0; at && i < p->n_steps; i++) {
        if (json_is_object(at))
            at = json_member(at, p->steps[i].ptr);
        else
            at = json_is_array(at) ? element(at, p->steps[i]) : NULL;
    }
    return at;
}
