#include <stdio.h>
#include <stdlib.h>

#include "core/base/arena.h"
#include "core/base/units.h"
#include "core/base/url.h"
#include "sinks/registry.h"

#define SPEC_BYTES_MAX ((size_t)1 << 20) /* a command line is not longer */
#define OPTIONS_MAX 64

/* What is being parsed. */
struct parse {
    struct sink_spec *spec;
    struct arena *arena;
    struct str rest;     /* still to be read */
    char *values;        /* where the next value goes; room for all of them */
    uint64_t seen;       /* bit i: option i was given */
    const char *subject; /* the sink's name */
};

/* ---- values --------------------------------------------------------------------------------- */

static bool word_of_choices(const char *choices, struct str word, int *out)
{
    int index = 0;
    for (struct str rest = str_c(choices);; index++) {
        const char *bar = memchr(rest.ptr, '|', rest.len);
        size_t n = bar ? (size_t)(bar - rest.ptr) : rest.len;
        if (str_eq((struct str){rest.ptr, n}, word)) {
            *out = index;
            return true;
        }
        if (!bar)
            return false;
        rest = (struct str){bar + 1, rest.len - n - 1};
    }
}

static bool value_uint(const struct opt_spec *o, struct str text, unsigned *out)
{
    if (o->default_text && strcmp(o->default_text, "auto") == 0 && str_eq_c(text, "auto")) {
        *out = SPEC_AUTO;
        return true;
    }
    uint64_t n = 0;
    if (!units_uint(text, &n) || n < (uint64_t)o->min || n > (uint64_t)o->max || n > UINT_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

static bool value_duration(const struct opt_spec *o, struct str text, int64_t *out)
{
    int64_t ms = 0;
    if (!units_duration(text, &ms) || ms < o->min || ms > o->max)
        return false;
    *out = ms;
    return true;
}

/* Adds a text to a list, whose memory doubles when its length is a power of two. */
static bool value_list(struct arena *a, const char *text, struct text_list *out)
{
    if ((out->n & (out->n - 1)) == 0) {
        const char **items = arena_array(a, out->n ? 2 * out->n : 1, sizeof *items);
        if (!items)
            return false;
        for (size_t i = 0; i < out->n; i++)
            items[i] = out->items[i];
        out->items = items;
    }
    out->items[out->n++] = text;
    return true;
}

/* Stores a value. `text` has a NUL behind it and lives in the arena. RC_USAGE: it is none of those
 * that are allowed; RC_NOMEM. */
static enum rc value_set(struct parse *p, const struct opt_spec *o, struct str text)
{
    void *at = (char *)p->spec->opts + o->offset;
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)at = true;
        return RC_OK;
    case OPT_CHOICE:
        return word_of_choices(o->choices, text, at) ? RC_OK : RC_USAGE;
    case OPT_UINT:
        return value_uint(o, text, at) ? RC_OK : RC_USAGE;
    case OPT_DURATION:
        return value_duration(o, text, at) ? RC_OK : RC_USAGE;
    case OPT_RATE:
        return units_rate(text, at) ? RC_OK : RC_USAGE;
    case OPT_TEXT:
    case OPT_FILE:
        *(const char **)at = text.ptr;
        return text.len > 0 ? RC_OK : RC_USAGE;
    case OPT_LIST:
        return value_list(p->arena, text.ptr, at) ? RC_OK : RC_NOMEM;
    }
    return RC_INTERNAL;
}

/* Appends what is allowed: "one of comma, tab, semicolon". */
static void allowed_put(struct buf *b, const struct opt_spec *o)
{
    switch (o->type) {
    case OPT_FLAG:
        buf_adds(b, "no value");
        return;
    case OPT_CHOICE:
        buf_adds(b, "one of ");
        for (const char *c = o->choices; *c; c++) {
            if (*c == '|')
                buf_adds(b, ", ");
            else
                buf_addc(b, *c);
        }
        return;
    case OPT_UINT:
        buf_addf(b, "a number from %lld to %lld", (long long)o->min, (long long)o->max);
        return;
    case OPT_DURATION:
        buf_addf(b, UNITS_DURATION_TEXT ", from %lldms to %lldms", (long long)o->min,
                 (long long)o->max);
        return;
    case OPT_RATE:
        buf_adds(b, UNITS_RATE_TEXT);
        return;
    case OPT_FILE:
        buf_adds(b, "the path of a file");
        return;
    case OPT_TEXT:
    case OPT_LIST:
        buf_adds(b, "a text");
        return;
    }
}

static enum rc value_refused(const struct parse *p, const struct opt_spec *o, const char *what,
                             struct err *e)
{
    struct buf allowed;
    buf_init(&allowed, 1024);
    allowed_put(&allowed, o);
    enum rc rc = err_set(e, RC_USAGE, "%s: %s%s; it takes %s", p->subject, o->name, what,
                         buf_cstr(&allowed));
    buf_free(&allowed);
    return rc;
}

/* ---- options -------------------------------------------------------------------------------- */

static size_t options_count(const struct sink_ops *ops)
{
    size_t n = 0;
    while (ops->opts && ops->opts[n].name)
        n++;
    return n;
}

static enum rc option_unknown(const struct parse *p, struct str name, struct err *e)
{
    const struct sink_ops *ops = p->spec->ops;
    struct buf names;
    buf_init(&names, 1024);
    for (size_t i = 0; i < options_count(ops); i++)
        buf_addf(&names, "%s%s", i ? ", " : "", ops->opts[i].name);
    enum rc rc =
        err_set(e, RC_USAGE, "%s: there is no option \"%.*s\"; options are: %s", p->subject,
                (int)(name.len < 64 ? name.len : 64), name.ptr, buf_cstr(&names));
    buf_free(&names);
    return rc;
}

static enum rc option_take(struct parse *p, struct str name, struct str value, struct err *e)
{
    const struct sink_ops *ops = p->spec->ops;
    size_t i = 0;
    while (i < options_count(ops) && !str_eq_c(name, ops->opts[i].name))
        i++;
    if (i == options_count(ops))
        return option_unknown(p, name, e);
    const struct opt_spec *o = &ops->opts[i];
    if (o->type != OPT_LIST && (p->seen >> i & 1))
        return err_set(e, RC_USAGE, "%s: %s is given twice", p->subject, o->name);
    p->seen |= UINT64_C(1) << i;
    if (o->type == OPT_FLAG && value.ptr)
        return value_refused(p, o, " has a value", e);
    if (o->type != OPT_FLAG && !value.ptr)
        return value_refused(p, o, " has no value", e);
    enum rc rc = value_set(p, o, value);
    if (rc == RC_NOMEM)
        return err_nomem(e);
    if (rc == RC_OK)
        return RC_OK;
    char what[80];
    (void)snprintf(what, sizeof what, "=%.64s", value.ptr);
    return value_refused(p, o, what, e);
}

static enum rc options_default(struct parse *p, struct err *e)
{
    for (const struct opt_spec *o = p->spec->ops->opts; o && o->name; o++) {
        if (!o->default_text)
            continue;
        enum rc rc = value_set(p, o, str_c(o->default_text));
        if (rc == RC_NOMEM)
            return err_nomem(e);
        if (rc != RC_OK)
            return err_set(e, RC_INTERNAL, "%s: the default of %s is wrong", p->subject, o->name);
    }
    return options_count(p->spec->ops) <= OPTIONS_MAX
               ? RC_OK
               : err_set(e, RC_INTERNAL, "%s: too many options", p->subject);
}

/* ---- the grammar ---------------------------------------------------------------------------- */

static bool is_option_end(struct str s, size_t at)
{
    return s.ptr[at] == ',' || (s.ptr[at] == ':' && (at + 1 == s.len || s.ptr[at + 1] != ' '));
}

/* A backslash before what it can guard; any other is itself. */
static bool is_escape(struct str s, size_t at)
{
    return s.ptr[at] == '\\' && at + 1 < s.len && (s.ptr[at + 1] == ',' || s.ptr[at + 1] == '\\');
}

size_t sink_spec_piece(struct str rest)
{
    size_t at = 0;
    while (at < rest.len && !is_option_end(rest, at))
        at += is_escape(rest, at) ? 2 : 1;
    return at;
}

/* Takes a value up to the comma or colon that ends it, without the backslashes. */
static struct str value_take(struct parse *p)
{
    struct str s = p->rest;
    struct str value = {p->values, 0};
    size_t end = sink_spec_piece(s);
    for (size_t at = 0; at < end; at++) {
        at += is_escape(s, at);
        p->values[value.len++] = s.ptr[at];
    }
    p->values[value.len] = '\0';
    p->values += value.len + 1;
    p->rest = (struct str){s.ptr + end, s.len - end};
    return value;
}

/* Takes what stands before the first of `ends`, which stays. */
static struct str word_take(struct str *s, const char *ends)
{
    size_t n = 0;
    while (n < s->len && !strchr(ends, s->ptr[n]))
        n++;
    struct str word = {s->ptr, n};
    *s = (struct str){s->ptr + n, s->len - n};
    return word;
}

static bool char_take(struct str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    s->ptr++;
    s->len--;
    return true;
}

static enum rc kind_take(struct parse *p, struct err *e)
{
    struct str kind = word_take(&p->rest, ",:");
    p->spec->ops = sink_by_name(kind);
    if (p->spec->ops) {
        p->subject = p->spec->ops->name;
        return RC_OK;
    }
    struct buf names;
    buf_init(&names, 1024);
    for (size_t i = 0; sink_registry[i]; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", sink_registry[i]->name);
    enum rc rc = err_set(e, RC_USAGE, "there is no sink \"%.*s\"; sinks are: %s",
                         (int)(kind.len < 64 ? kind.len : 64), kind.ptr, buf_cstr(&names));
    buf_free(&names);
    return rc;
}

static enum rc options_take(struct parse *p, struct err *e)
{
    while (char_take(&p->rest, ',')) {
        struct str name = word_take(&p->rest, "=,:");
        struct str value = STR_NONE;
        if (char_take(&p->rest, '='))
            value = value_take(p);
        enum rc rc = option_take(p, name, value, e);
        if (rc != RC_OK)
            return rc;
    }
    if (!char_take(&p->rest, ':') || p->rest.len == 0)
        return err_set(e, RC_USAGE,
                       "%s: there is no target; a sink is KIND[,OPTION[=VALUE]]...:TARGET",
                       p->subject);
    return RC_OK;
}

static bool is_scheme_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

#define SCHEME_BYTES_MAX 32

/* The URL in a target, where there is one; "X-Token:s3cret:https://host/" is a header's value that
 * lacks the blank before it, and a URL behind it. */
static const char *find_url(const char *target)
{
    const char *slashes = strstr(target, "://");
    const char *scheme = slashes;
    while (scheme && scheme > target && slashes - scheme < SCHEME_BYTES_MAX &&
           is_scheme_byte(scheme[-1]))
        scheme--;
    bool is_path = scheme && scheme > target && strchr("/.", target[0]);
    return is_path ? NULL : scheme;
}

/* "KIND:TARGET"; of a URL neither user and password nor the query, which may be secret. */
static char *label_make(struct arena *a, const char *kind, const char *target)
{
    const char *url = find_url(target);
    struct str user = url ? url_userinfo(url) : STR_NONE;
    const char *from = user.ptr ? user.ptr + user.len + 1 : url ? url : target;
    size_t scheme = user.ptr ? (size_t)(user.ptr - url) : 0;
    size_t n = url ? strcspn(from, "?#") : strlen(from);
    size_t bytes = strlen(kind) + scheme + n + sizeof ":***";
    char *label = arena_alloc(a, bytes);
    if (label)
        (void)snprintf(label, bytes, "%s:%s%.*s%.*s", kind, url > target ? "***" : "", (int)scheme,
                       url ? url : "", (int)n, from);
    return label;
}

static enum rc spec_take(struct parse *p, const char *text, struct err *e)
{
    struct sink_spec *spec = p->spec;
    spec->text = arena_strdup(p->arena, str_c(text));
    p->values = arena_alloc(p->arena, strlen(text) + 1); /* each has a "=" before it for its NUL */
    if (!spec->text || !p->values)
        return err_nomem(e);
    p->rest = str_c(spec->text);
    enum rc rc = kind_take(p, e);
    if (rc != RC_OK)
        return rc;
    spec->opts = arena_zalloc(p->arena, spec->ops->opts_size ? spec->ops->opts_size : 1);
    if (!spec->opts)
        return err_nomem(e);
    rc = options_default(p, e);
    if (rc == RC_OK)
        rc = options_take(p, e);
    if (rc != RC_OK)
        return rc;
    spec->target = arena_strdup(p->arena, p->rest);
    spec->label = spec->target ? label_make(p->arena, p->subject, spec->target) : NULL;
    return spec->label ? RC_OK : err_nomem(e);
}

enum rc sink_spec_parse(struct sink_spec *out, const char *text, struct err *e)
{
    struct arena *arena = malloc(sizeof *arena);
    if (!arena)
        return err_nomem(e);
    arena_init(arena, SIZE_MAX / 2);
    struct sink_spec spec = {.memory = arena};
    struct parse p = {.spec = &spec, .arena = arena};
    enum rc rc = strlen(text) <= SPEC_BYTES_MAX
                     ? spec_take(&p, text, e)
                     : err_set(e, RC_USAGE, "a sink's specification is too long");
    if (rc != RC_OK) {
        sink_spec_free(&spec);
        return rc;
    }
    *out = spec;
    return RC_OK;
}

void sink_spec_free(struct sink_spec *s)
{
    if (s->memory)
        arena_free(s->memory);
    free(s->memory);
    *s = (struct sink_spec){0};
}
